"""Making the ledger accounts that are missing: of clients, with their limits, and of the venue."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings

from common.postgres_arrays import integers, words
from ledger.bulk.sql import Cursor

ClientKey = tuple[int, int, str]
VenueKey = tuple[str, int, int]

_FIND_CLIENT_ACCOUNTS = """
SELECT a.trading_account_id, a.asset_id, a.kind, a.id
  FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (trading_account_id, asset_id, kind)
  JOIN ledger_ledgeraccount a USING (trading_account_id, asset_id, kind)
"""

# Funding decides how far below zero an account may go; collateral may, since a loss may exceed it.
_MAKE_CLIENT_ACCOUNTS = """
INSERT INTO ledger_ledgeraccount (trading_account_id, asset_id, kind, overdraft_limit)
SELECT k.trading_account_id, k.asset_id, k.kind,
       CASE WHEN k.kind = 'MARGIN' THEN NULL
            WHEN t.funding = 'PREFUNDED' THEN 0
            WHEN t.credit_limit IS NULL OR k.kind = 'SECURITY' THEN NULL
            WHEN s.code = %s THEN t.credit_limit
            ELSE 0 END
  FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (trading_account_id, asset_id, kind)
  JOIN brokers_tradingaccount t ON t.id = k.trading_account_id
  JOIN marketdata_asset s ON s.id = k.asset_id
 ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING
"""

_FIND_VENUE_ACCOUNTS = """
SELECT a.kind, a.asset_id, a.shard, a.id
  FROM unnest(%s::text[], %s::bigint[], %s::smallint[]) AS k (kind, asset_id, shard)
  JOIN ledger_ledgeraccount a USING (kind, asset_id, shard) WHERE a.trading_account_id IS NULL
"""

_MAKE_VENUE_ACCOUNTS = """
INSERT INTO ledger_ledgeraccount (kind, asset_id, shard)
SELECT k.kind, k.asset_id, k.shard
  FROM unnest(%s::text[], %s::bigint[], %s::smallint[]) AS k (kind, asset_id, shard)
 ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING
"""


def ensure_client_accounts(cursor: Cursor, keys: Iterable[ClientKey]) -> dict[ClientKey, int]:
    """Ids of the ledger accounts `(trading_account_id, asset_id, kind)`, made where missing.

    How far below zero a new one may go follows from the account's funding. Keys of trading accounts
    or assets that do not exist are left out of the answer.
    """
    return _ensure(
        cursor, keys, _FIND_CLIENT_ACCOUNTS, _MAKE_CLIENT_ACCOUNTS, [settings.VENUE_CURRENCY]
    )


def ensure_venue_accounts(cursor: Cursor, keys: Iterable[VenueKey]) -> dict[VenueKey, int]:
    """Ids of the venue's ledger accounts `(kind, asset_id, shard)`, made where missing."""
    return _ensure(cursor, keys, _FIND_VENUE_ACCOUNTS, _MAKE_VENUE_ACCOUNTS, [])


def _ensure(
    cursor: Cursor, keys: Iterable[Any], find: str, make: str, make_params: list[Any]
) -> dict[Any, int]:
    """Find, make what is missing, find that: an id is not used up for what was there before."""
    wanted = set(keys)
    found = _find(cursor, find, wanted)
    missing = wanted - found.keys()
    if missing:
        cursor.execute(make, [*make_params, *_columns(missing)])
        found |= _find(cursor, find, missing)
    return found


def _find(cursor: Cursor, find: str, keys: set[Any]) -> dict[Any, int]:
    if not keys:
        return {}
    cursor.execute(find, _columns(keys))
    return {(first, second, third): id for first, second, third, id in cursor.fetchall()}


def _columns(keys: set[Any]) -> list[str]:
    return [
        words(column) if isinstance(column[0], str) else integers(column)
        for column in zip(*sorted(keys), strict=True)
    ]
