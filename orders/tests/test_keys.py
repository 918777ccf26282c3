"""That an order's account and instrument are there: triggers, tried past all of our code."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import Error, connection, transaction
from django.db.models import F

from brokers.models import TradingAccount
from common.ids import new_uuid
from ledger.tests.factories import make_account
from marketdata.models import Instrument
from marketdata.services import list_symbol
from orders.models import Order

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def account() -> TradingAccount:
    return make_account()


@pytest.fixture
def instrument() -> Instrument:
    list_symbol("ACME")
    return Instrument.objects.get(symbol="ACME")


def an_order(account: TradingAccount, instrument_id: int, account_id: int | None = None) -> Order:
    return Order(
        id=new_uuid(),
        account_id=account_id or account.id,
        broker_id=account.broker_id,
        instrument_id=instrument_id,
        side="BUY",
        order_type="MARKET",
        time_in_force="IOC",
        quantity=1,
        status="CANCELED",
        sequence=0,
        created_at=NOW,
        updated_at=NOW,
    )


def refused(match: str, sql: str) -> None:
    with pytest.raises(Error, match=match), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_orders_of_what_is_there(account: TradingAccount, instrument: Instrument) -> None:
    other = make_account()
    Order.objects.bulk_create(an_order(each, instrument.id) for each in (account, other, account))
    Order.objects.bulk_create([])
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders_order SELECT * FROM orders_order WHERE false")
    assert Order.objects.count() == 3


def test_one_order_of_no_account_or_for_no_instrument_refuses_its_statement(
    account: TradingAccount, instrument: Instrument
) -> None:
    good = an_order(account, instrument.id)
    no_account = an_order(account, instrument.id, account_id=account.id + 1_000)
    no_instrument = an_order(account, instrument.id + 1_000)

    with pytest.raises(Error, match="account that is not there"), transaction.atomic():
        Order.objects.bulk_create([good, no_account])
    with pytest.raises(Error, match="instrument that is not there"), transaction.atomic():
        Order.objects.bulk_create([good, no_instrument])
    assert not Order.objects.exists()


def test_an_order_keeps_its_account_and_instrument(
    account: TradingAccount, instrument: Instrument
) -> None:
    Order.objects.bulk_create([an_order(account, instrument.id)])

    refused("keeps its account", f"UPDATE orders_order SET account_id = {make_account().id}")
    refused("keeps its account", "UPDATE orders_order SET instrument_id = instrument_id + 1")
    Order.objects.update(quantity=F("quantity") + 1)
    assert Order.objects.get(quantity=2).account_id == account.id


def test_accounts_and_instruments_with_orders_are_not_deleted(
    account: TradingAccount, instrument: Instrument
) -> None:
    unused = make_account()
    Order.objects.bulk_create([an_order(account, instrument.id)])

    refused("has orders", f"DELETE FROM brokers_tradingaccount WHERE id = {account.id}")
    refused("has orders", f"UPDATE brokers_tradingaccount SET id = 9999 WHERE id = {account.id}")
    refused("has orders", f"DELETE FROM marketdata_instrument WHERE id = {instrument.id}")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM brokers_tradingaccount WHERE id = %s", [unused.id])
    assert TradingAccount.objects.filter(id__in=[account.id, unused.id]).get() == account


@pytest.mark.django_db(transaction=True)
def test_an_account_waits_to_be_deleted_until_its_first_order_is_committed() -> None:
    list_symbol("ACME")
    account, ended = make_account(), []

    def delete() -> None:
        try:
            refused("has orders", f"DELETE FROM brokers_tradingaccount WHERE id = {account.id}")
            ended.append("refused")
        finally:
            connection.close()

    thread = threading.Thread(target=delete)
    with transaction.atomic():
        Order.objects.bulk_create([an_order(account, Instrument.objects.get(symbol="ACME").id)])
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join()
    assert ended == ["refused"]
    assert TradingAccount.objects.filter(id=account.id).exists()
