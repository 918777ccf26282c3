"""The word of staff on a request: with the last approval that it needs, it is booked.

Whoever calls has seen that the person may decide (permission `ledger.add_approval`). Decisions on
one request queue up at its lock, so that exactly one outcome counts. How many persons a withdrawal
needs may rise until it is approved, and never falls.

A booking that is not possible at the moment (the money was spent, the wallet is not active, a
withdrawal's account is suspended) is refused: nothing changes, the approval is not kept, and the
request waits on. One that never will be (the account is closed, the entry has been reversed) ends
the request as FAILED, with the reason.
"""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from brokers.models import TradingAccount
from common.database import retry_on_conflict
from common.limits import LINE_LENGTH_MAX
from common.texts import check_text
from ledger import locks
from ledger.errors import AlreadyDecided, OwnRequest
from ledger.models import Approval, MoneyRequest
from ledger.selectors import account_of, find_reversal, get_approvals_needed, is_own_request
from ledger.services.entries import deposit, post_entry, reverse_entry, withdraw
from ledger.services.requests import check_open, close_request
from ledger.services.wallets import check_wallet_active
from ledger.types import AccountKind, Entry, EntryKind, Line, VenueAccount
from oversight.services.records import record

_Kind = MoneyRequest.Kind
_Status = MoneyRequest.Status


@retry_on_conflict
@transaction.atomic
def approve_request(*, request_id: UUID, user_id: UUID, note: str = "") -> MoneyRequest:
    """Approve a request, and book it if no other person is needed.

    The answer's status tells: REQUESTED (another person is needed), COMPLETED, or FAILED.

    Raises:
        RequestNotFound, RequestNotOpen: there is none, or it is closed.
        OwnRequest: the person asked for it, or owns the account.
        AlreadyDecided: the person has approved it before.
        AccountNotActive, WalletNotActive: the account or the wallet is not active.
        InsufficientFunds: what was to be taken is not there at the moment.
        ValidationFailed: the note is no text.
    """
    check_text("note", note, max_length=LINE_LENGTH_MAX)
    request = _take_up(request_id, user_id)
    _record(request, user_id, is_approved=True, note=note)
    _raise_approvals_needed(request)
    if request.approvals.filter(is_approved=True).count() < request.approvals_needed:
        return request
    obstacle = _lasting_obstacle(request)
    if obstacle:
        return close_request(request, _Status.FAILED, obstacle)
    entry = _book(request, actor=f"user:{user_id}")
    request.status = _Status.COMPLETED
    request.entry_id = entry.id
    request.finished_at = timezone.now()
    request.save(update_fields=["status", "entry", "finished_at"])
    return request


@retry_on_conflict
@transaction.atomic
def reject_request(*, request_id: UUID, user_id: UUID, note: str) -> MoneyRequest:
    """Reject a request; what a withdrawal holds is freed. One person is enough.

    Raises:
        RequestNotFound, RequestNotOpen: there is none, or it is closed.
        OwnRequest: the person asked for it, or owns the account.
        AlreadyDecided: the person has approved it before.
        ValidationFailed: no reason is given, or it is no text.
    """
    check_text("note", note, max_length=LINE_LENGTH_MAX, min_length=1)
    request = _take_up(request_id, user_id)
    _record(request, user_id, is_approved=False, note=note)
    return close_request(request, _Status.REJECTED, note)


def _take_up(request_id: UUID, user_id: UUID) -> MoneyRequest:
    """The request, locked and open, on which this person has not decided yet and may."""
    request = locks.lock_request(request_id)
    check_open(request)
    if is_own_request(request, user_id):
        raise OwnRequest()
    if request.approvals.filter(user_id=user_id).exists():
        raise AlreadyDecided()
    return request


def _record(request: MoneyRequest, user_id: UUID, *, is_approved: bool, note: str) -> None:
    Approval.objects.create(request=request, user_id=user_id, is_approved=is_approved, note=note)
    record(
        action="money_request.approved" if is_approved else "money_request.rejected",
        target=request,
        before={"status": request.status},
        after={"kind": request.kind, "amount": request.amount},
        reason=note,
        actor=f"user:{user_id}",
    )


def _raise_approvals_needed(request: MoneyRequest) -> None:
    """Look again how many persons it needs: others may have been paid out since it was asked for.

    Under the lock of the trading account, so that approvals of several requests count each other.
    """
    if request.kind == _Kind.WITHDRAWAL:
        assert request.ledger_account is not None
        assert request.ledger_account.trading_account_id is not None
        locks.lock_trading_account(request.ledger_account.trading_account_id)
    needed = get_approvals_needed(request)
    if needed > request.approvals_needed:
        request.approvals_needed = needed
        request.save(update_fields=["approvals_needed"])


def _lasting_obstacle(request: MoneyRequest) -> str:
    """Why this request can never be booked; empty where it can."""
    if request.reversed_entry_id is not None:
        reversal_id = find_reversal(request.reversed_entry_id)
        return "" if reversal_id is None else f"reversed already by entry {reversal_id}"
    if request.kind == _Kind.ADJUSTMENT:
        return ""
    wallet = request.ledger_account
    assert wallet is not None and wallet.trading_account_id is not None
    account = locks.lock_trading_account(wallet.trading_account_id)
    if account.status == TradingAccount.Status.CLOSED:
        return "the account is closed"
    return ""


def _book(request: MoneyRequest, *, actor: str) -> Entry:
    if request.reversed_entry_id is not None:
        return reverse_entry(entry_id=request.reversed_entry_id, reason=request.reason, actor=actor)
    if request.kind == _Kind.ADJUSTMENT:
        return _book_adjustment(request, actor)
    return _book_wallet(request, actor)


def _book_adjustment(request: MoneyRequest, actor: str) -> Entry:
    account, amount = request.ledger_account, request.amount
    assert account is not None and amount is not None
    return post_entry(
        kind=EntryKind.ADJUSTMENT,
        source_kind="adjustment",
        source_id=request.id,
        lines=[
            Line(account_of(account), amount),
            Line(VenueAccount(AccountKind.TRANSIT, account.asset_id), -amount),
        ],
        actor=actor,
        memo=request.reason,
    )


def _book_wallet(request: MoneyRequest, actor: str) -> Entry:
    """Book a deposit or a withdrawal; the wallet is looked at once its lock is held."""
    wallet, amount = request.ledger_account, request.amount
    assert wallet is not None and wallet.trading_account_id is not None and amount is not None
    is_withdrawal = request.kind == _Kind.WITHDRAWAL
    given: dict[str, Any] = {
        "account_id": wallet.trading_account_id,
        "asset": wallet.asset.code,
        "amount": amount,
        "source_id": request.id,
        "actor": actor,
        "memo": request.reason,
    }
    entry = withdraw(**given, is_held=True) if is_withdrawal else deposit(**given)
    wallet.refresh_from_db(fields=["status"])
    check_wallet_active(wallet)
    return entry
