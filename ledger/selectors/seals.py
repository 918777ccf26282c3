"""Reads of the chain of seals: entries in its order, and how far it may go.

`posted_at` has a block-range index alone, so entries are read by short spans of time.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from common.database import get_commit_horizon
from ledger.models import Seal
from ledger.sealing import BEGINNING, Position, SealedEntry, SealedPosting

_CHUNK = 1_000
_FIRST_SPAN = timedelta(seconds=10)
_SPAN_GROWTH = 8
_NIL = UUID(int=0)

_COLUMNS = "id, kind, source_kind, source_id, actor, memo, occurred_at, posted_at"

# The plain bounds of posted_at are for the index, which cannot compare pairs.
_HEADERS = f"""
SELECT {_COLUMNS} FROM ledger_journalentry
 WHERE posted_at BETWEEN %(after_at)s AND %(until_at)s
   AND (posted_at, id) > (%(after_at)s, %(after_id)s)
   AND (posted_at, id) <= (%(until_at)s, %(until_id)s)
 ORDER BY posted_at, id LIMIT %(limit)s
"""

_HEADERS_BY_ID = f"SELECT {_COLUMNS} FROM ledger_journalentry WHERE id = ANY(%s)"

_POSTINGS = """
SELECT entry_id, id, ledger_account_id, asset_id, amount, balance_after, account_version
  FROM ledger_posting WHERE entry_id = ANY(%s) ORDER BY id
"""

_HAS_UNSEALED = """
SELECT EXISTS (SELECT 1 FROM ledger_journalentry
                WHERE (posted_at, id) > (%s, %s) AND posted_at >= %s AND posted_at < %s)
"""

_FIRST_POSTED_AT = "SELECT min(posted_at) FROM ledger_journalentry"

Header = tuple[Any, ...]


def find_last_seal() -> Seal | None:
    """The head of the chain, without its leaves; None where nothing is sealed yet."""
    return Seal.objects.defer("leaves").order_by("number").last()


def list_seals(*, from_number: int, limit: int) -> list[Seal]:
    """The first seals from this number on, with their leaves, in order."""
    return list(Seal.objects.filter(number__gte=from_number).order_by("number")[:limit])


def head_of(seal: Seal | None) -> str:
    """The seal as `number:hash`, to be kept elsewhere; empty for none."""
    return f"{seal.number}:{seal.hash}" if seal else ""


def position_after(seal: Seal | None) -> Position:
    """Where the seal that follows begins (without this position itself)."""
    return Position(seal.last_posted_at, seal.last_entry_id) if seal else BEGINNING


def get_sealing_horizon(lag: timedelta) -> datetime:
    """The instant before which no entry can turn up any more, at least `lag` ago."""
    _now, horizon = get_commit_horizon(lag)
    return horizon


def list_entries_to_seal(
    after: Position, *, before: datetime, limit: int
) -> Iterator[list[SealedEntry]]:
    """The next entries of the chain, in chunks of as many as a seal takes; at most `limit`.

    Less than `limit` may come although there are more; none, only if there is none.
    """
    headers = _next_headers(after, before, limit)
    for start in range(0, len(headers), _CHUNK):
        yield _with_postings(headers[start : start + _CHUNK])


def list_entries_between(after: Position, until: Position, *, limit: int) -> list[SealedEntry]:
    """At most `limit` entries, without the one at `after` and with that at `until`, in order."""
    headers = _headers_between(after, until, limit)
    chunks = range(0, len(headers), _CHUNK)
    return [one for start in chunks for one in _with_postings(headers[start : start + _CHUNK])]


def get_entries_by_id(ids: Sequence[UUID]) -> dict[UUID, SealedEntry]:
    """Those of the entries that there are."""
    headers = _rows(_HEADERS_BY_ID, [list(ids)])
    return {entry.id: entry for entry in _with_postings(headers)}


def has_unsealed_entry(*, before: datetime) -> bool:
    """Whether an entry that was posted before this instant waits for its seal."""
    after = position_after(find_last_seal())
    [(is_there,)] = _rows(_HAS_UNSEALED, [*after, after.posted_at, before])
    return bool(is_there)


def _next_headers(after: Position, before: datetime, limit: int) -> Sequence[Header]:
    """The first entries after a position, from as short a span of time as fills a seal."""
    start = after.posted_at
    if after == BEGINNING:
        [(start,)] = _rows(_FIRST_POSTED_AT, [])
    span = _FIRST_SPAN
    headers: Sequence[Header] = []
    while start is not None and start < before and len(headers) < _CHUNK:
        end = min(start + span, before)
        headers = _headers_between(after, Position(end, _NIL), limit)
        if end == before:
            break
        span *= _SPAN_GROWTH
    return headers


def _headers_between(after: Position, until: Position, limit: int) -> Sequence[Header]:
    given = {
        "after_at": after.posted_at,
        "after_id": after.entry_id,
        "until_at": until.posted_at,
        "until_id": until.entry_id,
        "limit": limit,
    }
    return _rows(_HEADERS, given)


def _with_postings(headers: Sequence[Header]) -> list[SealedEntry]:
    """The entries of these rows."""
    postings: dict[UUID, list[SealedPosting]] = defaultdict(list)
    for entry_id, *columns in _rows(_POSTINGS, [[header[0] for header in headers]]):
        postings[entry_id].append(SealedPosting(*columns))
    return [_entry(header, postings[header[0]]) for header in headers]


def _entry(header: Header, postings: list[SealedPosting]) -> SealedEntry:
    return SealedEntry._make((*header, tuple(postings)))


def _rows(query: str, given: Any) -> Sequence[Header]:
    with connection.cursor() as cursor:
        cursor.execute(query, given)
        return cursor.fetchall()
