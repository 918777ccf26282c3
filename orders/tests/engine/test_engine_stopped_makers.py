"""Who is suspended or closed trades nothing: neither what arrives nor what rests."""

from collections.abc import Callable
from decimal import Decimal as D
from typing import Any

import pytest

from brokers.models import Broker, TradingAccount
from orders.models import Trade
from orders.tests.engine.harness import BUY, SELL, Harness, balance, fund, make_account, stored
from orders.tests.engine.invariants import check_all
from orders.tests.engine.margin import (
    check_with_margin,
    feed_fund,
    liquidate,
    make_trader,
    position_of,
    set_mark,
)

Stop = Callable[[TradingAccount], None]


def _stop(model: Any, status: str, account: TradingAccount) -> None:
    target = account.broker_id if model is Broker else account.id
    model.objects.filter(id=target).update(status=status)


def _resume(account: TradingAccount) -> None:
    TradingAccount.objects.filter(id=account.id).update(status="ACTIVE")
    Broker.objects.filter(id=account.broker_id).update(status="ACTIVE")


@pytest.fixture(
    params=[
        (TradingAccount, "SUSPENDED", "account_suspended"),
        (TradingAccount, "CLOSED", "account_closed"),
        (Broker, "SUSPENDED", "broker_suspended"),
    ],
    ids=["account suspended", "account closed", "broker suspended"],
)
def stopping(request: Any) -> tuple[Stop, str]:
    """How an account is stopped behind the engine's back, and the reason that orders get."""
    model, status, reason = request.param
    return lambda account: _stop(model, status, account), reason


def suspend(account: TradingAccount) -> None:
    _stop(TradingAccount, "SUSPENDED", account)


def test_nothing_arrives_and_nothing_rests(harness: Harness, stopping: tuple[Stop, str]) -> None:
    stop, reason = stopping
    account, other = make_account(name="A"), make_account(name="O")
    canceled, resting = (harness.place(account, BUY, 1, 1_000) for _ in range(2))
    stop(account)

    refused = harness.place(account, BUY, 1, 1_000)
    assert (refused.status, refused.reason) == ("REJECTED", reason)
    assert harness.cancel(account, canceled.command_id) == "canceled"
    assert stored(canceled).reason == "by_user"
    # What others would meet is taken away, and does not come back.
    assert harness.place(other, SELL, 1, 1_000).status == "OPEN"
    found = stored(resting)
    assert (found.status, found.reason, found.filled_quantity) == ("CANCELED", reason, 0)
    assert not Trade.objects.exists()
    _resume(account)
    assert stored(resting).status == "CANCELED"
    assert harness.place(account, BUY, 1, 1_000).status == "FILLED"
    check_all(harness.engine)


def test_a_taker_goes_on_to_those_behind(harness: Harness) -> None:
    """Also to those that it could not be foreseen to meet."""
    stopped = make_account("PREFUNDED", name="S")
    fund(stopped, "ACME", "100")
    order = harness.place(stopped, SELL, 100, 900)
    behind = [make_account(name=f"B{number}") for number in range(30)]
    for account in behind:
        harness.place(account, SELL, 1, 1_000)
    taker = make_account("PREFUNDED", name="T")
    fund(taker, "USD", "301")
    suspend(stopped)

    outcome = harness.place(taker, BUY, 30, 1_000)

    assert (outcome.status, outcome.filled_lots) == ("FILLED", 30)
    assert stored(order).reason == "account_suspended"
    assert balance(stopped, "ACME") == (100, 0)
    assert balance(taker, "USD") == (1, 0)
    assert {trade.sell_account_id for trade in Trade.objects.all()} == {one.id for one in behind}
    check_all(harness.engine)


