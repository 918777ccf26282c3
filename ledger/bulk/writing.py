"""Locking of ledger accounts, and the three statements that store a batch."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from common.money import UNITS8
from common.postgres_arrays import amounts, bigints, texts, uuids, words
from common.postgres_pipeline import all_or_error
from ledger.batch import Entry, LedgerBatch, LedgerRow, PostingLine
from ledger.bulk.accounts import ClientKey
from ledger.bulk.sql import Cursor, Executor, Rows, Statement

_LOCK_ROWS = f"""
SELECT id, asset_id, trunc(posted_balance * {UNITS8})::text, trunc(held_amount * {UNITS8})::text,
       trunc(overdraft_limit * {UNITS8})::text, version, status
  FROM ledger_ledgeraccount WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""


def lock_statement(ids: Iterable[int]) -> Statement:
    """The statement that locks accounts in the order of their ids; `read_rows` takes its answer."""
    return _LOCK_ROWS, [bigints(sorted(ids))]


def read_rows(cursor: Rows) -> list[LedgerRow]:
    """The locked accounts that the statement of `lock_statement` found, exact in units8."""
    return [
        LedgerRow(id, asset_id, int(posted), int(held), limit and int(limit), version, status)
        for id, asset_id, posted, held, limit, version, status in cursor.fetchall()
    ]


def lock_rows(cursor: Cursor, ids: Iterable[int]) -> list[LedgerRow]:
    """Lock accounts until the transaction ends, in the order of their ids, and read them."""
    cursor.execute(*lock_statement(ids))
    return read_rows(cursor)


_LOCK_OWNED_ROWS = f"""
WITH wanted AS MATERIALIZED (
    SELECT unnest(%s::bigint[]) AS id
     UNION ALL
    SELECT a.id
      FROM generate_series(1, %s) AS i
      JOIN ledger_ledgeraccount a
        ON (a.trading_account_id, a.asset_id, a.kind) = ((%s)[i], (%s)[i], (%s::text[])[i])
)
SELECT a.id, a.asset_id, trunc(a.posted_balance * {UNITS8})::text,
       trunc(a.held_amount * {UNITS8})::text, trunc(a.overdraft_limit * {UNITS8})::text, a.version,
       a.status, a.trading_account_id
  FROM wanted JOIN ledger_ledgeraccount a USING (id)
 ORDER BY a.id FOR NO KEY UPDATE OF a
"""


def lock_owned_statement(ids: Iterable[int], keys: Sequence[ClientKey]) -> Statement:
    """The statement that locks accounts by id, and clients' accounts by what they are of.

    All in the order of their ids; `read_owned_rows` takes its answer. Keys without an account are
    left out.
    """
    accounts, assets, kinds = zip(*keys, strict=True)
    columns = [bigints(accounts), bigints(assets), words(kinds)]
    return _LOCK_OWNED_ROWS, [bigints(ids), len(keys), *columns]


def read_owned_rows(rows: Rows) -> list[tuple[int | None, LedgerRow]]:
    """The locked accounts of `lock_owned_statement`, each with its trading account."""
    return [
        (
            owner,
            LedgerRow(id, asset_id, int(posted), int(held), limit and int(limit), version, status),
        )
        for id, asset_id, posted, held, limit, version, status, owner in rows.fetchall()
    ]


_INSERT_ENTRIES = """
INSERT INTO ledger_journalentry
       (id, kind, source_kind, source_id, actor, memo, occurred_at, posted_at)
SELECT u.id, u.kind, u.source_kind, u.source_id, coalesce(u.actor, %s), coalesce(u.memo, ''),
       %s::timestamptz, clock_timestamp()
  FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::uuid[], %s::text[], %s::text[])
       AS u (id, kind, source_kind, source_id, memo, actor)
"""

_INSERT_POSTINGS = """
INSERT INTO ledger_posting
       (entry_id, ledger_account_id, asset_id, amount, balance_after, account_version)
SELECT (%s)[i], (%s)[i], (%s)[i], (%s)[i] * 0.00000001, (%s)[i] * 0.00000001, (%s)[i]
  FROM generate_series(1, %s) AS i
"""

