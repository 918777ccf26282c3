"""Recomputes the chain of seals and says what was tampered with. Reads only, locks nothing.

A seal says which entries belong to it, and its hash what they were. A journal that was changed and
sealed anew from there on agrees with itself: only a head of the chain that was kept elsewhere
(`check_head`) finds that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from uuid import UUID

from django.db import transaction

from common.database import allow_long_statements
from ledger.models import Seal
from ledger.sealing import (
    GENESIS_HASH,
    Leaf,
    Position,
    SealedEntry,
    entry_digest,
    join_leaves,
    seal_hash,
    split_leaves,
)
from ledger.selectors.seals import (
    get_entries_by_id,
    head_of,
    list_entries_between,
    list_seals,
    position_after,
)

_SEALS_AT_ONCE = 10
# Rows that do not belong in a seal's range and are named.
_ADDED_SHOWN = 10
_STATEMENT_SECONDS = 100


class FindingKind(StrEnum):
    """What does not agree."""

    ENTRY_CHANGED = "entry_changed"
    ENTRY_MISSING = "entry_missing"
    ENTRY_ADDED = "entry_added"
    SEAL_CHANGED = "seal_changed"
    SEAL_MISSING = "seal_missing"
    HEAD_DIFFERS = "head_differs"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tampered with: in which seal, at which entry (None: the seal itself)."""

    kind: FindingKind
    seal: int
    entry_id: UUID | None
    detail: str


@dataclass(frozen=True, slots=True)
class VerifiedSeal:
    """A seal that was recomputed; without findings it and its entries are as they were sealed."""

    number: int
    entry_count: int
    head: str
    findings: tuple[Finding, ...]


def verify_seals(*, from_seal: int = 1) -> Iterator[VerifiedSeal]:
    """Recompute the seals from this number on, in order; the seal before it is trusted.

    Each step reads a few seals in a short transaction of its own: the chain only ever grows.
    """
    previous = Seal.objects.defer("leaves").filter(number=from_seal - 1).first()
    expected = from_seal if previous or from_seal == 1 else from_seal - 1
    is_sound = True
    while True:
        with transaction.atomic():
            allow_long_statements(_STATEMENT_SECONDS)
            verified = list(_verify_next(expected, previous, is_sound))
        if not verified:
            return
        for seal, result in verified:
            previous, expected, is_sound = seal, seal.number + 1, not result.findings
            yield result


def check_head(expected: str) -> Finding | None:
    """Whether the chain still holds the head `number:hash` that was kept elsewhere."""
    number_text, _, hash_text = expected.partition(":")
    number = int(number_text) if number_text.isdecimal() else 0
    seal = Seal.objects.defer("leaves").filter(number=number).first()
    if seal is not None and seal.hash == hash_text:
        return None
    found = f"is {seal.hash}" if seal else "is not there"
    return Finding(FindingKind.HEAD_DIFFERS, number, None, f"expected {expected}, but it {found}")


def _verify_next(
    expected: int, previous: Seal | None, is_sound: bool
) -> Iterator[tuple[Seal, VerifiedSeal]]:
    """The next few seals with what was found."""
    seals = list_seals(from_number=expected, limit=_SEALS_AT_ONCE)
    entries = _entries_of(seals, previous, expected)
    for seal, own in zip(seals, entries, strict=True):
        examined = _Examined(seal, previous, _start_of(seal, previous, expected), own, is_sound)
        findings = tuple(examined.findings(expected))
        yield seal, VerifiedSeal(seal.number, seal.entry_count, head_of(seal), findings)
        previous, expected, is_sound = seal, seal.number + 1, not findings


def _start_of(seal: Seal, previous: Seal | None, expected: int) -> Position:
    """Where a seal's entries begin: after the seal before or, where that is gone, by itself."""
    if seal.number == expected:
        return position_after(previous)
    first = next(split_leaves(bytes(seal.leaves)), None)
    first_id = first.entry_id.int if first else 0
    return Position(seal.first_posted_at, UUID(int=max(first_id - 1, 0)))


