"""That what orders and trades name is there: triggers, tried past all of our code."""

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
from orders.models import Order, Trade

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


# --- trades ---------------------------------------------------------------------------------------


def a_trade(buy: Order | None, sell: Order | None, instrument_id: int, **fields: object) -> Trade:
    values = {
        "id": new_uuid(),
        "instrument_id": instrument_id,
        "price": 1,
        "quantity": 1,
        "notional": 1,
        "buy_order": buy,
        "sell_order": sell,
        "buy_account_id": buy and buy.account_id,
        "sell_account_id": sell and sell.account_id,
        "taker_side": "BUY",
        "sequence": 0,
        "executed_at": NOW,
    }
    return Trade(**(values | fields))


@pytest.fixture
def traded(account: TradingAccount, instrument: Instrument) -> list[Order]:
    """Two orders with a trade of both, one of the first alone, and an order without any."""
    orders = [an_order(account, instrument.id) for _ in range(3)]
    Order.objects.bulk_create(orders)
    buy, sell, _ = orders
    Trade.objects.bulk_create(
        [a_trade(buy, sell, instrument.id), a_trade(buy, None, instrument.id)]
    )
    return orders


def test_one_trade_of_no_order_or_in_no_instrument_refuses_its_statement(
    traded: list[Order], instrument: Instrument
) -> None:
    buy, sell, _ = traded
    good = a_trade(buy, sell, instrument.id)
    for wrong in (
        a_trade(buy, None, instrument.id, sell_order_id=new_uuid()),
        a_trade(None, sell, instrument.id, buy_order_id=new_uuid()),
    ):
        with (
            pytest.raises(Error, match="trade of an order that is not there"),
            transaction.atomic(),
        ):
            Trade.objects.bulk_create([good, wrong])
    with pytest.raises(Error, match="instrument that is not there"), transaction.atomic():
        Trade.objects.bulk_create([good, a_trade(buy, sell, instrument.id + 1_000)])
    assert Trade.objects.count() == 2


def test_a_trade_keeps_its_orders_and_orders_with_trades_stay(
    traded: list[Order], instrument: Instrument
) -> None:
    buy, sell, unused = traded
    refused("keeps its orders", f"UPDATE orders_trade SET sell_order_id = '{unused.id}'")
    refused("keeps its orders", "UPDATE orders_trade SET instrument_id = instrument_id + 1")
    for order in (buy, sell):
        refused("has trades", f"DELETE FROM orders_order WHERE id = '{order.id}'")
        refused(
            "has trades", f"UPDATE orders_order SET id = '{new_uuid()}' WHERE id = '{order.id}'"
        )
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM orders_order WHERE id = %s", [unused.id])
    assert set(Order.objects.all()) == {buy, sell}


def test_an_instrument_with_a_trade_of_nobody_s_order_stays(instrument: Instrument) -> None:
    Trade.objects.bulk_create([a_trade(None, None, instrument.id)])
    refused("has orders", f"DELETE FROM marketdata_instrument WHERE id = {instrument.id}")


@pytest.mark.django_db(transaction=True)
def test_a_trade_waits_for_the_end_of_a_deletion_and_finds_its_order_gone() -> None:
    list_symbol("ACME")
    instrument_id = Instrument.objects.get(symbol="ACME").id
    order, ended = an_order(make_account(), instrument_id), []
    Order.objects.bulk_create([order])

    def insert() -> None:
        try:
            with pytest.raises(Error, match="order that is not there"), transaction.atomic():
                Trade.objects.bulk_create([a_trade(order, None, instrument_id)])
            ended.append("refused")
        finally:
            connection.close()

    thread = threading.Thread(target=insert)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM orders_order WHERE id = %s", [order.id])
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join()
    assert ended == ["refused"]
    assert not Trade.objects.exists()