@pytest.mark.parametrize("price", [None, 1_000])
def test_what_a_stopped_account_offers_is_not_counted(harness: Harness, price: int | None) -> None:
    """A market order is checked against the cost of what it can really take."""
    stopped, other = make_account(name="S"), make_account(name="O")
    harness.place(stopped, SELL, 5, 500)
    harness.place(other, SELL, 5, 1_000)
    taker = make_account("PREFUNDED", name="T")
    fund(taker, "USD", "49.99")
    suspend(stopped)

    outcome = harness.place(taker, BUY, 5, price)

    assert (outcome.status, outcome.reason) == ("REJECTED", "insufficient_funds")
    assert balance(taker, "USD") == (D("49.99"), 0)
    assert not Trade.objects.exists()
    check_all(harness.engine)


def test_what_nobody_would_meet_stays(harness: Harness) -> None:
    stopped, other, taker = (make_account(name=name) for name in "SOT")
    met = harness.place(other, SELL, 5, 900)
    beyond = harness.place(stopped, SELL, 5, 1_000)
    suspend(stopped)

    assert harness.place(taker, BUY, 5, 1_000).status == "FILLED"

    assert (stored(met).status, stored(beyond).status) == ("FILLED", "OPEN")
    check_all(harness.engine)


def test_a_batch_of_orders_meets_none_of_them(harness: Harness) -> None:
    stopped, other, taker = (make_account(name=name) for name in "SOT")
    harness.place(stopped, SELL, 5, 1_000)
    suspend(stopped)

    outcomes = harness.carry_out(
        harness.place_command(taker, BUY, 2, 1_000),
        harness.place_command(other, SELL, 1, 1_000),
        harness.place_command(taker, BUY, 2, 1_000),
    )

    assert [one.status for one in outcomes] == ["OPEN", "FILLED", "OPEN"]
    assert not Trade.objects.filter(sell_account=stopped).exists()
    check_all(harness.engine)


def test_a_perpetuals_maker_that_is_stopped_is_canceled(
    futures: Harness, stopping: tuple[Stop, str]
) -> None:
    stop, reason = stopping
    stopped, rich, taker = make_trader("9000"), make_trader("9000"), make_trader("9000")
    first = futures.place(stopped, SELL, 1_000, 5_000_000)
    second = futures.place(rich, SELL, 1_000, 5_000_000)
    stop(stopped)

    outcome = futures.place(taker, BUY, 500, 5_000_000)

    assert (outcome.status, stored(second).filled_quantity) == ("FILLED", D("0.05"))
    canceled = stored(first)
    assert (canceled.status, canceled.reason, canceled.margin_reserve) == ("CANCELED", reason, 0)
    assert position_of(stopped, futures.instrument) == (0, 0, 0, 0, 0)
    check_with_margin(futures)


def test_a_liquidation_meets_no_stopped_maker(futures: Harness) -> None:
    feed_fund("10000")
    long, short, stopped, bidder = (make_trader(sum_) for sum_ in ("1000", *["100000"] * 3))
    futures.place(short, SELL, 1_000, 5_000_000)
    futures.place(long, BUY, 1_000, 5_000_000)
    set_mark(futures, 44_000)
    met = futures.place(stopped, BUY, 10_000, 4_400_000)
    futures.place(bidder, BUY, 10_000, 4_399_900)
    suspend(stopped)

    assert liquidate(futures, long) == "done"

    assert (stored(met).status, stored(met).reason) == ("CANCELED", "account_suspended")
    assert position_of(stopped, futures.instrument) == (0, 0, 0, 0, 0)
    assert position_of(bidder, futures.instrument)[0] > 0
    check_with_margin(futures)


def test_a_stopped_account_is_liquidated_all_the_same(futures: Harness) -> None:
    feed_fund("10000")
    long, short, bidder = make_trader("1000"), make_trader("100000"), make_trader("100000")
    futures.place(short, SELL, 1_000, 5_000_000)
    futures.place(long, BUY, 1_000, 5_000_000)
    set_mark(futures, 44_000)
    futures.place(bidder, BUY, 10_000, 4_400_000)
    suspend(long)

    assert liquidate(futures, long) == "done"
    assert position_of(long, futures.instrument)[0] < D("0.1")
    check_with_margin(futures)
