"""Wallets under lock, with what decides whether they send and take money."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from common.postgres_arrays import integers
from ledger.batch import LedgerRow
from ledger.bulk.writing import lock_statement, read_rows

_DESCRIBE = """
SELECT a.id, s.code, s.scale, a.status, t.id, t.status, t.broker_id
  FROM ledger_ledgeraccount a
  JOIN brokers_tradingaccount t ON t.id = a.trading_account_id
  JOIN marketdata_asset s ON s.id = a.asset_id
 WHERE a.id = ANY(%s::bigint[]) AND a.kind = 'CASH'
"""


@dataclass(frozen=True, slots=True)
class LockedWallet:
    """A client's cash account whose row is locked; its trading account is not."""

    row: LedgerRow
    currency: str
    scale: int
    status: str
    account_id: int
    account_status: str
    broker_id: UUID


def lock_wallets(executor: Any, ids: set[int]) -> dict[int, LockedWallet]:
    """Those of the ledger accounts that are wallets, locked until the transaction ends.

    `executor` is a connection in pipeline mode: one round trip. What else decides is read after
    the locks.
    """
    locked = executor.execute(*lock_statement(ids))
    described = executor.execute(_DESCRIBE, [integers(ids)])
    facts = {id: described for id, *described in described.fetchall()}
    return {
        row.id: LockedWallet(row, *facts[row.id]) for row in read_rows(locked) if row.id in facts
    }
