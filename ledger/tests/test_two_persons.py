"""Several small withdrawals are one large one: what one person alone lets out within a day."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.tests.factories import UserFactory
from ledger.models import Approval, MoneyRequest
from ledger.services import approve_request, request_deposit, request_withdrawal
from ledger.tests.factories import balance_of, fund, make_account, wallet_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(settings: Any) -> TradingAccount:
    """An account with 1,000 dollars, where one person approves up to 50."""
    settings.WITHDRAWAL_TWO_PERSONS_ABOVE = Decimal(50)
    account = make_account()
    fund(account, "1000")
    return account


def ask(account: TradingAccount, amount: str, currency: str = "USD") -> MoneyRequest:
    return request_withdrawal(
        wallet_id=wallet_of(account, currency).id, amount=Decimal(amount), reason="r", actor="test"
    )


def approve(request: MoneyRequest) -> str:
    """What becomes of it by the word of a further person."""
    return approve_request(request_id=request.id, user_id=UserFactory.create().id).status


def needed(request: MoneyRequest) -> int:
    return MoneyRequest.objects.get(id=request.id).approvals_needed


def test_what_one_person_let_out_counts_towards_the_limit(account: TradingAccount) -> None:
    assert approve(ask(account, "30")) == "COMPLETED"
    assert approve(ask(account, "20")) == "COMPLETED"  # 50 in all: not above the limit

    third = ask(account, "0.0001")

    assert third.approvals_needed == 2
    assert (approve(third), balance_of(account)) == ("REQUESTED", 950)
    assert (approve(third), balance_of(account)) == ("COMPLETED", Decimal("949.9999"))


def test_it_is_looked_at_again_when_it_is_approved(account: TradingAccount) -> None:
    first, second = ask(account, "30"), ask(account, "30")
    assert (first.approvals_needed, second.approvals_needed) == (1, 1)
    staff = UserFactory.create()
    assert approve_request(request_id=first.id, user_id=staff.id).status == "COMPLETED"

    asked_on = approve_request(request_id=second.id, user_id=staff.id)

    assert (asked_on.status, needed(second)) == ("REQUESTED", 2)
    assert (balance_of(account), wallet_of(account).held_amount) == (970, 30)
    assert Approval.objects.filter(request=second).count() == 1
    assert (approve(second), balance_of(account)) == ("COMPLETED", 940)


def test_what_two_persons_let_out_does_not_count(account: TradingAccount) -> None:
    large = ask(account, "60")
    assert (approve(large), approve(large)) == ("REQUESTED", "COMPLETED")

    assert approve(ask(account, "50")) == "COMPLETED"


@pytest.mark.parametrize(("hours", "persons"), [(23.9, 2), (24, 1)])
def test_after_a_day_it_counts_no_more(account: TradingAccount, hours: float, persons: int) -> None:
    approve(ask(account, "50"))
    MoneyRequest.objects.update(finished_at=timezone.now() - timedelta(hours=hours))

    assert ask(account, "50").approvals_needed == persons


def test_only_withdrawals_of_the_same_wallet_that_were_paid_out_count(
    account: TradingAccount,
) -> None:
    other = make_account()
    fund(other, "100")
    fund(account, "100", "EUR")
    approve(ask(other, "50"))
    approve(ask(account, "50", "EUR"))
    ask(account, "50")  # waits
    into = request_deposit(
        wallet_id=wallet_of(account).id, amount=Decimal(500), reason="r", actor="test"
    )
    assert (into.approvals_needed, approve(into)) == (1, "COMPLETED")

    assert ask(account, "50").approvals_needed == 1


@pytest.mark.django_db(transaction=True)
def test_approvals_at_once_count_each_other(account: TradingAccount) -> None:
    requests = [ask(account, "20") for _ in range(6)]
    staff = [UserFactory.create() for _ in requests]

    def decide(number: int) -> str:
        try:
            return approve_request(request_id=requests[number].id, user_id=staff[number].id).status
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(decide, range(6)))

    assert sorted(outcomes) == ["COMPLETED"] * 2 + ["REQUESTED"] * 4
    assert (balance_of(account), wallet_of(account).held_amount) == (960, 80)
    assert sorted(map(needed, requests)) == [1, 1, 2, 2, 2, 2]
