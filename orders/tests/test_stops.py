"""Accounts and brokers that are stopped: what they have open is canceled in the background."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from brokers.errors import AccountClosed
from brokers.models import Broker, TradingAccount, TradingStop, User
from brokers.services import (
    activate_account,
    activate_broker,
    suspend_account,
    suspend_broker,
)
from brokers.tests.factories import UserFactory
from brokers.types import Principal
from ledger.models import LedgerAccount
from ledger.tests.factories import fund, make_account, pay_out, spend_on_credit
from orders.errors import AccountNotEmpty
from orders.models import Order, Trade
from orders.services import stops
from orders.services.booked import book_order
from orders.services.stops import cancel_stopped_orders, close_empty_account
from orders.tests.fixtures import place, state_of
from orders.types import PlacedOrder


def account_of(placed: PlacedOrder) -> TradingAccount:
    return TradingAccount.objects.get(id=placed.order.terms.account_id)


def orders() -> list[tuple[str, str]]:
    return list(Order.objects.order_by("id").values_list("status", "reason"))


def settle_stops() -> None:
    """Let so much time pass that no batch of before can commit any more."""
    long_ago = timezone.now() - timedelta(minutes=1)
    TradingStop.objects.update(created_at=long_ago)


def test_what_a_suspended_account_has_open_is_canceled(alpha: Principal, beta: Principal) -> None:
    first = place(alpha, "BUY", "9", "1")
    place(alpha, "BUY", "10", "2")
    place(alpha, "BUY", "11", "1", document_number="2")
    suspend_account(account=account_of(first), actor="user:1")

    assert cancel_stopped_orders() == 2

    canceled = ("CANCELED", "account_suspended")
    assert orders() == [canceled, canceled, ("OPEN", "")]
    assert state_of(place(beta, "SELL", "9", "4"))[:2] == ("PARTIALLY_FILLED", 1)
    stop = TradingStop.objects.get()
    assert (stop.reason, stop.actor, stop.canceled_count) == ("account_suspended", "user:1", 2)
    assert (stop.open_count, stop.ended_at) == (0, None)
    # Looked at once more, when nothing of before can still come.
    settle_stops()
    assert cancel_stopped_orders() == 0
    stop.refresh_from_db()
    assert stop.ended_at is not None and stop.canceled_count == 2


def test_what_a_suspended_broker_has_open_is_canceled(alpha: Principal, beta: Principal) -> None:
    for document in "12":
        place(alpha, "BUY", "10", "2", document_number=document)
    place(beta, "BUY", "9", "1")
    suspend_broker(broker=Broker.objects.get(name="Alpha"))

    assert cancel_stopped_orders() == 2

    canceled = ("CANCELED", "broker_suspended")
    assert orders() == [canceled, canceled, ("OPEN", "")]


def test_booked_orders_are_canceled_too(alpha: Principal) -> None:
    account = account_of(place(alpha, "BUY", "9", "1"))
    book_order(
        principal=alpha,
        account_id=account.id,
        symbol="ACME",
        side="BUY",
        quantity=Decimal(5),
        price=Decimal(10),
        client_order_id=None,
    )
    suspend_account(account=account)

    assert cancel_stopped_orders() == 2
    assert orders() == [("CANCELED", "account_suspended")] * 2


def test_many_orders_are_canceled_in_chunks_that_a_later_run_goes_on_with(
    alpha: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stops, "_CHUNK", 2)
    for price in range(1, 6):
        first = place(alpha, "BUY", str(price), "1")
    suspend_account(account=account_of(first))
    monkeypatch.setattr(stops, "_SECONDS_MAX", -1.0)

    assert cancel_stopped_orders() == 2
    stop = TradingStop.objects.get()
    assert (stop.canceled_count, stop.open_count, stop.ended_at) == (2, 3, None)
    settle_stops()
    monkeypatch.setattr(stops, "_SECONDS_MAX", 60.0)

    assert cancel_stopped_orders() == 3
    stop.refresh_from_db()
    assert (stop.canceled_count, stop.open_count) == (5, 0)
    assert stop.ended_at is not None


def test_resuming_ends_the_stop_and_brings_nothing_back(alpha: Principal) -> None:
    placed = place(alpha, "BUY", "9", "1")
    account = account_of(placed)
    suspend_account(account=account)
    cancel_stopped_orders()

    activate_account(account=account)

    assert TradingStop.objects.get().ended_at is not None
    assert orders() == [("CANCELED", "account_suspended")]
    place(alpha, "BUY", "9", "1")
    assert cancel_stopped_orders() == 0
    assert orders()[1] == ("OPEN", "")


def test_resuming_a_broker_ends_its_own_stops_alone(alpha: Principal) -> None:
    account = account_of(place(alpha, "BUY", "9", "1"))
    suspend_account(account=account)
    suspend_broker(broker=account.broker)

    activate_broker(broker=account.broker)

    running = TradingStop.objects.get(ended_at=None)
    assert (running.account, running.broker) == (account, None)


@pytest.mark.django_db
def test_a_stop_without_an_engine_waits(valkey: Any, caplog: pytest.LogCaptureFixture) -> None:
    account = make_account()
    Order.objects.create(
        id="01900000-0000-7000-8000-000000000000",
        account=account,
        broker_id=account.broker_id,
        instrument=make_listed(),
        side="BUY",
        order_type="LIMIT",
        time_in_force="GTC",
        limit_price=1,
        quantity=1,
        status="OPEN",
        sequence=1,
        created_at=timezone.now(),
        updated_at=timezone.now(),
    )
    suspend_account(account=account)

    assert cancel_stopped_orders() == 0

    assert "waits" in caplog.text
    assert orders() == [("OPEN", "")]
    assert TradingStop.objects.get().ended_at is None


def make_listed() -> Any:
    from marketdata.models import Instrument
    from marketdata.tests.factories import make_instrument

    return Instrument.objects.get(id=make_instrument("ACME").id)


# --- closing --------------------------------------------------------------------------------------


def test_an_empty_account_is_closed_and_its_orders_are_canceled(alpha: Principal) -> None:
    account = account_of(place(alpha, "BUY", "9", "1"))

    close_empty_account(account=account, actor="user:1")
    cancel_stopped_orders()

    account.refresh_from_db()
    assert account.status == "CLOSED"
    assert orders() == [("CANCELED", "account_closed")]
    with pytest.raises(AccountClosed):
        close_empty_account(account=account, actor="user:1")
    assert TradingStop.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["money", "debt", "hold"])
def test_an_account_with_something_on_it_is_not_closed(what: str) -> None:
    account = make_account("CREDIT")
    fund(account, "5")
    if what == "debt":
        spend_on_credit(account, "9")
    elif what == "hold":
        pay_out(account, "5")
        LedgerAccount.objects.filter(trading_account=account).update(held_amount=1)

    with pytest.raises(AccountNotEmpty) as refusal:
        close_empty_account(account=account, actor="user:1")

    assert refusal.value.facts == {"account_id": account.id, "assets": ["USD"], "symbols": []}
    account.refresh_from_db()
    assert account.status == "ACTIVE" and not TradingStop.objects.exists()


# --- back office ----------------------------------------------------------------------------------


@pytest.fixture
def staff(client: Client) -> Client:
    user = UserFactory.create()
    User.objects.filter(id=user.id).update(is_staff=True, is_superuser=True)
    client.force_login(User.objects.get(id=user.id))
    return client


def act(staff: Client, account: TradingAccount, action: str, **extra: str) -> Any:
    url = reverse("admin:brokers_tradingaccount_changelist")
    data = {"action": action, "_selected_action": str(account.pk), **extra}
    return staff.post(url, data, follow=True)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("action", "status", "reason"),
    [("suspend", "SUSPENDED", "account_suspended"), ("close", "CLOSED", "account_closed")],
)
def test_staff_stop_an_account_after_a_yes(
    staff: Client, action: str, status: str, reason: str
) -> None:
    account = make_account()
    page = act(staff, account, action)
    assert "All that they have open is canceled" in page.content.decode()
    assert not TradingStop.objects.exists()

    act(staff, account, action, confirmed="yes")

    account.refresh_from_db()
    assert account.status == status
    stop = TradingStop.objects.get()
    assert (stop.account, stop.reason) == (account, reason)
    assert stop.actor == f"user:{staff.session['_auth_user_id']}"
    listed = staff.get(reverse("admin:brokers_tradingstop_changelist"))
    assert list(listed.context["cl"].result_list) == [stop]
    assert staff.get(reverse("admin:brokers_tradingstop_add")).status_code == 403


@pytest.mark.django_db
def test_staff_do_not_close_an_account_that_has_money(staff: Client) -> None:
    account = make_account()
    fund(account, "5")

    page = act(staff, account, "close", confirmed="yes")

    assert "once nothing is on it" in page.content.decode()
    account.refresh_from_db()
    assert account.status == "ACTIVE" and not Trade.objects.exists()
