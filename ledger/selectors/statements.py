"""Reads of what was booked on a client's accounts: newest first by page, oldest first in full.

The postings of one ledger account are in the order of `account_version`, which its lock gives out;
their ids and `posted_at` rise with it. So a page needs no index of its own: it is merged from the
ends of a few index ranges, and costs as much as it is deep, however large the table is.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from ledger.types import AccountKind, PostedLine, StatementSection

_CHUNK = 1_000

_COLUMNS = """
SELECT p.id, p.entry_id, e.kind, e.source_kind, e.source_id, e.memo, e.occurred_at, e.posted_at,
       s.code, a.kind, p.amount, p.balance_after, p.account_version
"""

_NEWEST_FIRST = f"""
{_COLUMNS}
  FROM ledger_ledgeraccount a
 CROSS JOIN LATERAL (
       SELECT * FROM ledger_posting q
        WHERE q.ledger_account_id = a.id AND (%(before)s::bigint IS NULL OR q.id < %(before)s)
        ORDER BY q.account_version DESC LIMIT %(limit)s) p
  JOIN ledger_journalentry e ON e.id = p.entry_id
  JOIN marketdata_asset s ON s.id = a.asset_id
 WHERE a.trading_account_id = %(account_id)s AND (%(asset)s::text IS NULL OR s.code = %(asset)s)
 ORDER BY p.id DESC LIMIT %(limit)s
"""

_NEXT_NEWER = f"""
{_COLUMNS}
  FROM ledger_ledgeraccount a
 CROSS JOIN LATERAL (
       SELECT coalesce(max(account_version), 0) AS version FROM (
              SELECT o.account_version FROM ledger_posting o
               WHERE o.ledger_account_id = a.id AND o.id <= %(after)s
               ORDER BY o.account_version DESC LIMIT 1) AS newest) seen
 CROSS JOIN LATERAL (
       SELECT * FROM ledger_posting q
        WHERE q.ledger_account_id = a.id AND q.account_version > seen.version
        ORDER BY q.account_version LIMIT %(limit)s) p
  JOIN ledger_journalentry e ON e.id = p.entry_id
  JOIN marketdata_asset s ON s.id = a.asset_id
 WHERE a.trading_account_id = %(account_id)s AND (%(asset)s::text IS NULL OR s.code = %(asset)s)
 ORDER BY p.id LIMIT %(limit)s
"""

_SECTIONS = """
SELECT a.id, s.code, a.kind, coalesce(p.account_version, 0), coalesce(p.balance_after, 0)
  FROM ledger_ledgeraccount a
  JOIN marketdata_asset s ON s.id = a.asset_id
  LEFT JOIN LATERAL (
       SELECT q.account_version, q.balance_after
         FROM ledger_posting q JOIN ledger_journalentry e ON e.id = q.entry_id
        WHERE q.ledger_account_id = a.id AND e.posted_at < %(since)s
        ORDER BY q.account_version DESC LIMIT 1) p ON true
 WHERE a.trading_account_id = %(account_id)s
   AND (%(ledger_account_id)s::bigint IS NULL OR a.id = %(ledger_account_id)s)
 ORDER BY s.code, a.kind
"""

_NEXT_LINES = f"""
{_COLUMNS}
  FROM ledger_posting p
  JOIN ledger_journalentry e ON e.id = p.entry_id
  JOIN ledger_ledgeraccount a ON a.id = p.ledger_account_id
  JOIN marketdata_asset s ON s.id = a.asset_id
 WHERE p.ledger_account_id = %(id)s AND p.account_version > %(version)s
   AND e.posted_at < %(until)s
 ORDER BY p.account_version LIMIT {_CHUNK}
"""


def list_posted_lines(
    account_id: int,
    *,
    limit: int,
    before: int | None = None,
    after: int | None = None,
    asset: str | None = None,
) -> list[PostedLine]:
    """Lines booked on a trading account's ledger accounts, newest first.

    `before` and `after` are posting ids, as `common.api.pagination` hands them out; with `after`
    the answer is oldest first.
    """
    query = _NEWEST_FIRST if after is None else _NEXT_NEWER
    given = {"account_id": account_id, "limit": limit, "asset": asset}
    return [_posted_line(row) for row in _rows(query, {**given, "before": before, "after": after})]


def list_statement_sections(
    account_id: int, *, since: datetime, ledger_account_id: int | None = None
) -> list[StatementSection]:
    """The ledger accounts of a trading account, or one, with their balance just before `since`."""
    given = {"account_id": account_id, "since": since, "ledger_account_id": ledger_account_id}
    return [
        StatementSection(id, asset, AccountKind(kind), version, balance)
        for id, asset, kind, version, balance in _rows(_SECTIONS, given)
    ]


def iterate_lines(section: StatementSection, *, until: datetime) -> Iterator[PostedLine]:
    """The lines of one ledger account from its opening up to (without) `until`, oldest first.

    Read in short statements of a thousand: what is booked never changes, so they fit together.
    """
    version = section.opening_version
    while True:
        given = {"id": section.ledger_account_id, "version": version, "until": until}
        rows = _rows(_NEXT_LINES, given)
        yield from map(_posted_line, rows)
        if len(rows) < _CHUNK:
            return
        version = rows[-1][-1]


def _rows(query: str, given: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, given)
        return cursor.fetchall()


def _posted_line(row: tuple[Any, ...]) -> PostedLine:
    return PostedLine(*row)
