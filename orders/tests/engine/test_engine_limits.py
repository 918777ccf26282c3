"""What instrument, account and broker allow; changed rules hold from the next batch."""

from decimal import Decimal as D
from typing import Any

import pytest

from ledger.models import LedgerAccount
from orders.matching.types import TimeInForce
from orders.models import Trade
from orders.tests.engine.harness import (
    BUY,
    SELL,
    Harness,
    balance,
    change,
    fund,
    make_account,
    stored,
)
from orders.tests.engine.invariants import check_all

IOC = TimeInForce.IOC


def refusal(outcome: Any) -> str:
    """The reason of a refused order, empty for any other."""
    return outcome.reason if outcome.status == "REJECTED" else ""


# --- limits of the instrument -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "inside", "outside", "reason", "facts"),
    [
        ({"min_quantity": 5}, (5, 100), (4, 100), "quantity_below_minimum", {"minimum": 5}),
        ({"max_quantity": 5}, (5, 100), (6, 100), "quantity_above_maximum", {"maximum": 5}),
        ({"min_notional": 5}, (5, 100), (4, 124), "notional_below_minimum", {"minimum": 5}),
        ({"max_notional": 5}, (5, 100), (5, 101), "notional_above_maximum", {"maximum": 5}),
    ],
)
def test_quantity_and_notional_have_limits(
    harness: Harness,
    rule: dict[str, int],
    inside: tuple[int, int],
    outside: tuple[int, int],
    reason: str,
    facts: dict[str, int],
) -> None:
    change(harness.instrument, **rule)
    account = make_account()
    refused = harness.place(account, BUY, *outside)
    assert (refused.status, refused.reason) == ("REJECTED", reason)
    assert refused.facts == {name: value * 10**8 for name, value in facts.items()}
    assert stored(refused).reason == reason
    assert harness.place(account, BUY, *inside).status == "OPEN"
    check_all(harness.engine)


def test_the_band_lies_around_the_last_price(harness: Harness) -> None:
    change(harness.instrument, price_band_rate=D("0.1"))
    buyer, seller = make_account(name="B"), make_account(name="S")
    # Without a last price there is no band.
    harness.place(seller, SELL, 1, 1_000)
    harness.place(buyer, BUY, 1, 1_000)
    outcomes = [harness.place(buyer, BUY, 1, price) for price in (900, 899, 1_100, 1_101)]
    assert [refusal(o) for o in outcomes] == ["", "price_out_of_band", "", "price_out_of_band"]
    refused = harness.place(seller, SELL, 1, 1_101)
    assert refused.facts == {"reference_price": 10 * 10**8}
    # It is known after a start too, and moves with the last price.
    harness.restart()
    assert refusal(harness.place(seller, SELL, 1, 899)) == "price_out_of_band"
    assert harness.place(seller, SELL, 1, 1_100).filled_lots == 1
    assert refusal(harness.place(seller, SELL, 1, 1_210)) == ""


def test_an_account_does_not_move_the_band_by_trading_with_itself(harness: Harness) -> None:
    change(harness.instrument, price_band_rate=D("0.1"))
    buyer, seller = make_account(name="B"), make_account(name="S")
    # A market without other trades has no band.
    harness.place(seller, SELL, 1, 500)
    assert harness.place(seller, BUY, 1, 500).status == "FILLED"
    assert harness.engine.state.last_prices == {}
    harness.place(seller, SELL, 1, 1_000)
    harness.place(buyer, BUY, 1, 1_000)

    harness.place(seller, SELL, 1, 1_100)
    assert harness.place(seller, BUY, 1, 1_100).status == "FILLED"

    for _ in range(2):
        refused = harness.place(buyer, BUY, 1, 1_101)
        assert refused.facts == {"reference_price": 10 * 10**8}
        harness.restart()
    check_all(harness.engine)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_market_order_stops_at_its_collar(harness: Harness, side: Any) -> None:
    change(harness.instrument, market_collar_rate=D("0.05"))
    maker, taker = make_account(name="M"), make_account(name="T")
    prices = (1_000, 1_050, 1_051) if side == BUY else (1_000, 950, 949)
    other = SELL if side == BUY else BUY
    for price in prices:
        harness.place(maker, other, 1, price)
    outcome = harness.place(taker, side, 3)
    assert (outcome.status, outcome.reason, outcome.filled_lots) == ("CANCELED", "no_liquidity", 2)
    assert [fill.price_ticks for fill in outcome.fills] == list(prices[:2])
    assert stored(outcome).limit_price is None
    check_all(harness.engine)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_market_order_stops_at_the_end_of_the_band(harness: Harness, side: Any) -> None:
    maker, taker = make_account(name="M"), make_account(name="T")
    harness.place(maker, SELL, 1, 1_000)
    harness.place(taker, BUY, 1, 1_000)
    prices = (1_000, 1_100, 1_101) if side == BUY else (1_000, 900, 899)
    other = SELL if side == BUY else BUY
    for price in prices:
        harness.place(maker, other, 1, price)
    change(harness.instrument, price_band_rate=D("0.1"), market_collar_rate=D("0.2"))
    outcome = harness.place(taker, side, 3)
    assert (outcome.status, outcome.reason, outcome.filled_lots) == ("CANCELED", "no_liquidity", 2)
    assert [fill.price_ticks for fill in outcome.fills] == list(prices[:2])
    # The nearer of the two bounds holds.
    harness.place(maker, other, 1, prices[1])
    change(harness.instrument, market_collar_rate=D("0.0005"))
    assert harness.place(taker, side, 2).filled_lots == 1
    check_all(harness.engine)


