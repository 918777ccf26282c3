"""Asking for what staff must approve: deposits, withdrawals, adjustments, reversals.

A request books nothing. A withdrawal holds its amount from now until it is completed, rejected,
canceled or failed, so that an approval finds the money. `ledger.services.approvals` decides.
"""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from common.database import retry_on_conflict
from common.limits import LINE_LENGTH_MAX
from common.money import to_units8
from common.texts import check_text
from ledger import locks
from ledger.batch import LedgerBatch
from ledger.bulk import write_balances
from ledger.calculations import check_amount
from ledger.errors import (
    AccountNotAdjustable,
    EntryReversed,
    RequestNotOpen,
    ReversalRequested,
)
from ledger.models import LedgerAccount, MoneyRequest
from ledger.selectors import find_reversal, get_approvals_needed
from ledger.selectors.wallets import get_wallet_row
from ledger.services.entries import check_pay_out, check_reversible
from ledger.services.wallets import check_account_active, check_wallet_active
from oversight.services.records import record

_NOT_ADJUSTABLE = (
    LedgerAccount.Kind.TRANSIT,
    LedgerAccount.Kind.CLEARING,
    LedgerAccount.Kind.FUNDING,
)
_Kind = MoneyRequest.Kind
_Status = MoneyRequest.Status


@retry_on_conflict
@transaction.atomic
def request_deposit(
    *, wallet_id: int, amount: Decimal, reason: str, actor: str, user_id: UUID | None = None
) -> MoneyRequest:
    """Ask that `amount`, which came in from outside, be booked on a wallet. One person approves.

    `user_id` is the person who asks, None for a program.

    Raises:
        WalletNotFound, ValidationFailed: no such wallet, amount or reason.
        AccountNotActive, WalletNotActive: the account or the wallet is suspended or closed.
    """
    wallet = _active_wallet(wallet_id, amount)
    return _store(
        _Kind.DEPOSIT,
        ledger_account=wallet,
        amount=amount,
        reason=reason,
        actor=actor,
        user_id=user_id,
    )


@retry_on_conflict
@transaction.atomic
def request_withdrawal(
    *, wallet_id: int, amount: Decimal, reason: str, actor: str, user_id: UUID | None = None
) -> MoneyRequest:
    """Ask that `amount` be paid out of a wallet, and hold it.

    Above the limit of the currency (`WITHDRAWAL_TWO_PERSONS_ABOVE`) two persons must approve; what
    one person each approved for the wallet in the last 24 hours counts towards it.

    Raises:
        WalletNotFound, ValidationFailed: no such wallet, amount or reason.
        AccountNotActive, WalletNotActive: the account or the wallet is suspended or closed.
        InsufficientFunds: more than is available without credit. Nothing is held.
    """
    wallet = _active_wallet(wallet_id, amount)
    _change_hold(wallet, amount)
    return _store(
        _Kind.WITHDRAWAL,
        ledger_account=wallet,
        amount=amount,
        reason=reason,
        actor=actor,
        user_id=user_id,
    )


@retry_on_conflict
@transaction.atomic
def request_adjustment(
    *, ledger_account_id: int, amount: Decimal, reason: str, actor: str, user_id: UUID
) -> MoneyRequest:
    """Ask that a balance be corrected by the signed `amount`, against cash in transit.

    Cash in transit is the venue's account of what came in and went out: an adjustment says that
    this was not what had been booked. Itself it is adjusted from the other side; perpetual clearing
    follows from the positions.

    Raises:
        LedgerAccount.DoesNotExist: there is no such ledger account.
        AccountNotAdjustable: it is cash or funding in transit, or perpetual clearing.
        ValidationFailed: the amount is zero or finer than the asset, or no reason is given.
    """
    account = LedgerAccount.objects.select_related("asset").get(id=ledger_account_id)
    if not is_adjustable(account):
        raise AccountNotAdjustable(account_kind=account.kind)
    check_amount(abs(amount), account.asset.scale)
    return _store(
        _Kind.ADJUSTMENT,
        ledger_account=account,
        amount=amount,
        reason=reason,
        actor=actor,
        user_id=user_id,
    )


