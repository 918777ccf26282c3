"""Set-based reads and writes of positions by the engine, inside its transaction.

Money and quantities are integers of 10^-8 here; they are scaled in SQL. The engine is the one
writer of positions; whoever changes one has the account's collateral locked.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from common.money import to_units8
from common.postgres_arrays import integers
from common.postgres_pipeline import all_or_error
from margin.types import PositionRow

_COLUMNS = """
SELECT p.account_id, p.instrument_id, p.quantity, p.cost_basis, p.open_buy, p.open_sell,
       p.loss_reserve, p.realized_pnl, p.version
  FROM margin_position p
"""
_OF_INSTRUMENTS = _COLUMNS + " WHERE p.instrument_id = ANY(%s::bigint[])"
_SOME = (
    _COLUMNS
    + """
  JOIN unnest(%s::bigint[], %s::bigint[]) AS u (account_id, instrument_id)
 USING (account_id, instrument_id)
"""
)
# An engine that has lost the lead, or its memory, finds another version and writes nothing.
_STORE = all_or_error(
    """
INSERT INTO margin_position AS p
       (account_id, instrument_id, quantity, cost_basis, open_buy, open_sell, loss_reserve,
        realized_pnl, version, updated_at)
SELECT u.account_id, u.instrument_id, u.quantity * 0.00000001, u.cost_basis * 0.00000001,
       u.open_buy * 0.00000001, u.open_sell * 0.00000001, u.loss_reserve * 0.00000001,
       u.realized_pnl * 0.00000001, u.version, %s::timestamptz
  FROM unnest(%s::bigint[], %s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[],
              %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[])
       AS u (account_id, instrument_id, quantity, cost_basis, open_buy, open_sell, loss_reserve,
             realized_pnl, version)
    ON CONFLICT (account_id, instrument_id) DO UPDATE
   SET quantity = excluded.quantity, cost_basis = excluded.cost_basis,
       open_buy = excluded.open_buy, open_sell = excluded.open_sell,
       loss_reserve = excluded.loss_reserve, realized_pnl = excluded.realized_pnl,
       version = excluded.version, updated_at = excluded.updated_at
 WHERE p.version = excluded.version - 1
"""
)
_OWNERS = """
SELECT t.id, t.funding, t.broker_id,
       ARRAY(SELECT m.asset_id FROM margin_marginaccount m
              WHERE m.account_id = t.id AND m.is_frozen)
  FROM brokers_tradingaccount t WHERE t.id = ANY(%s::bigint[])
"""

Key = tuple[int, int]


def read_positions_of(executor: Any, instrument_ids: Iterable[int]) -> Iterator[PositionRow]:
    """All positions of some instruments."""
    return _rows(executor.execute(_OF_INSTRUMENTS, [integers(instrument_ids)]))


def read_positions(executor: Any, keys: Sequence[Key]) -> Iterator[PositionRow]:
    """The stored ones of some positions (account, instrument)."""
    accounts, instruments = zip(*keys, strict=True)
    return _rows(executor.execute(_SOME, [integers(accounts), integers(instruments)]))


def store_positions(executor: Any, rows: Sequence[PositionRow], *, now: datetime) -> None:
    """Insert or update positions in one statement, which fails unless it writes all of them.

    A new position has version 1, a changed one the version after the stored one.
    """
    columns = [integers(column) for column in zip(*rows, strict=True)]
    executor.execute(_STORE, [now, *columns, len(rows)])


def owners_statement(account_ids: Iterable[int]) -> tuple[str, list[str]]:
    """The statement that tells of accounts their funding, broker, and frozen assets."""
    return _OWNERS, [integers(account_ids)]


def _rows(cursor: Any) -> Iterator[PositionRow]:
    for account_id, instrument_id, *amounts, version in cursor:
        yield PositionRow._make((account_id, instrument_id, *map(to_units8, amounts), version))
