"""Margin calls: raised once for each level, resolved with some distance, and who is told."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from brokers.models import TradingAccount, User, WebhookDelivery
from brokers.services.house import get_dealer_account_id
from brokers.services.mails import send_notice
from brokers.tests.factories import WebhookEndpointFactory
from common.ids import new_uuid
from ledger.services import deposit
from ledger.types import AccountKind
from margin.locks import try_lock_margin_calls
from margin.models import MarginCall, Position
from margin.selectors.liquidations import list_near_accounts
from margin.selectors.report import RiskLevel, find_account_margins
from margin.services.calls import RaisedCall, call_from_ratio, update_margin_calls
from margin.tests.factories import make_margin_account, make_perpetual, make_position, set_mark
from marketdata.models import Instrument

pytestmark = pytest.mark.django_db


@pytest.fixture
def bitcoin() -> Instrument:
    return make_perpetual()


def make_long(bitcoin: Instrument, collateral: str, document: str = "1") -> TradingAccount:
    """0.1 bitcoin long since 50,000: maintenance margin 500."""
    account = make_margin_account(collateral, document=document)
    make_position(account, bitcoin, "0.1", "50000")
    return account


def pay_in(account: TradingAccount, amount: str) -> None:
    deposit(
        account_id=account.id,
        asset="USDT",
        amount=D(amount),
        source_id=new_uuid(),
        actor="test",
        kind=AccountKind.MARGIN,
    )


def update(now: datetime | None = None) -> list[RaisedCall]:
    near = list_near_accounts(ratio=call_from_ratio())
    return update_margin_calls(near=near, now=now or timezone.now())


def open_levels(account: TradingAccount) -> list[D]:
    calls = MarginCall.objects.filter(account=account, resolved_at=None).order_by("level")
    return list(calls.values_list("level", flat=True))


@pytest.mark.parametrize(
    ("collateral", "levels"),
    [
        ("625.000001", []),
        ("625", [D("0.8")]),
        ("556", [D("0.8")]),
        ("555.555555", [D("0.8"), D("0.9")]),
        ("499", [D("0.8"), D("0.9")]),
        ("0", [D("0.8"), D("0.9")]),
    ],
)
def test_each_level_that_is_reached_is_called(
    bitcoin: Instrument, collateral: str, levels: list[D]
) -> None:
    account = make_long(bitcoin, collateral)

    raised = update()

    assert open_levels(account) == levels
    assert [call.level for call in raised] == levels
    for call in MarginCall.objects.all():
        assert (call.equity, call.maintenance_margin) == (D(collateral), 500)


def test_a_call_is_raised_once(bitcoin: Instrument) -> None:
    account = make_long(bitcoin, "600")

    assert [len(update()) for _ in range(3)] == [1, 0, 0]

    # 590 - 50 = 540 against 495.
    set_mark(bitcoin, "49500")

    assert [call.level for call in update()] == [D("0.9")]
    assert open_levels(account) == [D("0.8"), D("0.9")]


def test_a_call_is_resolved_some_way_below_its_level(bitcoin: Instrument) -> None:
    account = make_long(bitcoin, "555")
    update()

    # 500 / 588.235294 is 0.85: not under it yet.
    pay_in(account, "33.235294")
    update()
    assert open_levels(account) == [D("0.8"), D("0.9")]

    pay_in(account, "0.000001")
    update()
    assert open_levels(account) == [D("0.8")]

    pay_in(account, "100")
    update()
    assert open_levels(account) == []
    assert MarginCall.objects.filter(resolved_at__isnull=False).count() == 2


def test_who_comes_back_is_called_again(bitcoin: Instrument) -> None:
    account = make_long(bitcoin, "600")
    update()
    set_mark(bitcoin, "52000")
    update()
    assert open_levels(account) == []

    set_mark(bitcoin, "50000")

    assert len(update()) == 1
    assert MarginCall.objects.filter(account=account).count() == 2


def test_calls_of_who_has_no_position_any_more_are_over(bitcoin: Instrument) -> None:
    account = make_long(bitcoin, "450")
    update()
    Position.objects.filter(account=account).update(quantity=0, cost_basis=0)

    assert update() == []
    assert open_levels(account) == []


def test_the_venues_own_accounts_are_not_called(bitcoin: Instrument) -> None:
    dealer = TradingAccount.objects.get(id=get_dealer_account_id())
    make_position(dealer, bitcoin, "1", "60000")

    assert update() == []


def test_the_levels_are_a_setting_and_the_report_follows(
    bitcoin: Instrument, settings: Any
) -> None:
    account = make_long(bitcoin, "900")
    assert find_account_margins(account.id)[0].level == RiskLevel.SAFE

    settings.MARGIN_CALL_LEVELS = [D("0.7"), D("0.5")]

    assert [call.level for call in update()] == [D("0.5")]
    assert find_account_margins(account.id)[0].level == RiskLevel.CALL

    # A call of a level that is no more is over for who is near no other.
    settings.MARGIN_CALL_LEVELS = [D("0.9")]
    update()
    assert open_levels(account) == []


# --- who is told ----------------------------------------------------------------------------------


def test_the_broker_gets_an_event_for_each_call(bitcoin: Instrument) -> None:
    account = make_long(bitcoin, "520.5")
    WebhookEndpointFactory.create(broker=account.broker)
    WebhookEndpointFactory.create()  # another broker's
    now = timezone.now()

    update(now)
    update()

    first, second = WebhookDelivery.objects.order_by("id")
    assert first.event == "margin_call"
    assert json.loads(first.payload) == {
        "event": "margin_call",
        "margin_call_id": MarginCall.objects.order_by("id")[0].id,
        "account_id": account.id,
        "document_number": "1",
        "asset": "USDT",
        "level": "0.8",
        "equity": "520.5",
        "maintenance_margin": "500",
        "raised_at": now.isoformat().replace("+00:00", "Z"),
    }
    assert json.loads(second.payload)["level"] == "0.9"


def test_a_person_with_a_proven_address_gets_one_mail(
    bitcoin: Instrument, monkeypatch: Any, django_capture_on_commit_callbacks: Any
) -> None:
    proven = make_long(bitcoin, "520", "1")
    proven.owner = User.objects.create_user("ada@example.com", email_verified_at=timezone.now())
    proven.save()
    unproven = make_long(bitcoin, "520", "2")
    unproven.owner = User.objects.create_user("eve@example.com")
    unproven.save()
    make_long(bitcoin, "520", "3")
    queued: list[tuple[str, ...]] = []
    monkeypatch.setattr("brokers.services.mails._queue", lambda *given: queued.append(given))

    with django_capture_on_commit_callbacks(execute=True):
        update()

    ((task, user_id, subject, text),) = queued
    assert (task, user_id) == ("brokers.tasks.mail_notice", str(proven.owner.pk))
    send_notice(proven.owner.pk, subject, text)
    send_notice(unproven.owner.pk, subject, text)
    (sent,) = mail.outbox
    assert sent.to == ["ada@example.com"]
    assert "equity              520\n" in sent.body
    assert "margin ratio of 0.9 or more" in sent.body


# --- several at once ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_several_runs_at_once_raise_each_call_once() -> None:
    bitcoin = make_perpetual()
    for number in range(10):
        make_long(bitcoin, "510", f"D{number}")
    WebhookEndpointFactory.create(broker=TradingAccount.objects.all()[0].broker)
    start = threading.Barrier(4)

    def run(_: int) -> int:
        start.wait()
        try:
            return len(update())
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(run, range(4)))

    assert sum(counts) == 20
    assert MarginCall.objects.count() == WebhookDelivery.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_a_run_beside_another_one_does_nothing() -> None:
    make_long(make_perpetual(), "510")
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            assert try_lock_margin_calls()
            is_held.set()
            may_end.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait(10)
    assert update() == []
    may_end.set()
    holder.join()
    assert len(update()) == 2


def test_a_run_a_day_later_keeps_when_it_was_raised(bitcoin: Instrument) -> None:
    make_long(bitcoin, "510")
    now = timezone.now()
    update(now)

    update(now + timedelta(days=1))

    assert set(MarginCall.objects.values_list("raised_at", flat=True)) == {now}
