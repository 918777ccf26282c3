"""Resting orders are checked again before they are filled: who cannot carry it is canceled."""

from decimal import Decimal as D

from margin.models import Position
from orders.engine.core.batch import Received
from orders.engine.core.planning import plan_locks
from orders.models import Order
from orders.tests.engine.harness import BUY, SELL, Harness, change, stored
from orders.tests.engine.margin import (
    check_with_margin,
    collateral_of,
    make_trader,
    position_of,
    set_mark,
)


def test_a_maker_whose_margin_is_gone_is_canceled_before_the_fill(futures: Harness) -> None:
    poor, rich, taker = make_trader("1000"), make_trader("9000"), make_trader("9000")
    first = futures.place(poor, SELL, 1_000, 5_000_000)
    second = futures.place(rich, SELL, 1_000, 5_000_000)
    set_mark(futures, 50_100)
    outcome = futures.place(taker, BUY, 500, 5_000_000)

    assert (outcome.status, stored(second).filled_quantity) == ("FILLED", D("0.05"))
    canceled = stored(first)
    assert (canceled.status, canceled.reason) == ("CANCELED", "insufficient_margin")
    assert (canceled.filled_quantity, canceled.margin_reserve) == (0, 0)
    assert position_of(poor, futures.instrument) == (0, 0, 0, 0, 0)
    assert collateral_of(poor) == 1_000
    check_with_margin(futures)


def test_a_taker_without_a_maker_that_can_pay_rests(futures: Harness) -> None:
    poor, taker = make_trader("1000"), make_trader("9000")
    futures.place(poor, SELL, 1_000, 5_000_000)
    set_mark(futures, 50_100)

    assert futures.place(taker, BUY, 500, 5_000_000).status == "OPEN"
    assert Order.objects.get(account=poor).status == "CANCELED"
    check_with_margin(futures)


def test_a_part_that_can_be_carried_is(futures: Harness) -> None:
    """What counts is the account after the fill, with all that it has open."""
    maker, taker = make_trader("1000"), make_trader("9000")
    order = futures.place(maker, BUY, 1_000, 5_000_000)
    set_mark(futures, 49_000)

    # Margin 980, and 20 lost at once on 0.02.
    assert futures.place(taker, SELL, 200, 5_000_000).status == "FILLED"
    assert stored(order).status == "PARTIALLY_FILLED"
    assert futures.place(taker, SELL, 1, 5_000_000).status == "OPEN"
    assert stored(order).reason == "insufficient_margin"
    assert position_of(maker, futures.instrument) == (D("0.02"), 1_000, 0, 0, 0)
    check_with_margin(futures)


def test_fills_of_one_owner_are_tried_one_after_the_other(futures: Harness) -> None:
    maker, taker = make_trader("1000"), make_trader("9000")
    orders = [futures.place(maker, BUY, 200, 5_000_000) for _ in range(5)]
    set_mark(futures, 49_000)
    outcome = futures.place(taker, SELL, 1_000, 5_000_000)

    statuses = [stored(order).status for order in orders]
    # After the first fill 20 are lost; without one of the others there is margin for the rest.
    assert statuses == ["FILLED", "CANCELED", "FILLED", "FILLED", "FILLED"]
    assert outcome.filled_lots == 800
    check_with_margin(futures)


def test_a_maker_that_closes_is_carried(futures: Harness) -> None:
    long, other = make_trader("1000"), make_trader("90000")
    futures.place(other, SELL, 1_000, 5_000_000)
    futures.place(long, BUY, 1_000, 5_000_000)
    futures.place(long, SELL, 1_000, 4_600_000)
    # Below the initial margin, above the maintenance margin.
    set_mark(futures, 45_500)

    assert futures.place(other, BUY, 1_000, 4_600_000).status == "FILLED"
    assert position_of(long, futures.instrument) == (0, 0, 0, 0, 0)
    assert collateral_of(long) == 600
    check_with_margin(futures)


def test_the_fee_of_the_maker_counts(futures: Harness) -> None:
    maker, taker = make_trader("1002.5"), make_trader("9000")
    change(futures.instrument, maker_fee_rate=D("0.0005"))
    order = futures.place(maker, SELL, 1_000, 5_000_000)
    set_mark(futures, 50_001)

    assert futures.place(taker, BUY, 1_000, 5_000_000).status == "OPEN"
    assert stored(order).reason == "insufficient_margin"
    check_with_margin(futures)


def test_owners_behind_those_that_fail_are_locked_on_the_way(futures: Harness) -> None:
    """Nobody could foresee how far the taker goes: the batch runs again with more rows."""
    poor = [make_trader("1000", name=f"Poor {n}") for n in range(12)]
    for account in poor:
        futures.place(account, SELL, 1_000, 5_000_000)
    rich, taker = make_trader("9000"), make_trader("9000")
    futures.place(rich, SELL, 1_000, 5_000_000)
    set_mark(futures, 50_100)
    outcome = futures.place(taker, BUY, 1_000, 5_000_000)

    assert outcome.status == "FILLED"
    assert position_of(rich, futures.instrument)[0] == D("-0.1")
    assert Order.objects.filter(reason="insufficient_margin").count() == 12
    assert Position.objects.exclude(quantity=0).count() == 2
    check_with_margin(futures)


def test_what_can_be_foreseen_is_locked_at_once(futures: Harness) -> None:
    maker, behind, taker = make_trader("9000"), make_trader("9000"), make_trader("9000")
    futures.place(maker, SELL, 100, 5_000_000)
    futures.place(behind, SELL, 100, 5_000_000)
    command = futures.place_command(taker, BUY, 50, 5_000_000)
    received = Received("1-0", 0, command)
    found = plan_locks(futures.engine.state, [received], [], set())

    usdt = futures.instrument.quote_asset_id
    assert found.margin_rows == {(maker.id, usdt), (taker.id, usdt)}
    assert (found.rows, found.clearing_assets, found.fee_assets) == ({}, {usdt}, {usdt})
    assert found.margin_takers == {taker.id}
    assert found.accounts == {maker.id, taker.id}
