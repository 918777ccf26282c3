"""Making the ledger accounts that are missing: of clients, with their limits, and of the venue."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings

from common.postgres_arrays import integers, words
from ledger.bulk.sql import Cursor

ClientKey = tuple[int, int, str]
VenueKey = tuple[str, int, int]

# What is there is looked up, and what is not is made, in one statement; an id is not used up for
# what was there before. Funding decides how far below zero an account may go; collateral may, since
# a loss may exceed it.
_CLIENT_ACCOUNTS = """
WITH looked_up AS MATERIALIZED (
    SELECT k.trading_account_id, k.asset_id, k.kind, a.id
      FROM {before} unnest(%s::bigint[], %s::bigint[], %s::text[])
           AS k (trading_account_id, asset_id, kind)
      LEFT JOIN ledger_ledgeraccount a USING (trading_account_id, asset_id, kind)
), made AS (
    INSERT INTO ledger_ledgeraccount (trading_account_id, asset_id, kind, overdraft_limit)
    SELECT k.trading_account_id, k.asset_id, k.kind,
           CASE WHEN k.kind = 'MARGIN' THEN NULL
                WHEN t.funding = 'PREFUNDED' THEN 0
                WHEN t.credit_limit IS NULL OR k.kind = 'SECURITY' THEN NULL
                WHEN s.code = %s THEN t.credit_limit
                ELSE 0 END
      FROM looked_up k
      JOIN brokers_tradingaccount t ON t.id = k.trading_account_id
      JOIN marketdata_asset s ON s.id = k.asset_id
     WHERE k.id IS NULL
     ORDER BY 1, 2, 3
        ON CONFLICT DO NOTHING
    RETURNING trading_account_id, asset_id, kind, id
)
SELECT * FROM looked_up WHERE id IS NOT NULL UNION ALL SELECT * FROM made
"""

_VENUE_ACCOUNTS = """
WITH looked_up AS MATERIALIZED (
    SELECT k.kind, k.asset_id, k.shard, a.id
      FROM {before} unnest(%s::text[], %s::bigint[], %s::smallint[]) AS k (kind, asset_id, shard)
      LEFT JOIN ledger_ledgeraccount a
             ON (a.kind, a.asset_id, a.shard) = (k.kind, k.asset_id, k.shard)
            AND a.trading_account_id IS NULL
), made AS (
    INSERT INTO ledger_ledgeraccount (kind, asset_id, shard)
    SELECT kind, asset_id, shard FROM looked_up WHERE id IS NULL
     ORDER BY 1, 2, 3
        ON CONFLICT DO NOTHING
    RETURNING kind, asset_id, shard, id
)
SELECT * FROM looked_up WHERE id IS NOT NULL UNION ALL SELECT * FROM made
"""

# In effect until the transaction of the statement ends.
_WITHOUT_FLUSH = "(SELECT set_config('synchronous_commit', 'off', true)) AS flush CROSS JOIN"


def ensure_client_accounts(
    cursor: Cursor, keys: Iterable[ClientKey], *, is_flushed: bool = True
) -> dict[ClientKey, int]:
    """Ids of the ledger accounts `(trading_account_id, asset_id, kind)`, made where missing.

    How far below zero a new one may go follows from the account's funding. Keys of trading accounts
    or assets that do not exist are left out of the answer.

    Args:
        is_flushed: False, in a transaction of its own alone: the disk is not waited for. It is
            enough where what depends on the accounts is committed later by the same session.
    """
    return _ensure(cursor, keys, _CLIENT_ACCOUNTS, [settings.VENUE_CURRENCY], is_flushed)


def ensure_venue_accounts(
    cursor: Cursor, keys: Iterable[VenueKey], *, is_flushed: bool = True
) -> dict[VenueKey, int]:
    """Ids of the venue's ledger accounts `(kind, asset_id, shard)`, made where missing.

    `is_flushed`: as for clients.
    """
    return _ensure(cursor, keys, _VENUE_ACCOUNTS, [], is_flushed)


def _ensure(
    cursor: Cursor, keys: Iterable[Any], statement: str, params: list[Any], is_flushed: bool
) -> dict[Any, int]:
    """Once, and once more for those that another session has just made."""
    query = statement.format(before="" if is_flushed else _WITHOUT_FLUSH)
    found: dict[Any, int] = {}
    missing = set(keys)
    for _ in range(2):
        if missing:
            cursor.execute(query, [*_columns(missing), *params])
            found |= {tuple(key): id for *key, id in cursor.fetchall()}
            missing -= found.keys()
    return found


def _columns(keys: set[Any]) -> list[str]:
    return [
        words(column) if isinstance(column[0], str) else integers(column)
        for column in zip(*sorted(keys), strict=True)
    ]
