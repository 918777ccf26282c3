"""Sealing: chains the entries of the journal by SHA-256, in the background, one sealer at a time.

What is hashed is told in `ledger.sealing`; `ledger.verification` recomputes it.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import OperationalError, connection, transaction

from common.database import allow_long_statements, is_conflict, retry_on_conflict
from ledger import locks
from ledger.models import Seal
from ledger.sealing import (
    ENTRIES_MAX,
    GENESIS_HASH,
    SealedEntry,
    entry_digest,
    join_leaves,
    seal_hash,
)
from ledger.selectors import seals as reads

_log = logging.getLogger(__name__)

# In memory at once, and redone if the process is killed.
_BATCH_ENTRIES = 10 * ENTRIES_MAX
# The first run reads the whole journal once, for its beginning.
_STATEMENT_SECONDS = 100


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a run sealed, and the head of the chain after it, as `number:hash` (empty: none)."""

    seal_count: int
    entry_count: int
    head: str


def seal_entries(*, lag: timedelta, seconds_max: float) -> Sealed:
    """Seal the entries that were posted more than `lag` ago, oldest first, for `seconds_max`.

    Nothing is done while another run seals. Each batch of seals is a transaction of its own; an
    entry is left out as long as one that comes before it could still turn up.
    """
    _summarize_index()
    deadline = time.monotonic() + seconds_max
    seal_count = entry_count = 0
    while seals := _seal_batch(lag):
        seal_count += len(seals)
        entry_count += sum(seal.entry_count for seal in seals)
        if time.monotonic() >= deadline:
            break
    last = reads.find_last_seal()
    return Sealed(seal_count, entry_count, reads.head_of(last))


@retry_on_conflict
@transaction.atomic
def _seal_batch(lag: timedelta) -> list[Seal]:
    """The next seals of the chain; none where nothing waits, or another run is at it."""
    allow_long_statements(_STATEMENT_SECONDS)
    # Before anything is read: what commits later has been posted after it.
    horizon = reads.get_sealing_horizon(lag)
    with connection.cursor() as cursor:
        if not locks.try_lock_sealing(cursor):
            return []
    last = reads.find_last_seal()
    after = reads.position_after(last)
    seals: list[Seal] = []
    for entries in reads.list_entries_to_seal(after, before=horizon, limit=_BATCH_ENTRIES):
        last = _seal_of(last, entries)
        seals.append(last)
    return Seal.objects.bulk_create(seals)


def _seal_of(previous: Seal | None, entries: Sequence[SealedEntry]) -> Seal:
    number = previous.number + 1 if previous else 1
    previous_hash = previous.hash if previous else GENESIS_HASH
    digests = [entry_digest(entry) for entry in entries]
    return Seal(
        number=number,
        entry_count=len(entries),
        first_posted_at=entries[0].posted_at,
        last_posted_at=entries[-1].posted_at,
        last_entry_id=entries[-1].id,
        leaves=join_leaves([entry.id for entry in entries], digests),
        previous_hash=previous_hash,
        hash=seal_hash(previous_hash, number, digests),
    )


def _summarize_index() -> None:
    """Let the block-range index know the newest blocks, which it otherwise learns from a vacuum.

    A vacuum that is under way is not waited for, nor disturbed.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
            cursor.execute("SELECT brin_summarize_new_values('entry_by_time')")
    except OperationalError as error:
        if not is_conflict(error):
            raise
        _log.info("sealing reads blocks that the index does not know yet: a vacuum runs")