def _entries_of(
    seals: Sequence[Seal], previous: Seal | None, expected: int
) -> list[list[SealedEntry]]:
    """The entries in each seal's range, read at once; one too many shows that there are more."""
    if not seals:
        return []
    starts = [_start_of(seals[0], previous, expected)]
    starts += [_start_of(seal, before, before.number + 1) for before, seal in pairwise(seals)]
    limit = sum(seal.entry_count for seal in seals) + 1
    entries = list_entries_between(starts[0], position_after(seals[-1]), limit=limit)
    return [
        [entry for entry in entries if start < entry.position <= position_after(seal)]
        for start, seal in zip(starts, seals, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Examined:
    """A seal beside the entries in its range."""

    seal: Seal
    previous: Seal | None
    start: Position
    entries: list[SealedEntry]
    is_previous_sound: bool

    def findings(self, expected: int) -> Iterator[Finding]:
        """All that does not agree, the first entry first."""
        seal = self.seal
        if seal.number != expected:
            missing = f"seals {expected} to {seal.number - 1} are not there"
            yield Finding(FindingKind.SEAL_MISSING, expected, None, missing)
        else:
            yield from self._broken_link()
        digests = [entry_digest(entry) for entry in self.entries]
        if not self._is_hash_of(digests):
            yield from self._differences()
            return
        leaves = join_leaves([entry.id for entry in self.entries], digests)
        if not (bytes(seal.leaves) == leaves and self._fits(self.entries)):
            yield self._seal_changed("it describes its entries wrongly; its hash is right")

    def _broken_link(self) -> Iterator[Finding]:
        """Which of two seals was changed, when one does not continue the other."""
        before = self.previous.hash if self.previous else GENESIS_HASH
        if self.seal.previous_hash == before or not self.is_previous_sound:
            return
        digests = [entry_digest(entry) for entry in self.entries]
        if self.previous and self._hash(self.seal.previous_hash, digests) == self.seal.hash:
            number = self.previous.number
            detail = f"seal {self.seal.number} continues another seal {number} than this one"
            yield Finding(FindingKind.SEAL_CHANGED, number, None, detail)
        else:
            yield self._seal_changed("its previous_hash is not the hash of the seal before")

    def _differences(self) -> Iterator[Finding]:
        """What keeps the hash from being right, entry by entry."""
        leaves = list(split_leaves(bytes(self.seal.leaves)))
        stored = get_entries_by_id([leaf.entry_id for leaf in leaves])
        sealed = [stored[leaf.entry_id] for leaf in leaves if leaf.entry_id in stored]
        digests = {entry.id: entry_digest(entry) for entry in sealed}
        added = self._added({leaf.entry_id for leaf in leaves})
        if len(sealed) == len(leaves) and self._is_hash_of([digests[one.id] for one in sealed]):
            if self._fits(sealed):
                yield from added
            else:
                yield self._seal_changed("its bounds are not those of its entries")
            return
        findings = [*_changed_entries(self.seal.number, leaves, digests), *added]
        yield from findings or [self._seal_changed("its hash is not that of its entries")]

    def _added(self, known: set[UUID]) -> list[Finding]:
        until = position_after(self.seal)
        limit = len(known) + _ADDED_SHOWN
        return [
            Finding(
                FindingKind.ENTRY_ADDED,
                self.seal.number,
                entry.id,
                "it lies in a sealed range and was not there when it was sealed",
            )
            for entry in list_entries_between(self.start, until, limit=limit)
            if entry.id not in known
        ]

    def _is_hash_of(self, digests: Sequence[bytes]) -> bool:
        """Whether the seal's hash follows; from the seal before, whichever way that is known."""
        known = {self.seal.previous_hash, self.previous.hash if self.previous else GENESIS_HASH}
        return self.seal.hash in {self._hash(one, digests) for one in known}

    def _hash(self, previous_hash: str, digests: Sequence[bytes]) -> str:
        try:
            return seal_hash(previous_hash, self.seal.number, digests)
        except ValueError:
            return ""

    def _fits(self, entries: Sequence[SealedEntry]) -> bool:
        """Whether what the seal says of its entries, without hash and leaves, is so."""
        seal = self.seal
        if not entries or seal.entry_count != len(entries):
            return False
        last = Position(seal.last_posted_at, seal.last_entry_id)
        return entries[0].posted_at == seal.first_posted_at and entries[-1].position == last

    def _seal_changed(self, detail: str) -> Finding:
        return Finding(FindingKind.SEAL_CHANGED, self.seal.number, None, detail)


def _changed_entries(
    number: int, leaves: Sequence[Leaf], digests: dict[UUID, bytes]
) -> Iterator[Finding]:
    """The entries that are gone, or are not what their leaf says, in their order."""
    for leaf in leaves:
        digest = digests.get(leaf.entry_id)
        if digest is None:
            detail = "it was sealed and is not there"
            yield Finding(FindingKind.ENTRY_MISSING, number, leaf.entry_id, detail)
        elif not digest.startswith(leaf.digest_start):
            detail = "it, or one of its postings, is not what was sealed"
            yield Finding(FindingKind.ENTRY_CHANGED, number, leaf.entry_id, detail)
