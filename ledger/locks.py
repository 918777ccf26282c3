"""Every lock of the ledger's services, in the one order: source, trading account, ledger accounts.

Ledger accounts are locked in the order of their ids (`ledger.bulk.lock_rows`), as the engine does.
"""

from uuid import UUID

from brokers.errors import AccountNotFound
from brokers.models import TradingAccount
from ledger.bulk import LedgerRow, lock_rows
from ledger.bulk.sql import Cursor
from ledger.models import EntrySource

_CLAIM_SOURCE = """
INSERT INTO ledger_entrysource (kind, source_id, entry_id) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING entry_id
"""


def claim_source(cursor: Cursor, *, kind: str, source_id: UUID, entry_id: UUID) -> UUID:
    """The entry that books this source: `entry_id`, or the one that claimed it before.

    Waits for a transaction that is about to claim the same source.
    """
    cursor.execute(_CLAIM_SOURCE, [kind, source_id, entry_id])
    if cursor.fetchall():
        return entry_id
    return EntrySource.objects.get(kind=kind, source_id=source_id).entry_id


def lock_trading_account(account_id: int) -> TradingAccount:
    """The trading account, locked until the transaction ends.

    Raises:
        AccountNotFound: there is none of that id.
    """
    try:
        return TradingAccount.objects.select_for_update(no_key=True).get(id=account_id)
    except TradingAccount.DoesNotExist as error:
        raise AccountNotFound(account_id=account_id) from error


def lock_ledger_accounts(cursor: Cursor, ids: set[int]) -> dict[int, LedgerRow]:
    """The ledger accounts by id, locked until the transaction ends."""
    return {row.id: row for row in lock_rows(cursor, ids)}
