"""Deposits and withdrawals that staff approve: who may decide, what is held, what is booked."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from brokers.models import TradingAccount
from brokers.services import suspend_account
from brokers.tests.factories import UserFactory
from common.errors import ExchangeError, ValidationFailed
from common.ids import new_uuid
from ledger.errors import (
    AccountNotActive,
    AlreadyDecided,
    InsufficientFunds,
    OwnRequest,
    RequestNotFound,
    RequestNotOpen,
    WalletNotActive,
    WalletNotFound,
)
from ledger.models import Approval, JournalEntry, LedgerAccount, MoneyRequest
from ledger.services import (
    approve_request,
    cancel_request,
    reject_request,
    request_deposit,
    request_withdrawal,
    withdraw,
)
from ledger.tests.factories import fund, make_account, make_rate, wallet_of
from marketdata.services import ensure_currency

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> TradingAccount:
    """An account with 100 dollars."""
    account = make_account()
    fund(account, "100")
    return account


def ask(account: TradingAccount, amount: str, **given: Any) -> MoneyRequest:
    """A requested withdrawal of dollars."""
    return request_withdrawal(
        wallet_id=wallet_of(account).id,
        amount=Decimal(amount),
        reason="to my bank",
        actor="test",
        **given,
    )


def ask_in(account: TradingAccount, amount: str, **given: Any) -> MoneyRequest:
    """A requested deposit of dollars."""
    return request_deposit(
        wallet_id=wallet_of(account).id,
        amount=Decimal(amount),
        reason="bank reference 17",
        actor="test",
        **given,
    )


def state(account: TradingAccount) -> tuple[int, int, int]:
    """Posted, held and version of the dollars; cash in transit is always the other side."""
    wallet = wallet_of(account)
    transit = LedgerAccount.objects.get(kind="TRANSIT", asset__code="USD")
    assert wallet.posted_balance + transit.posted_balance == 0
    return int(wallet.posted_balance), int(wallet.held_amount), wallet.version


def stored(request: MoneyRequest) -> MoneyRequest:
    return MoneyRequest.objects.get(id=request.id)


def booked(request: MoneyRequest) -> JournalEntry:
    assert request.entry is not None
    return request.entry


def test_a_deposit_is_booked_when_it_is_approved(account: TradingAccount) -> None:
    staff = UserFactory.create()
    request = ask_in(account, "40")
    assert (request.status, request.approvals_needed, state(account)) == (
        "REQUESTED", 1, (100, 0, 1),
    )  # fmt: skip

    approve_request(request_id=request.id, user_id=staff.id, note="seen on the bank's statement")

    request = stored(request)
    assert (request.status, request.finished_at is not None) == ("COMPLETED", True)
    assert state(account) == (140, 0, 2)
    entry = booked(request)
    assert (entry.kind, entry.source_kind, entry.source_id, entry.actor, entry.memo) == (
        "DEPOSIT", "deposit", request.id, f"user:{staff.id}", "bank reference 17",
    )  # fmt: skip
    approval = Approval.objects.get()
    assert (approval.user, approval.is_approved, approval.note) == (
        staff, True, "seen on the bank's statement",
    )  # fmt: skip


def test_a_withdrawal_holds_from_its_request_on_and_is_paid_when_approved(
    account: TradingAccount,
) -> None:
    request = ask(account, "60")
    assert state(account) == (100, 60, 1)
    with pytest.raises(InsufficientFunds) as refused:
        withdraw(
            account_id=account.id,
            asset="USD",
            amount=Decimal(41),
            source_id=new_uuid(),
            actor="test",
        )
    assert refused.value.facts == {
        "required": Decimal(41),
        "available": Decimal(40),
        "held": Decimal(60),
    }

    approve_request(request_id=request.id, user_id=UserFactory.create().id)

    request = stored(request)
    entry = booked(request)
    assert (request.status, entry.kind, entry.source_id) == ("COMPLETED", "WITHDRAWAL", request.id)
    assert state(account) == (40, 0, 2)


def test_all_that_there_is_can_be_withdrawn(account: TradingAccount) -> None:
    request = ask(account, "100")

    approve_request(request_id=request.id, user_id=UserFactory.create().id)

    assert state(account) == (0, 0, 2)


def test_a_rejected_withdrawal_is_free_again_and_tells_why(account: TradingAccount) -> None:
    request = ask(account, "60")

    reject_request(request_id=request.id, user_id=UserFactory.create().id, note="unknown bank")

    request = stored(request)
    assert (request.status, request.status_reason, request.entry_id) == (
        "REJECTED", "unknown bank", None,
    )  # fmt: skip
    assert state(account) == (100, 0, 1)
    assert Approval.objects.get().is_approved is False


def test_a_rejection_needs_a_reason(account: TradingAccount) -> None:
    request = ask(account, "60")

    with pytest.raises(ValidationFailed):
        reject_request(request_id=request.id, user_id=UserFactory.create().id, note=" ")

    assert (stored(request).status, state(account)) == ("REQUESTED", (100, 60, 1))


@pytest.mark.parametrize("note", ["x" * 201, "a\nb", "seen \u202eat the bank"])
def test_a_note_is_one_line_of_text(account: TradingAccount, note: str) -> None:
    request, staff = ask(account, "60"), UserFactory.create()

    for decide in (approve_request, reject_request):
        with pytest.raises(ValidationFailed) as refused:
            decide(request_id=request.id, user_id=staff.id, note=note)
        assert [error.field for error in refused.value.errors] == ["note"]

    assert (stored(request).status, state(account)) == ("REQUESTED", (100, 60, 1))
    assert not Approval.objects.exists()


def test_a_canceled_withdrawal_is_free_again(account: TradingAccount) -> None:
    request = ask(account, "60")

    cancel_request(request_id=request.id, actor="key:1")

    assert (stored(request).status, stored(request).status_reason) == (
        "CANCELED", "canceled by key:1",
    )  # fmt: skip
    assert state(account) == (100, 0, 1)


@pytest.mark.parametrize("end", ["approve", "reject", "cancel"])
def test_what_is_closed_stays_closed(account: TradingAccount, end: str) -> None:
    request, first, second = ask(account, "60"), UserFactory.create(), UserFactory.create()
    if end == "approve":
        approve_request(request_id=request.id, user_id=first.id)
    elif end == "reject":
        reject_request(request_id=request.id, user_id=first.id, note="no")
    else:
        cancel_request(request_id=request.id, actor="test")
    before = state(account), stored(request).status

    for decide in (
        lambda: approve_request(request_id=request.id, user_id=second.id),
        lambda: reject_request(request_id=request.id, user_id=second.id, note="no"),
        lambda: cancel_request(request_id=request.id, actor="test"),
    ):
        with pytest.raises(RequestNotOpen) as refused:
            decide()
        assert refused.value.facts == {"request_status": before[1]}

    assert (state(account), stored(request).status) == before
    assert not Approval.objects.filter(user=second).exists()


@pytest.mark.parametrize(
    ("asset", "amount", "persons"),
    [
        ("USD", "10000", 1),
        ("USD", "10000.0001", 2),
        # 1.25 dollars a euro; the yen has no rate.
        ("EUR", "8000", 1),
        ("EUR", "8000.0001", 2),
        ("JPY", "1", 2),
        ("BTC", "0.1", 1),
        ("BTC", "0.10000001", 2),
    ],
)
def test_the_amount_decides_how_many_persons_a_withdrawal_needs(
    asset: str, amount: str, persons: int
) -> None:
    account = make_account()
    make_rate("EUR", "USD", "1.25", "0.01")
    ensure_currency("JPY")
    fund(account, "20000", asset)

    request = request_withdrawal(
        wallet_id=wallet_of(account, asset).id, amount=Decimal(amount), reason="r", actor="test"
    )

    assert request.approvals_needed == persons


def test_two_persons_means_two_persons(account: TradingAccount, settings: Any) -> None:
    settings.WITHDRAWAL_TWO_PERSONS_ABOVE = Decimal(50)
    request, first, second = ask(account, "60"), UserFactory.create(), UserFactory.create()
    settings.WITHDRAWAL_TWO_PERSONS_ABOVE = Decimal(1_000)  # a request keeps what it was made with

    assert approve_request(request_id=request.id, user_id=first.id).status == "REQUESTED"
    assert state(account) == (100, 60, 1)
    with pytest.raises(AlreadyDecided):
        approve_request(request_id=request.id, user_id=first.id)
    with pytest.raises(AlreadyDecided):
        reject_request(request_id=request.id, user_id=first.id, note="changed my mind")
    assert state(account) == (100, 60, 1)

    assert approve_request(request_id=request.id, user_id=second.id).status == "COMPLETED"
    assert state(account) == (40, 0, 2)


def test_the_second_person_may_reject_what_the_first_approved(
    account: TradingAccount, settings: Any
) -> None:
    settings.WITHDRAWAL_TWO_PERSONS_ABOVE = Decimal(50)
    request = ask(account, "60")
    approve_request(request_id=request.id, user_id=UserFactory.create().id)

    reject_request(request_id=request.id, user_id=UserFactory.create().id, note="no")

    assert (stored(request).status, state(account)) == ("REJECTED", (100, 0, 1))


def test_nobody_decides_on_an_own_request_or_on_own_money(account: TradingAccount) -> None:
    asker, owner = UserFactory.create(), UserFactory.create()
    account.owner = owner
    account.save(update_fields=["owner"])
    request = ask(account, "60", user_id=asker.id)

    for person in (asker, owner):
        with pytest.raises(OwnRequest):
            approve_request(request_id=request.id, user_id=person.id)
        with pytest.raises(OwnRequest):
            reject_request(request_id=request.id, user_id=person.id, note="no")

    assert (stored(request).status, state(account)) == ("REQUESTED", (100, 60, 1))
    assert not Approval.objects.exists()


@pytest.mark.parametrize(
    ("amount", "code"),
    [("0", "not_positive"), ("-1", "not_positive"), ("1.00001", "too_many_decimals"),
     ("1e19", "too_large")],
)  # fmt: skip
@pytest.mark.parametrize("asks", [ask, ask_in])
def test_an_amount_must_be_one(account: TradingAccount, asks: Any, amount: str, code: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        asks(account, amount)

    assert [error.code for error in refused.value.errors] == [code]
    assert (state(account), MoneyRequest.objects.count()) == ((100, 0, 1), 0)


def test_more_than_there_is_cannot_be_asked_for(account: TradingAccount) -> None:
    ask(account, "60")

    with pytest.raises(InsufficientFunds) as refused:
        ask(account, "40.0001")

    assert refused.value.facts == {
        "required": Decimal("40.0001"),
        "available": Decimal(40),
        "held": Decimal(60),
    }
    assert (state(account), MoneyRequest.objects.count()) == ((100, 60, 1), 1)


@pytest.mark.parametrize("asks", [ask, ask_in])
def test_neither_a_suspended_account_nor_a_suspended_wallet_asks(
    account: TradingAccount, asks: Any
) -> None:
    wallets = LedgerAccount.objects.filter(id=wallet_of(account).id)
    wallets.update(status="SUSPENDED")
    with pytest.raises(WalletNotActive) as wallet_refused:
        asks(account, "10")
    wallets.update(status="ACTIVE")
    suspend_account(account=account)
    with pytest.raises(AccountNotActive) as account_refused:
        asks(account, "10")

    assert wallet_refused.value.facts["wallet_status"] == "SUSPENDED"
    assert account_refused.value.facts["account_status"] == "SUSPENDED"
    assert (state(account), MoneyRequest.objects.count()) == ((100, 0, 1), 0)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "a\0b", "a\nb", "DE89 \u202e3704"])
def test_a_request_needs_a_reason(account: TradingAccount, reason: str) -> None:
    with pytest.raises(ValidationFailed):
        request_withdrawal(
            wallet_id=wallet_of(account).id, amount=Decimal(1), reason=reason, actor="test"
        )

    assert (state(account), MoneyRequest.objects.count()) == ((100, 0, 1), 0)


def test_only_cash_of_a_client_is_a_wallet(account: TradingAccount) -> None:
    fund(account, "5", "ACME")
    for kind in ("SECURITY", "TRANSIT"):
        other = LedgerAccount.objects.filter(kind=kind).first()
        assert other is not None
        with pytest.raises(WalletNotFound):
            request_deposit(wallet_id=other.id, amount=Decimal(1), reason="r", actor="test")
    for nowhere in (0, 10**9, 2**63):
        with pytest.raises(WalletNotFound):
            request_deposit(wallet_id=nowhere, amount=Decimal(1), reason="r", actor="test")
    with pytest.raises(RequestNotFound):
        approve_request(request_id=new_uuid(), user_id=UserFactory.create().id)


def test_a_withdrawal_of_a_suspended_account_waits_on(account: TradingAccount) -> None:
    request, staff = ask(account, "60"), UserFactory.create()
    suspend_account(account=account)

    with pytest.raises(AccountNotActive):
        approve_request(request_id=request.id, user_id=staff.id)

    assert (stored(request).status, state(account)) == ("REQUESTED", (100, 60, 1))
    assert not Approval.objects.exists()
    TradingAccount.objects.update(status="ACTIVE")
    assert approve_request(request_id=request.id, user_id=staff.id).status == "COMPLETED"


def test_a_suspended_account_still_gets_its_deposit(account: TradingAccount) -> None:
    request = ask_in(account, "40")
    suspend_account(account=account)

    approve_request(request_id=request.id, user_id=UserFactory.create().id)

    assert state(account) == (140, 0, 2)


@pytest.mark.parametrize("asks", [ask, ask_in])
@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED"])
def test_a_wallet_that_is_not_active_lets_its_requests_wait(
    account: TradingAccount, asks: Any, status: str
) -> None:
    request, staff = asks(account, "60"), UserFactory.create()
    wallets = LedgerAccount.objects.filter(id=wallet_of(account).id)
    wallets.update(status=status)
    before = state(account)

    with pytest.raises(WalletNotActive) as refused:
        approve_request(request_id=request.id, user_id=staff.id)

    assert refused.value.facts["wallet_status"] == status
    assert (stored(request).status, state(account)) == ("REQUESTED", before)
    assert not Approval.objects.exists()
    wallets.update(status="ACTIVE")
    assert approve_request(request_id=request.id, user_id=staff.id).status == "COMPLETED"


@pytest.mark.parametrize("asks", [ask, ask_in])
def test_a_closed_account_fails_the_request_and_frees_its_hold(
    account: TradingAccount, asks: Any
) -> None:
    request, staff = asks(account, "60"), UserFactory.create()
    TradingAccount.objects.update(status="CLOSED")

    assert approve_request(request_id=request.id, user_id=staff.id).status == "FAILED"

    request = stored(request)
    assert (request.status_reason, request.entry_id) == ("the account is closed", None)
    assert state(account) == (100, 0, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("leader", ["approve", "reject", "cancel"])
def test_of_all_who_decide_at_once_one_is_first(account: TradingAccount, leader: str) -> None:
    people = [UserFactory.create() for _ in range(9)]
    request = ask(account, "10")
    decisions = ["approve", "reject", "cancel"] * 3
    decisions.remove(leader)

    def decide(number: int, decision: str) -> str:
        user_id = people[number].id
        try:
            if decision == "cancel":
                return cancel_request(request_id=request.id, actor="test").status
            if decision == "approve":
                return approve_request(request_id=request.id, user_id=user_id).status
            return reject_request(request_id=request.id, user_id=user_id, note="no").status
        except ExchangeError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(9) as pool:
        outcomes = list(pool.map(decide, range(9), [leader, *decisions]))

    outcome = stored(request).status
    assert sorted(outcomes) == sorted([outcome] + ["request_not_open"] * 8)
    assert state(account) == ((90, 0, 2) if outcome == "COMPLETED" else (100, 0, 1))
    assert Approval.objects.count() == (0 if outcome == "CANCELED" else 1)


@pytest.mark.django_db(transaction=True)
def test_requests_at_once_never_hold_more_than_there_is(account: TradingAccount) -> None:
    def take(_: int) -> bool:
        try:
            ask(account, "30")
        except InsufficientFunds:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(take, range(8)))

    assert outcomes.count(True) == 3
    assert state(account) == (100, 90, 1)
    assert MoneyRequest.objects.count() == 3
