"""Wallets: opened in a currency, suspended, activated, closed."""

from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from brokers.models import TradingAccount
from common.database import retry_on_conflict
from ledger import locks
from ledger.bulk import ensure_client_accounts
from ledger.errors import (
    AccountNotActive,
    WalletExists,
    WalletInUse,
    WalletNotActive,
    WalletNotEmpty,
)
from ledger.models import LedgerAccount, MoneyRequest, Transfer
from ledger.selectors.wallets import wallet_of
from ledger.types import AccountKind, Wallet
from marketdata.services import ensure_currency
from oversight.services.records import record

_Status = LedgerAccount.Status


@retry_on_conflict
@transaction.atomic
def open_wallet(*, account_id: int, currency: str) -> Wallet:
    """Open a wallet of the account in a currency, or a closed one again.

    Raises:
        AccountNotFound, AccountNotActive: there is no such account, or it is not active.
        UnknownCurrency: not of ISO 4217, and no crypto currency that the venue lists.
        WalletExists: the account has one in this currency, active or suspended.
    """
    asset = ensure_currency(currency)
    account = locks.lock_trading_account(account_id)
    check_account_active(account)
    wallet = LedgerAccount.objects.filter(
        trading_account=account, asset=asset, kind=AccountKind.CASH
    ).first()
    if wallet is not None:
        if wallet.status != _Status.CLOSED:
            raise WalletExists(wallet_id=wallet.id, wallet_status=wallet.status)
        return _set_status(wallet.id, _Status.ACTIVE)
    key = (account_id, asset.id, AccountKind.CASH.value)
    with connection.cursor() as cursor:
        wallet_id = ensure_client_accounts(cursor, [key])[key]
    return wallet_of(locks.lock_wallet(wallet_id))


@retry_on_conflict
@transaction.atomic
def suspend_wallet(*, wallet_id: int) -> Wallet:
    """Let only staff debit and credit an active wallet; what is held stays held.

    Orders that would are refused, and those that rest are canceled when they are met.

    Raises:
        WalletNotFound: there is none.
        WalletNotActive: it is suspended or closed.
    """
    check_wallet_active(locks.lock_wallet(wallet_id))
    return _set_status(wallet_id, _Status.SUSPENDED)


@retry_on_conflict
@transaction.atomic
def activate_wallet(*, wallet_id: int) -> Wallet:
    """Let a suspended or closed wallet be debited and credited again.

    Raises:
        WalletNotFound: there is none.
    """
    return _set_status(wallet_id, _Status.ACTIVE)


@retry_on_conflict
@transaction.atomic
def close_wallet(*, wallet_id: int) -> Wallet:
    """Close an active wallet that is empty; `open_wallet` opens it again.

    `orders.services.wallets.close_unused_wallet` checks before that no open order uses it.

    Raises:
        WalletNotFound: there is none.
        WalletNotActive: it is suspended or closed.
        WalletNotEmpty: it has a balance, or holds.
        WalletInUse: money may still come: a transfer or a deposit is pending, or the account has
            collateral in the currency.
    """
    wallet = locks.lock_wallet(wallet_id)
    check_wallet_active(wallet)
    if wallet.posted_balance or wallet.held_amount:
        raise WalletNotEmpty(posted_balance=wallet.posted_balance, held_amount=wallet.held_amount)
    _check_unused(wallet)
    return _set_status(wallet_id, _Status.CLOSED)


def _check_unused(wallet: LedgerAccount) -> None:
    pending = Transfer.objects.filter(destination=wallet, status=Transfer.Status.PENDING)
    requests = MoneyRequest.objects.filter(
        ledger_account=wallet, status=MoneyRequest.Status.REQUESTED
    )
    collateral = LedgerAccount.objects.filter(
        trading_account=wallet.trading_account_id, asset=wallet.asset_id, kind=AccountKind.MARGIN
    ).exclude(posted_balance=0)
    facts: dict[str, Any] = {
        "pending_transfers": pending.count(),
        "open_requests": requests.count(),
        "collateral": sum((row.posted_balance for row in collateral), Decimal(0)),
    }
    if any(facts.values()):
        raise WalletInUse(wallet_id=wallet.id, **facts)


def _set_status(wallet_id: int, status: LedgerAccount.Status) -> Wallet:
    wallet = locks.lock_wallet(wallet_id)
    before, wallet.status = wallet.status, status
    wallet.save(update_fields=["status"])
    record(
        action="wallet.status_changed",
        target=wallet,
        before={"status": before},
        after={"status": status.value},
    )
    return wallet_of(wallet)


def check_account_active(account: TradingAccount) -> None:
    """See that a trading account gives and takes money.

    Raises:
        AccountNotActive: it is suspended or closed.
    """
    if account.status != TradingAccount.Status.ACTIVE:
        raise AccountNotActive(account_id=account.id, account_status=account.status)


def check_wallet_active(wallet: LedgerAccount) -> None:
    """See that a wallet gives and takes money.

    Raises:
        WalletNotActive: it is suspended or closed.
    """
    if wallet.status != _Status.ACTIVE:
        raise WalletNotActive(wallet_id=wallet.id, wallet_status=wallet.status)
