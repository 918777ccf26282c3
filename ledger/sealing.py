"""The chain of hashes over the journal: what is hashed, and how. Pure.

Anybody who has the rows can recompute a seal, with SHA-256 and nothing else of ours:

1. The text of a field is UTF-8. Ids of entries and sources are UUIDs in lower case with hyphens;
   numbers are decimal, without leading zeros, exponent, or zeros at the end of a fraction (`-0.5`,
   `100`, `0`); instants are whole microseconds since 1970-01-01T00:00:00Z.
2. A field is written as a netstring: the number of its bytes in decimal, `:`, the bytes, `,`.
3. The bytes of an entry are the fields `bourse-entry-1`, id, kind, source_kind, source_id, actor,
   memo, occurred_at, posted_at, the number of its postings; and for each posting, in the order of
   their ids: id, ledger_account_id, asset_id, amount, balance_after, account_version.
4. The digest of an entry is the SHA-256 of its bytes.
5. Seals are numbered 1, 2, 3 … and take the entries in the order of (posted_at, id), with the id
   compared as 16 bytes. The hash of a seal is the SHA-256 of: the hash of the seal before (32
   bytes; zeros for the first), its own number (8 bytes, big-endian), and the digests of its
   entries (32 bytes each).
6. The leaves of a seal are, for each of its entries, the id (16 bytes) and the first 16 bytes of
   the digest. The hash does not cover them: they only tell which entry has changed.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from common.chain import GENESIS_HASH as GENESIS_HASH
from common.chain import netstring
from common.chain import seal_hash as seal_hash
from common.instants import to_microseconds
from common.money import plain

ENTRIES_MAX = 1_000
LEAF_BYTES = 32
_ID_BYTES = 16
_FORMAT = "bourse-entry-1"


class Position(NamedTuple):
    """A place in the order of the entries."""

    posted_at: datetime
    entry_id: UUID


BEGINNING = Position(datetime.min.replace(tzinfo=UTC), UUID(int=0))


class SealedPosting(NamedTuple):
    """What is hashed of a posting."""

    id: int
    ledger_account_id: int
    asset_id: int
    amount: Decimal
    balance_after: Decimal
    account_version: int


class SealedEntry(NamedTuple):
    """What is hashed of an entry; `postings` are in the order of their ids."""

    id: UUID
    kind: str
    source_kind: str
    source_id: UUID
    actor: str
    memo: str
    occurred_at: datetime
    posted_at: datetime
    postings: tuple[SealedPosting, ...]

    @property
    def position(self) -> Position:
        return Position(self.posted_at, self.id)


class Leaf(NamedTuple):
    """What a seal remembers of one entry."""

    entry_id: UUID
    digest_start: bytes


def entry_bytes(entry: SealedEntry) -> bytes:
    """The bytes of an entry with its postings, as told above."""
    fields = [
        _FORMAT,
        str(entry.id),
        entry.kind,
        entry.source_kind,
        str(entry.source_id),
        entry.actor,
        entry.memo,
        str(to_microseconds(entry.occurred_at)),
        str(to_microseconds(entry.posted_at)),
        str(len(entry.postings)),
    ]
    for posting in entry.postings:
        fields += (
            str(posting.id),
            str(posting.ledger_account_id),
            str(posting.asset_id),
            plain(posting.amount),
            plain(posting.balance_after),
            str(posting.account_version),
        )
    return b"".join(map(netstring, fields))


def entry_digest(entry: SealedEntry) -> bytes:
    """The SHA-256 of an entry with its postings."""
    return hashlib.sha256(entry_bytes(entry)).digest()


def join_leaves(ids: Iterable[UUID], digests: Iterable[bytes]) -> bytes:
    """The leaves of a seal."""
    pairs = zip(ids, digests, strict=True)
    return b"".join(id.bytes + digest[: LEAF_BYTES - _ID_BYTES] for id, digest in pairs)


def split_leaves(leaves: bytes) -> Iterator[Leaf]:
    """The leaves of a seal one by one; bytes that are too few for one are left out."""
    for start in range(0, len(leaves) - LEAF_BYTES + 1, LEAF_BYTES):
        leaf = leaves[start : start + LEAF_BYTES]
        yield Leaf(UUID(bytes=leaf[:_ID_BYTES]), leaf[_ID_BYTES:])