_UPDATE_BALANCES = """
UPDATE ledger_ledgeraccount AS a
   SET posted_balance = (%s)[i] * 0.00000001, held_amount = (%s)[i] * 0.00000001,
       version = (%s)[i]
  FROM generate_series(1, %s) AS i
 WHERE a.id = (%s)[i]
"""
_UPDATE_BALANCES_OR_FAIL = all_or_error(_UPDATE_BALANCES)


class Written:
    """What `write` sent: `check` it when the answers are there (in a pipeline: after its sync)."""

    __slots__ = ("_result", "_row_count")

    def __init__(self, result: Any, row_count: int) -> None:
        self._result = result
        self._row_count = row_count

    def check(self) -> None:
        """Assert that every changed balance was found and updated.

        With a cursor of one's own for all statements, call it before the next one is executed.
        """
        if self._row_count:
            found = self._result.rowcount
            assert found == self._row_count, f"{found} of {self._row_count} balances updated"


def write(
    executor: Executor, batch: LedgerBatch, *, actor: str | Sequence[str], occurred_at: datetime
) -> Written:
    """Insert the entries and postings of `batch` and update its balances: a statement each.

    `actor` is one for all entries, or one for each.

    Raises (now, or at the pipeline's sync):
        IntegrityError: a named constraint of the ledger refused it.
    """
    write_entries(executor, batch, actor=actor, occurred_at=occurred_at)
    return write_balances(executor, batch)


def write_entries(
    executor: Executor, batch: LedgerBatch, *, actor: str | Sequence[str], occurred_at: datetime
) -> None:
    """Insert the entries and postings since the last call; `write_balances` ends the batch."""
    if batch.entries:
        executor.execute(*_entries_statement(batch.entries, actor, occurred_at))
        batch.entries = []
    if batch.postings:
        executor.execute(*_postings_statement(batch.postings))
        batch.postings = []


def write_balances(executor: Executor, batch: LedgerBatch) -> Written:
    """Update the balances that the batch changed. Raises as `write` does."""
    rows = batch.dirty_rows()
    result = executor.execute(*_balances_statement(rows)) if rows else None
    return Written(result, len(rows))


def write_balances_or_fail(executor: Executor, batch: LedgerBatch) -> None:
    """Update the balances that the batch changed, in a statement that fails unless it finds all.

    For a caller that sends COMMIT without waiting for the replies. Raises as `write` does.
    """
    rows = batch.dirty_rows()
    if rows:
        _statement, columns = _balances_statement(rows)
        executor.execute(_UPDATE_BALANCES_OR_FAIL, [*columns, len(rows)])


def _entries_statement(
    entries: list[Entry], actor: str | Sequence[str], occurred_at: datetime
) -> Statement:
    ids, kinds, source_kinds, source_ids, memos = zip(*entries, strict=True)
    # Shorter arrays are padded with NULL: the engine has no memos to send.
    memo_array = texts(memos) if any(memos) else "{}"
    actor, actor_array = (actor, "{}") if isinstance(actor, str) else ("", texts(actor))
    columns = [uuids(ids), words(kinds), words(source_kinds), uuids(source_ids), memo_array]
    return _INSERT_ENTRIES, [actor, occurred_at, *columns, actor_array]


def _postings_statement(postings: list[PostingLine]) -> Statement:
    entry_ids, account_ids, asset_ids, changes, balances, versions = zip(*postings, strict=True)
    return _INSERT_POSTINGS, [
        uuids(entry_ids),
        bigints(account_ids),
        bigints(asset_ids),
        amounts(changes),
        amounts(balances),
        bigints(versions),
        len(postings),
    ]


def _balances_statement(rows: list[LedgerRow]) -> Statement:
    return _UPDATE_BALANCES, [
        amounts([row.posted for row in rows]),
        amounts([row.held for row in rows]),
        bigints([row.version for row in rows]),
        len(rows),
        bigints([row.id for row in rows]),
    ]
