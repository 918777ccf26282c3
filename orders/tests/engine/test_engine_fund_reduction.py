"""The insurance fund closes what it took over, where the book pays the mark."""

from collections.abc import Iterator
from decimal import Decimal as D

import pytest

from brokers.models import TradingAccount
from brokers.services.house import get_insurance_account_id
from common.ids import new_uuid
from margin.models import Liquidation
from orders.commands import ReduceFund
from orders.models import EngineCommand, Order, Trade
from orders.services import fund
from orders.tests.engine.harness import BUY, REPLY_TO, SELL, Harness, Venue, change, stored
from orders.tests.engine.invariants import check_all
from orders.tests.engine.margin import (
    age_marks,
    check_with_margin,
    feed_fund,
    fund_balance,
    liquidate,
    make_perpetual,
    make_trader,
    position_of,
    set_mark,
)


@pytest.fixture
def holding(venue: Venue) -> Iterator[Harness]:
    """A fund of 10,000 that took over 0.1 at 40,000, where the mark is 39,000."""
    driver = Harness(make_perpetual())
    set_mark(driver, 50_000)
    feed_fund("10000")
    long, short = make_trader("1000"), make_trader("10000")
    driver.place(short, SELL, 1_000, 5_000_000)
    driver.place(long, BUY, 1_000, 5_000_000)
    set_mark(driver, 39_000)
    assert liquidate(driver, long) == "done"
    yield driver
    driver.stop()


def reduce(harness: Harness, **fields: int) -> str:
    values = {
        "instrument_id": harness.instrument.id,
        "fund_account_id": get_insurance_account_id(),
    } | fields
    return harness.carry_out(ReduceFund(new_uuid().bytes, REPLY_TO, **values))[0].result


def fund_position(harness: Harness) -> D:
    fund = TradingAccount.objects.get(id=get_insurance_account_id())
    return position_of(fund, harness.instrument)[0]


def test_it_sells_at_the_mark_or_better_and_no_worse(holding: Harness) -> None:
    bidder = make_trader("10000")
    for lots, price in ((300, 3_950_000), (200, 3_900_000), (500, 3_899_999)):
        assert holding.place(bidder, BUY, lots, price).status == "OPEN"

    assert reduce(holding) == "done"
    assert fund_position(holding) == D("0.05")
    # 0.03 × (39,500 − 40,000) + 0.02 × (39,000 − 40,000)
    assert fund_balance() == 10_000 - 15 - 20
    assert position_of(bidder, holding.instrument)[2] == D("0.05")
    order = Order.objects.get(venue="FORCED")
    assert (order.quantity, order.limit_price) == (D("0.05"), 39_000)
    assert set(Trade.objects.filter(venue="FORCED").values_list("taker_side", flat=True)) == {
        "SELL"
    }
    assert reduce(holding) == "not_needed"
    assert Liquidation.objects.count() == 1
    check_with_margin(holding)


def test_it_buys_back_no_more_than_it_has(holding: Harness) -> None:
    bidder = make_trader("100000")
    holding.place(bidder, BUY, 5_000, 3_900_000)
    assert reduce(holding) == "done"
    assert fund_position(holding) == 0
    assert reduce(holding) == "not_needed"
    check_with_margin(holding)


def test_bids_that_nobody_can_carry_are_canceled(holding: Harness) -> None:
    # 780 of margin for 0.1 at 39,000, where the bid is 39,000.
    weak = make_trader("780")
    bid = holding.place(weak, BUY, 1_000, 3_900_000)
    assert bid.status == "OPEN"
    set_mark(holding, 36_000)
    assert reduce(holding) == "not_needed"
    assert (stored(bid).status, stored(bid).reason) == ("CANCELED", "insufficient_margin")
    assert fund_position(holding) == D("0.1")
    check_with_margin(holding)


def test_a_stale_mark_a_halt_and_what_is_no_perpetual_change_nothing(holding: Harness) -> None:
    holding.place(make_trader("10000"), BUY, 500, 3_900_000)
    assert reduce(holding, instrument_id=999_999) == "unknown_instrument"
    assert reduce(holding, fund_account_id=999_999) == "not_needed"
    change(holding.instrument, state="HALTED")
    assert reduce(holding) == "instrument_not_trading"
    change(holding.instrument, state="CONTINUOUS")
    age_marks(601)
    holding.restart()
    assert reduce(holding) == "mark_price_stale"
    assert fund_position(holding) == D("0.1")
    check_all(holding.engine)


def test_the_clock_has_the_fund_close_what_the_book_takes(holding: Harness) -> None:
    holding.place(make_trader("10000"), BUY, 400, 3_900_000)
    assert fund.reduce_fund_positions() == 1
    holding.turn()

    assert fund_position(holding) == D("0.06")
    assert EngineCommand.objects.get(kind="reduce-fund").result == "done"


def test_without_an_engine_it_waits(holding: Harness) -> None:
    holding.client.flushdb()
    assert fund.reduce_fund_positions() == 0
    assert not EngineCommand.objects.filter(kind="reduce-fund").exists()
