"""Mark prices and dealer trades, as commands to the engine."""

from decimal import Decimal as D

import pytest

from common.valkey import get_client
from ledger.models import LedgerAccount
from margin.models import Position
from marketdata.models import MarkPrice
from marketdata.snapshots import read_snapshot
from orders.models import EngineCommand, Order, Trade
from orders.tests.engine.harness import BUY, SELL, Harness, Venue, change, make_account, stored
from orders.tests.engine.margin import (
    age_marks,
    check_with_margin,
    collateral_of,
    deal,
    make_trader,
    mark_command,
    position_of,
    set_mark,
)


def marks() -> list[D]:
    return list(MarkPrice.objects.order_by("id").values_list("price", flat=True))


# --- marks ----------------------------------------------------------------------------------------


def test_a_mark_holds_is_kept_and_is_published(futures: Harness) -> None:
    outcome = set_mark(futures, 51_000, is_forced=False)

    assert outcome.result == "done"
    latest = MarkPrice.objects.latest("id")
    assert (latest.price, latest.source, latest.actor) == (51_000, "POSTED", "test")
    assert not latest.is_forced
    assert latest.as_of <= latest.posted_at
    snapshot = read_snapshot(get_client(), shard=0, instrument_id=futures.instrument.id)
    assert snapshot is not None
    assert snapshot.mark_price == 5_100_000
    check_with_margin(futures)


@pytest.mark.parametrize("price", [60_001, 39_999])
def test_a_jump_beyond_the_limit_must_be_forced(futures: Harness, price: int) -> None:
    outcome = set_mark(futures, price, is_forced=False)

    assert outcome.result == "mark_jump_too_large"
    assert outcome.facts == {"mark_price": 50_000 * 10**8, "step_max": 10_000 * 10**8}
    assert marks() == [50_000]
    assert EngineCommand.objects.latest("created_at").result == "mark_jump_too_large"
    check_with_margin(futures)
    assert set_mark(futures, price).result == "done"
    assert MarkPrice.objects.latest("id").is_forced


@pytest.mark.parametrize("price", [60_000, 40_000])
def test_a_jump_to_the_limit_is_none_beyond(futures: Harness, price: int) -> None:
    assert set_mark(futures, price, is_forced=False).result == "done"


def test_only_a_perpetual_has_a_mark(futures: Harness, venue: Venue) -> None:
    for instrument_id in (venue.instrument.id, 10**9):
        outcome = set_mark(futures, 1, instrument_id=instrument_id)
        assert outcome.result == "unknown_instrument"
    assert marks() == [50_000]


def test_the_same_command_again_sets_nothing_again(futures: Harness) -> None:
    command = mark_command(futures, 51_000)
    futures.carry_out(command)
    set_mark(futures, 52_000)
    futures.carry_out(command)

    assert marks() == [50_000, 51_000, 52_000]
    check_with_margin(futures)


def test_orders_of_a_batch_see_the_mark_that_came_before_them(futures: Harness) -> None:
    before = futures.place_command(make_trader("1000"), BUY, 1_000, 5_000_000)
    mark = mark_command(futures, 40_000)
    after = futures.place_command(make_trader("1000"), SELL, 1_250, 5_000_001)
    first, _, second = futures.carry_out(before, mark, after)

    assert (first.status, second.status) == ("OPEN", "OPEN")
    check_with_margin(futures)


def test_the_mark_of_a_batch_that_fails_does_not_hold(futures: Harness) -> None:
    trader = make_trader("9000")
    mark = mark_command(futures, 51_000)
    bad = futures.place_command(trader, BUY, 1, 5_000_000, client_order_id="x" * 200)
    futures.send(mark, bad)
    futures.turn()

    assert futures.answers(bad)[0].code == "engine_error"
    assert marks() == [50_000, 51_000]
    assert Position.objects.count() == 0
    check_with_margin(futures)


def test_a_mark_of_the_future_is_of_now(futures: Harness) -> None:
    set_mark(futures, 51_000, as_of=futures.clock() + 10**12)

    latest = MarkPrice.objects.latest("id")
    assert latest.as_of == latest.posted_at


# --- the dealer -----------------------------------------------------------------------------------


def test_the_dealer_takes_the_other_side_at_the_mark(futures: Harness) -> None:
    change(futures.instrument, taker_fee_rate=D("0.0005"))
    dealer, client = make_account(name="House"), make_trader("10000")
    outcome = deal(futures, dealer, client, BUY, 1_000, 5_100_000)

    assert (outcome.status, outcome.filled_lots, outcome.taker_fee) == (
        "FILLED", 1_000, 250_000_000,
    )  # fmt: skip
    order, trade = stored(outcome), Trade.objects.get()
    assert (order.venue, order.status, order.limit_price) == ("DEALER", "FILLED", 51_000)
    assert (trade.venue, trade.price, trade.buy_order, trade.sell_order) == (
        "DEALER", 50_000, order, None,
    )  # fmt: skip
    assert (trade.buy_account, trade.sell_account) == (client, dealer)
    assert position_of(client, futures.instrument) == (D("0.1"), 5_000, 0, 0, 0)
    assert position_of(dealer, futures.instrument) == (D("-0.1"), -5_000, 0, 0, 0)
    assert collateral_of(client) == D("9997.5")
    assert futures.engine.state.last_prices == {}
    check_with_margin(futures)


def test_a_deal_back_realizes_on_both_sides(futures: Harness) -> None:
    dealer, client = make_account(name="House"), make_trader("10000")
    deal(futures, dealer, client, BUY, 1_000)
    set_mark(futures, 51_000)
    outcome = deal(futures, dealer, client, SELL, 1_000)

    assert outcome.status == "FILLED"
    assert (collateral_of(client), collateral_of(dealer)) == (10_100, -100)
    assert LedgerAccount.objects.get(kind="CLEARING").posted_balance == 0
    check_with_margin(futures)


@pytest.mark.parametrize(("side", "price"), [(BUY, 4_999_999), (SELL, 5_000_001)])
def test_a_price_that_the_mark_does_not_meet_is_refused(
    futures: Harness, side: int, price: int
) -> None:
    outcome = deal(futures, make_account(name="House"), make_trader("10000"), side, 10, price)

    assert (outcome.status, outcome.reason) == ("REJECTED", "price_not_marketable")
    assert outcome.facts == {"market_price": 50_000 * 10**8}
    assert stored(outcome).venue == "DEALER"
    assert not Trade.objects.exists()
    check_with_margin(futures)


def test_a_deal_needs_margin_a_fresh_mark_and_a_margin_account(futures: Harness) -> None:
    dealer = make_account(name="House")
    assert deal(futures, dealer, make_trader("999"), BUY, 1_000).reason == "insufficient_margin"
    assert deal(futures, dealer, make_account(), BUY, 1).reason == "margin_account_required"
    age_marks(601)
    futures.restart()
    assert deal(futures, dealer, make_trader("999"), BUY, 1).reason == "mark_price_stale"
    assert not Trade.objects.exists()
    check_with_margin(futures)


def test_a_deal_acts_once(futures: Harness) -> None:
    dealer, client = make_account(name="House"), make_trader("10000")
    deal(futures, dealer, client, BUY, 10, client_order_id="one")
    again = deal(futures, dealer, client, BUY, 10, client_order_id="one")

    assert again.order_id == Order.objects.get().id.bytes
    assert position_of(client, futures.instrument)[0] == D("0.001")
    check_with_margin(futures)