@pytest.mark.parametrize(
    ("rule", "inside", "outside", "reason", "facts"),
    [
        # Asks: 2 at 10, 2 at 15. The mean price counts, for the whole quantity.
        ({"min_notional": 20}, 2, 1, "notional_below_minimum", {"minimum": 20}),
        ({"max_notional": 35}, 3, 4, "notional_above_maximum", {"maximum": 35}),
        ({"max_notional": 60}, 4, 5, "notional_above_maximum", {"maximum": 60}),
    ],
)
def test_a_market_order_has_the_notional_that_the_book_gives_it(
    harness: Harness,
    rule: dict[str, int],
    inside: int,
    outside: int,
    reason: str,
    facts: dict[str, int],
) -> None:
    maker, taker = make_account(name="M"), make_account(name="T")
    harness.place(maker, SELL, 2, 1_000)
    harness.place(maker, SELL, 2, 1_500)
    change(harness.instrument, **rule)
    refused = harness.place(taker, BUY, outside)
    assert (refused.status, refused.reason) == ("REJECTED", reason)
    assert refused.facts == {name: value * 10**8 for name, value in facts.items()}
    assert not Trade.objects.exists()
    assert harness.place(taker, BUY, inside).status == "FILLED"
    check_all(harness.engine)


def test_a_market_order_that_meets_nothing_has_no_notional(harness: Harness) -> None:
    change(harness.instrument, min_notional=5)
    outcome = harness.place(make_account(), BUY, 1)
    assert (outcome.status, outcome.reason) == ("CANCELED", "no_liquidity")


def test_no_market_order_is_worth_more_than_the_venue_counts(harness: Harness) -> None:
    maker, taker = make_account(name="M"), make_account(name="T")
    for _ in range(2):
        # 10^18 smallest units of USD each: as much as a limit order may be worth.
        harness.place(maker, SELL, 10**6, 10**10)
    above, at_most = (harness.place_command(taker, BUY, 10**6 + more) for more in (1, 0))
    # Such amounts are no 64-bit integers: web looks these orders up.
    harness.send(above, at_most)
    harness.turn()
    assert (stored(above).status, stored(above).reason) == ("REJECTED", "notional_above_maximum")
    assert stored(at_most).status == "FILLED"
    check_all(harness.engine)


def test_quantity_and_state_bind_market_orders(harness: Harness) -> None:
    maker, taker = make_account(name="M"), make_account(name="T")
    harness.place(maker, SELL, 5, 1_000)
    change(harness.instrument, max_quantity=3)
    assert refusal(harness.place(taker, BUY, 4)) == "quantity_above_maximum"
    change(harness.instrument, state="HALTED")
    assert refusal(harness.place(taker, BUY, 1)) == "instrument_not_trading"