@retry_on_conflict
@transaction.atomic
def request_reversal(*, entry_id: UUID, reason: str, actor: str, user_id: UUID) -> MoneyRequest:
    """Ask that an entry be booked once more with the opposite sign.

    Raises:
        UnknownEntry, EntryNotReversible: no such entry, or it is a trade or a reversal.
        EntryReversed: it has been reversed.
        ReversalRequested: somebody else has asked for it already.
        ValidationFailed: no reason is given.
    """
    check_reversible(entry_id)
    locks.lock_entry(entry_id)
    reversal_id = find_reversal(entry_id)
    if reversal_id is not None:
        raise EntryReversed(entry_id=entry_id, reversal_id=reversal_id)
    if MoneyRequest.objects.filter(reversed_entry=entry_id, status=_Status.REQUESTED).exists():
        raise ReversalRequested(entry_id=entry_id)
    return _store(
        _Kind.REVERSAL, reversed_entry_id=entry_id, reason=reason, actor=actor, user_id=user_id
    )


@retry_on_conflict
@transaction.atomic
def cancel_request(*, request_id: UUID, actor: str) -> MoneyRequest:
    """Take an open request back; what a withdrawal holds is freed.

    The caller has seen that it is the request's own asker, or may use its wallet.

    Raises:
        RequestNotFound, RequestNotOpen: there is none, or it is closed.
    """
    request = locks.lock_request(request_id)
    check_open(request)
    record(
        action="money_request.canceled",
        target=request,
        before={"status": request.status},
        after={"kind": request.kind, "amount": request.amount},
        actor=actor,
    )
    return close_request(request, _Status.CANCELED, f"canceled by {actor}")


def is_adjustable(account: LedgerAccount) -> bool:
    """Whether its balance is corrected by hand, against cash in transit."""
    return account.kind not in _NOT_ADJUSTABLE


def check_open(request: MoneyRequest) -> None:
    """See that a locked request still waits for approval.

    Raises:
        RequestNotOpen: it is completed, rejected, canceled or failed.
    """
    if request.status != _Status.REQUESTED:
        raise RequestNotOpen(request_status=request.status)


def close_request(request: MoneyRequest, status: "_Status", reason: str) -> MoneyRequest:
    """End a locked, open request without an entry, and free what it holds."""
    if request.kind == _Kind.WITHDRAWAL:
        assert request.ledger_account is not None and request.amount is not None
        _change_hold(request.ledger_account, -request.amount)
    request.status = status
    request.status_reason = reason
    request.finished_at = timezone.now()
    request.save(update_fields=["status", "status_reason", "finished_at"])
    return request


def _active_wallet(wallet_id: int, amount: Decimal) -> LedgerAccount:
    """The wallet, with its trading account locked, after a look at both and at the amount."""
    wallet = get_wallet_row(wallet_id)
    check_amount(amount, wallet.asset.scale)
    assert wallet.trading_account_id is not None
    account = locks.lock_trading_account(wallet.trading_account_id)
    check_account_active(account)
    check_wallet_active(wallet)
    return wallet


def _change_hold(wallet: LedgerAccount, amount: Decimal) -> None:
    """Hold `amount` more (less, where negative) of a wallet, under its lock.

    Raises:
        InsufficientFunds: there is not as much available.
        WalletNotActive: it was suspended or closed a moment ago, and more is to be held.
    """
    units8 = to_units8(amount)
    with connection.cursor() as cursor:
        row = locks.lock_ledger_accounts(cursor, {wallet.id})[wallet.id]
        if units8 > 0:
            wallet.refresh_from_db(fields=["status"])
            check_wallet_active(wallet)
            check_pay_out([(row, -units8)])
        batch = LedgerBatch([row])
        batch.set_hold(row, units8)
        write_balances(cursor, batch).check()


def _store(
    kind: "_Kind", *, reason: str, actor: str, user_id: UUID | None, **facts: Any
) -> MoneyRequest:
    check_text("reason", reason, max_length=LINE_LENGTH_MAX, min_length=1)
    request = MoneyRequest(kind=kind, reason=reason, actor=actor, requested_by_id=user_id, **facts)
    request.approvals_needed = get_approvals_needed(request)
    request.save(force_insert=True)
    request.refresh_from_db(fields=["created_at"])
    record(
        action="money_request.asked",
        target=request,
        after={
            "kind": kind.value,
            "amount": request.amount,
            "ledger_account": request.ledger_account_id,
            "reversed_entry": request.reversed_entry_id,
        },
        reason=reason,
        actor=actor,
    )
    return request
