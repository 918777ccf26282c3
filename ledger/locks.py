"""Every lock of the ledger's services, in the one order: source, trading account, ledger accounts.

A source is also the request or the quote that an entry follows from. Ledger accounts are locked in
the order of their ids (`ledger.bulk.lock_rows`), as the engine does.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Model, QuerySet

from brokers.errors import AccountNotFound
from brokers.models import TradingAccount
from common.errors import NotFound
from common.postgres_arrays import integers
from ledger.batch import LedgerRow
from ledger.bulk import lock_rows
from ledger.bulk.sql import Cursor, Statement
from ledger.errors import (
    QuoteNotFound,
    RequestNotFound,
    TransferNotFound,
    UnknownEntry,
    WalletNotFound,
)
from ledger.models import (
    ConversionQuote,
    EntrySource,
    JournalEntry,
    LedgerAccount,
    MoneyRequest,
    Transfer,
)

Row = TypeVar("Row", bound=Model)

# The key of the advisory lock of who seals.
_SEALING_LOCK = 0x7365616C

_CLAIM_SOURCE = """
INSERT INTO ledger_entrysource (kind, source_id, entry_id) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING entry_id
"""

_TRY_LOCK_KEYS = """
SELECT pg_try_advisory_xact_lock(number)
  FROM unnest(%s::bigint[]) WITH ORDINALITY AS u (number, n) ORDER BY n
"""


def try_lock_keys_statement(names: Sequence[tuple[str, str]]) -> Statement:
    """The statement that locks Idempotency-Keys `(owner, key)` until the transaction ends.

    It waits for nobody: for each key, in their order, it tells whether the lock was to be had.
    """
    return _TRY_LOCK_KEYS, [integers(_lock_number(*name) for name in names)]


def claim_source(cursor: Cursor, *, kind: str, source_id: UUID, entry_id: UUID) -> UUID:
    """The entry that books this source: `entry_id`, or the one that claimed it before.

    Waits for a transaction that is about to claim the same source.
    """
    cursor.execute(_CLAIM_SOURCE, [kind, source_id, entry_id])
    if cursor.fetchall():
        return entry_id
    return EntrySource.objects.get(kind=kind, source_id=source_id).entry_id


def lock_entry(entry_id: UUID) -> JournalEntry:
    """The entry that is to be reversed, locked until the transaction ends: one asks at a time.

    Raises:
        UnknownEntry: there is none of that id.
    """
    return _locked(JournalEntry.objects.all(), entry_id, UnknownEntry(entry_id=entry_id))


def lock_request(request_id: UUID) -> MoneyRequest:
    """The request for money, locked until the transaction ends.

    Raises:
        RequestNotFound: there is none of that id.
    """
    return _locked(MoneyRequest.objects.all(), request_id, RequestNotFound(request_id=request_id))


def lock_quote(quote_id: UUID) -> ConversionQuote:
    """The quote, locked until the transaction ends.

    Raises:
        QuoteNotFound: there is none of that id.
    """
    return _locked(ConversionQuote.objects.all(), quote_id, QuoteNotFound(quote_id=quote_id))


def lock_transfer(transfer_id: UUID) -> Transfer:
    """The transfer with its asset, locked until the transaction ends.

    Raises:
        TransferNotFound: there is none of that id.
    """
    transfers = Transfer.objects.select_related("asset")
    return _locked(transfers, transfer_id, TransferNotFound(transfer_id=transfer_id))


def lock_due_transfers(now: datetime, *, limit: int) -> list[Transfer]:
    """Pending transfers whose time is over, locked; those that others work on are left to them."""
    return list(
        Transfer.objects.select_for_update(no_key=True, skip_locked=True)
        .filter(status=Transfer.Status.PENDING, expires_at__lte=now)
        .order_by("expires_at")[:limit]
    )


def lock_trading_account(account_id: int) -> TradingAccount:
    """The trading account, locked until the transaction ends.

    Raises:
        AccountNotFound: there is none of that id.
    """
    return _locked(TradingAccount.objects.all(), account_id, AccountNotFound(account_id=account_id))


def lock_wallet(wallet_id: int) -> LedgerAccount:
    """The wallet with its asset and account, locked until the transaction ends.

    Raises:
        WalletNotFound: there is none of that id.
    """
    wallets = LedgerAccount.objects.filter(kind=LedgerAccount.Kind.CASH)
    wallets = wallets.select_related("asset", "trading_account")
    return _locked(wallets, wallet_id, WalletNotFound(wallet_id=wallet_id))


def lock_ledger_accounts(cursor: Cursor, ids: set[int]) -> dict[int, LedgerRow]:
    """The ledger accounts by id, locked until the transaction ends."""
    return {row.id: row for row in lock_rows(cursor, ids)}


def lock_balances_of(account_id: int) -> None:
    """Lock all ledger accounts that a trading account has, so that nothing comes or goes."""
    rows = LedgerAccount.objects.filter(trading_account=account_id).values_list("id", flat=True)
    with connection.cursor() as cursor:
        lock_ledger_accounts(cursor, set(rows))


def try_lock_sealing(cursor: Cursor) -> bool:
    """Whether this transaction is now the only one that seals; it does not wait to become it."""
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SEALING_LOCK])
    return bool(cursor.fetchall()[0][0])


def _locked(rows: QuerySet[Row], row_id: UUID | int, missing: NotFound) -> Row:
    """The row of that id alone, without those that come with it, locked; else `missing`."""
    row = rows.select_for_update(no_key=True, of=("self",)).filter(id=row_id).first()
    if row is None:
        raise missing
    return row


def _lock_number(owner: str, key: str) -> int:
    digest = hashlib.sha256(f"idempotency {owner} {key}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