# --- states -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["PRE_OPEN", "AUCTION", "HALTED", "CANCEL_ONLY", "CLOSED"])
def test_only_continuous_trading_takes_orders_but_all_let_go(harness: Harness, state: str) -> None:
    account = make_account("PREFUNDED")
    fund(account, "USD", "100")
    order = harness.place(account, BUY, 1, 1_000)
    change(harness.instrument, state=state)
    assert refusal(harness.place(account, BUY, 1, 1_000)) == "instrument_not_trading"
    assert refusal(harness.place(account, BUY, 1)) == "instrument_not_trading"
    assert harness.cancel(account, order.command_id) == "canceled"
    assert balance(account, "USD") == (100, 0)
    change(harness.instrument, state="CONTINUOUS")
    assert harness.place(account, BUY, 1, 1_000).status == "OPEN"
    check_all(harness.engine)


def test_halted_books_expire(harness: Harness) -> None:
    account = make_account()
    order = harness.place(account, BUY, 1, 1_000, valid_until=harness.clock() + 30_000)
    change(harness.instrument, state="HALTED")
    while stored(order).status == "OPEN":
        harness.turn()
    assert stored(order).status == "EXPIRED"


def test_a_perpetual_needs_a_margin_account(harness: Harness) -> None:
    terms = {"initial_margin_rate": "0.2", "maintenance_margin_rate": "0.1", "price_band_rate": 1}
    more_terms = {"mark_jump_limit_rate": "0.2", "mark_stale_seconds": 600}
    forced_terms = {
        "liquidation_fee_rate": 0,
        "liquidation_buffer_rate": 0,
        "funding_interval_seconds": 28_800,
        "funding_interest_rate": 0,
        "funding_cap_rate": 0,
    }
    change(harness.instrument, kind="PERPETUAL", **terms, **more_terms, **forced_terms)
    account = make_account(name="C")
    assert refusal(harness.place(account, BUY, 1, 1_000)) == "margin_account_required"
    assert not LedgerAccount.objects.exclude(posted_balance=0, held_amount=0).exists()


# --- rates --------------------------------------------------------------------------------------


def test_changed_rates_hold_for_new_orders_only(harness: Harness) -> None:
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "1000")
    change(harness.instrument, maker_fee_rate=D("0.01"), taker_fee_rate=D("0.02"))
    bid = harness.place(buyer, BUY, 10, 1_000)
    change(harness.instrument, maker_fee_rate=D("0.03"), taker_fee_rate=D("0.04"))
    ask = harness.place(seller, SELL, 4, 1_000)
    assert (stored(bid).maker_fee, ask.taker_fee) == (D("0.4"), 160_000_000)
    assert stored(bid).hold_amount == D("60") + D("1.2")
    harness.restart()
    harness.place(seller, SELL, 6, 1_000)
    assert (stored(bid).maker_fee, stored(bid).hold_amount) == (D("1.0"), 0)
    assert LedgerAccount.objects.get(kind="FEES").posted_balance == 1 + D("1.6") + D("2.4")
    check_all(harness.engine)


def test_fees_that_come_into_force_between_two_batches(harness: Harness) -> None:
    """The first batch with fees locks the fee account, though it knew of none before."""
    buyer, seller = make_account(name="B"), make_account(name="S")
    harness.place(seller, SELL, 10, 1_000)
    harness.place(buyer, BUY, 1, 1_000)
    change(harness.instrument, taker_fee_rate=D("0.01"))
    assert harness.place(buyer, BUY, 1, 1_000).taker_fee == 10_000_000
    check_all(harness.engine)


def test_fees_of_a_resting_order_outlive_those_of_its_instrument(harness: Harness) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    change(harness.instrument, maker_fee_rate=D("0.01"), taker_fee_rate=D("0.01"))
    ask = harness.place(seller, SELL, 10, 1_000)
    change(harness.instrument, maker_fee_rate=0, taker_fee_rate=0)
    harness.restart()
    taker = harness.place(buyer, BUY, 5, 1_000)
    assert (taker.status, taker.taker_fee, stored(ask).maker_fee) == ("FILLED", 0, D("0.5"))
    check_all(harness.engine)


def test_a_changed_price_rule_holds_from_the_next_batch(harness: Harness) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    harness.place(buyer, BUY, 1, 1_000)
    change(harness.instrument, price_rule="MAKER")
    # The batch that first sees the rule already follows it.
    harness.place(seller, SELL, 1, 900)
    assert Trade.objects.get().price == 10
    ioc = harness.place(seller, SELL, 1, 900, time_in_force=IOC)
    assert ioc.status == "CANCELED"
