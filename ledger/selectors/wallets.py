"""Wallets: the cash accounts of clients, and what they held at any instant."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from brokers.errors import OtherAccount
from brokers.types import Principal
from common.limits import BIGINT_MAX
from ledger.errors import WalletNotFound
from ledger.models import LedgerAccount
from ledger.types import Wallet

# Versions are without gaps and posted_at rises with them, so the last one of an instant is found by
# halving: some twenty looks at two primary keys, however long the history.
_BALANCE_AT = """
WITH RECURSIVE search (low, high) AS (
     SELECT 0::bigint, version FROM ledger_ledgeraccount WHERE id = %(id)s
     UNION ALL
     SELECT CASE WHEN e.posted_at < %(at)s THEN p.account_version ELSE s.low END,
            CASE WHEN e.posted_at < %(at)s THEN s.high ELSE p.account_version - 1 END
       FROM search s
       JOIN ledger_posting p
         ON p.ledger_account_id = %(id)s AND p.account_version = (s.low + s.high + 1) / 2
       JOIN ledger_journalentry e ON e.id = p.entry_id
      WHERE s.low < s.high)
SELECT s.low, coalesce(p.balance_after, 0)
  FROM search s
  LEFT JOIN ledger_posting p ON p.ledger_account_id = %(id)s AND p.account_version = s.low
 WHERE s.low = s.high
"""


@dataclass(frozen=True, slots=True)
class BalanceAt:
    """What was posted on a wallet before an instant, and the version it was at."""

    posted_balance: Decimal
    version: int


def list_wallets(
    *,
    broker_id: UUID,
    account_id: int | None = None,
    currency: str | None = None,
    status: str | None = None,
) -> QuerySet[LedgerAccount]:
    """The wallets of a broker's accounts, or of one of them."""
    wallets = LedgerAccount.objects.filter(
        kind=LedgerAccount.Kind.CASH, trading_account__broker_id=broker_id
    ).select_related("asset", "trading_account")
    if account_id is not None:
        wallets = wallets.filter(trading_account_id=account_id)
    if currency is not None:
        wallets = wallets.filter(asset__code=currency)
    return wallets if status is None else wallets.filter(status=status)


def get_wallet_row(wallet_id: int) -> LedgerAccount:
    """A wallet with its trading account and asset, of whichever broker.

    Raises:
        WalletNotFound: there is none.
    """
    row = None
    if 0 < wallet_id <= BIGINT_MAX:
        row = (
            LedgerAccount.objects.filter(id=wallet_id, kind=LedgerAccount.Kind.CASH)
            .select_related("asset", "trading_account")
            .first()
        )
    if row is None:
        raise WalletNotFound(wallet_id=wallet_id)
    return row


def get_wallet(wallet_id: int, *, principal: Principal) -> Wallet:
    """A wallet of the caller's.

    Raises:
        WalletNotFound, OtherAccount: there is none, or it is somebody else's.
    """
    wallet = wallet_of(get_wallet_row(wallet_id))
    is_bound_elsewhere = principal.account_id not in (None, wallet.account_id)
    if wallet.broker_id != principal.broker_id or is_bound_elsewhere:
        raise OtherAccount()
    return wallet


def wallet_of(row: LedgerAccount) -> Wallet:
    """The row, read with its asset and account, as a plain value."""
    assert row.trading_account is not None
    return Wallet(
        id=row.id,
        account_id=row.trading_account.id,
        broker_id=row.trading_account.broker_id,
        currency=row.asset.code,
        status=row.status,
        posted_balance=row.posted_balance,
        held_amount=row.held_amount,
        overdraft_limit=row.overdraft_limit,
        version=row.version,
        opened_at=row.opened_at,
    )


def get_balance_at(wallet_id: int, at: datetime) -> BalanceAt:
    """What had been posted on a wallet before `at`, by the `posted_at` of its entries."""
    with connection.cursor() as cursor:
        cursor.execute(_BALANCE_AT, {"id": wallet_id, "at": at})
        version, balance = cursor.fetchall()[0]
    return BalanceAt(balance, version)
