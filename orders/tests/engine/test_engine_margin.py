"""Orders for a perpetual: what they need, what fills make of positions and collateral."""

from decimal import Decimal as D
from typing import Any

import pytest

from ledger.models import JournalEntry, LedgerAccount, Posting
from margin.models import MarginAccount, Position
from marketdata.models import Instrument
from orders.matching.types import TimeInForce
from orders.models import Order, Trade
from orders.tests.engine.harness import (
    BUY,
    SELL,
    Harness,
    change,
    make_account,
    stored,
)
from orders.tests.engine.margin import (
    age_marks,
    check_with_margin,
    collateral_of,
    make_perpetual,
    make_trader,
    position_of,
    set_mark,
)

FLAT = (0, 0, 0, 0, 0)


def refused(outcome: Any) -> tuple[str, dict[str, D]]:
    """The reason of a refusal and its facts in units of the asset."""
    assert outcome.status == "REJECTED"
    return outcome.reason, {name: D(value) / 10**8 for name, value in outcome.facts.items()}


# --- what an order needs --------------------------------------------------------------------------


def test_the_worked_example_is_allowed_with_exactly_its_margin(futures: Harness) -> None:
    buyer, seller = make_trader("1000"), make_trader("10000")
    assert futures.place(seller, SELL, 1_000, 5_000_000).status == "OPEN"
    outcome = futures.place(buyer, BUY, 1_000, 5_000_000)

    assert outcome.status == "FILLED"
    assert position_of(buyer, futures.instrument) == (D("0.1"), 5_000, 0, 0, 0)
    assert position_of(seller, futures.instrument) == (D("-0.1"), -5_000, 0, 0, 0)
    assert (collateral_of(buyer), collateral_of(seller)) == (1_000, 10_000)
    check_with_margin(futures)


def test_a_unit_less_than_the_margin_is_too_little(futures: Harness) -> None:
    outcome = futures.place(make_trader("999.999999"), BUY, 1_000, 5_000_000)

    facts = {"required": D(1_000), "available": D("999.999999")}
    assert refused(outcome) == ("insufficient_margin", facts)
    assert not Position.objects.exists()
    assert stored(outcome).margin_reserve == 0
    check_with_margin(futures)


def test_a_limit_worse_than_the_mark_reserves_its_loss(futures: Harness) -> None:
    trader = make_trader("1000")
    outcome = futures.place(trader, BUY, 1_000, 7_000_000)

    facts = {"required": D(3_000), "available": D(1_000)}
    assert refused(outcome) == ("insufficient_margin", facts)
    assert futures.place(trader, BUY, 333, 7_000_000).status == "OPEN"
    assert position_of(trader, futures.instrument) == (0, 0, D("0.0333"), 0, 666)
    check_with_margin(futures)


def test_open_orders_count_on_the_worse_side_alone(futures: Harness) -> None:
    trader = make_trader("1000")
    assert futures.place(trader, BUY, 600, 4_900_000).status == "OPEN"
    assert futures.place(trader, SELL, 1_000, 5_100_000).status == "OPEN"

    assert refused(futures.place(trader, SELL, 1, 5_100_000))[0] == "insufficient_margin"
    assert futures.place(trader, BUY, 400, 4_900_000).status == "OPEN"
    assert refused(futures.place(trader, BUY, 1, 4_900_000))[0] == "insufficient_margin"
    check_with_margin(futures)


def test_the_fee_counts_too(futures: Harness) -> None:
    change(futures.instrument, taker_fee_rate=D("0.0005"))
    outcome = futures.place(make_trader("1000"), BUY, 1_000, 5_000_000)

    assert refused(outcome)[1] == {"required": D("1002.5"), "available": D(1_000)}
    check_with_margin(futures)


def test_accounts_on_credit_and_frozen_ones_place_nothing(futures: Harness) -> None:
    frozen = make_trader("1000")
    MarginAccount.objects.create(
        account=frozen,
        asset=futures.instrument.quote_asset,
        is_frozen=True,
        frozen_reason="looked at",
    )
    on_credit = make_account()

    assert refused(futures.place(on_credit, BUY, 1, 5_000_000))[0] == "margin_account_required"
    assert refused(futures.place(frozen, BUY, 1, 5_000_000))[0] == "margin_account_frozen"
    MarginAccount.objects.update(is_frozen=False)
    assert futures.place(frozen, BUY, 1, 5_000_000).status == "OPEN"
    check_with_margin(futures)


@pytest.mark.parametrize(("limit", "status"), [(5_500_000, "OPEN"), (5_500_001, "REJECTED")])
def test_the_band_lies_around_the_mark(futures: Harness, limit: int, status: str) -> None:
    change(futures.instrument, price_band_rate=D("0.1"))
    outcome = futures.place(make_trader("9000"), SELL, 1, limit)

    assert outcome.status == status
    if status == "REJECTED":
        assert refused(outcome) == ("price_out_of_band", {"reference_price": D(50_000)})
    check_with_margin(futures)


def test_a_position_has_a_largest_size(futures: Harness) -> None:
    change(futures.instrument, max_position=D("0.1"))
    trader = make_trader("100000")
    assert futures.place(trader, BUY, 600, 4_900_000).status == "OPEN"

    outcome = futures.place(trader, BUY, 401, 4_900_000)
    assert refused(outcome) == ("position_above_maximum", {"maximum": D("0.1")})
    assert futures.place(trader, BUY, 400, 4_900_000).status == "OPEN"
    assert futures.place(trader, SELL, 1_000, 5_100_000).status == "OPEN"
    check_with_margin(futures)


def test_without_a_mark_nobody_trades(perpetual: Instrument) -> None:
    driver = Harness(perpetual)
    try:
        outcome = driver.place(make_trader("1000"), BUY, 1, 5_000_000)
        assert refused(outcome) == ("mark_price_stale", {})
    finally:
        driver.stop()


def test_a_stale_mark_lets_positions_shrink_and_nothing_else(futures: Harness) -> None:
    long, short = make_trader("5000"), make_trader("5000")
    futures.place(short, SELL, 100, 5_000_000)
    futures.place(long, BUY, 100, 5_000_000)
    age_marks(601)
    futures.restart()

    outcome = futures.place(long, BUY, 1, 5_000_000)
    reason, facts = refused(outcome)
    assert (reason, facts["limit_seconds"]) == ("mark_price_stale", 600)
    assert facts["age_seconds"] > 600
    assert futures.place(long, SELL, 100, 5_000_000).status == "OPEN"
    assert refused(futures.place(long, SELL, 1, 5_000_000))[0] == "mark_price_stale"
    assert futures.place(short, BUY, 100, 5_000_000).status == "FILLED"
    assert position_of(long, futures.instrument) == FLAT
    check_with_margin(futures)


# --- what fills do --------------------------------------------------------------------------------


def test_closing_realizes_against_clearing(futures: Harness) -> None:
    long, short = make_trader("5000"), make_trader("5000")
    futures.place(short, SELL, 1_000, 5_000_000)
    futures.place(long, BUY, 1_000, 5_000_000)
    set_mark(futures, 51_000)
    futures.place(short, BUY, 400, 5_100_000)
    futures.place(long, SELL, 400, 5_100_000)

    assert position_of(long, futures.instrument) == (D("0.06"), 3_000, 0, 0, 0)
    assert position_of(short, futures.instrument) == (D("-0.06"), -3_000, 0, 0, 0)
    assert (collateral_of(long), collateral_of(short)) == (5_040, 4_960)
    assert Position.objects.get(account=long).realized_pnl == 40
    clearing = LedgerAccount.objects.get(kind="CLEARING")
    assert (clearing.posted_balance, clearing.shard) == (0, 0)
    check_with_margin(futures)


def test_one_side_that_opens_and_one_that_closes(futures: Harness) -> None:
    """Clearing owes the profit of who has left, until the others close too."""
    first, second, third = (make_trader("5000") for _ in range(3))
    futures.place(second, SELL, 1_000, 5_000_000)
    futures.place(first, BUY, 1_000, 5_000_000)
    futures.place(third, BUY, 1_000, 5_200_000)
    futures.place(first, SELL, 1_000, 5_200_000)

    assert collateral_of(first) == 5_200
    assert LedgerAccount.objects.get(kind="CLEARING").posted_balance == -200
    assert position_of(third, futures.instrument)[:2] == (D("0.1"), 5_200)
    check_with_margin(futures)


def test_a_flip_closes_and_opens(futures: Harness) -> None:
    first, second = make_trader("5000"), make_trader("5000")
    futures.place(second, SELL, 1_000, 5_000_000)
    futures.place(first, BUY, 1_000, 5_000_000)
    futures.place(second, BUY, 1_500, 4_900_000)
    futures.place(first, SELL, 1_500, 4_900_000)

    assert position_of(first, futures.instrument) == (D("-0.05"), -2_450, 0, 0, 0)
    assert position_of(second, futures.instrument) == (D("0.05"), 2_450, 0, 0, 0)
    assert (collateral_of(first), collateral_of(second)) == (4_900, 5_100)
    check_with_margin(futures)


def test_fees_are_paid_from_collateral(futures: Harness) -> None:
    change(futures.instrument, maker_fee_rate=D("-0.0001"), taker_fee_rate=D("0.0005"))
    maker, taker = make_trader("5000"), make_trader("5000")
    futures.place(maker, SELL, 1_000, 5_000_000)
    futures.place(taker, BUY, 1_000, 5_000_000)

    assert (collateral_of(maker), collateral_of(taker)) == (D("5000.5"), D("4997.5"))
    fees = LedgerAccount.objects.get(kind="FEES", asset=futures.instrument.quote_asset)
    assert fees.posted_balance == 2
    trade = Trade.objects.get()
    assert (trade.buy_fee, trade.sell_fee) == (D("2.5"), D("-0.5"))
    assert JournalEntry.objects.get(kind="TRADE").id == trade.id
    assert Posting.objects.filter(entry_id=trade.id).count() == 3
    check_with_margin(futures)


def test_no_asset_moves_and_no_cash_is_touched(futures: Harness) -> None:
    maker, taker = make_trader("5000"), make_trader("5000")
    futures.place(maker, SELL, 1_000, 5_000_000)
    futures.place(taker, BUY, 1_000, 5_000_000)

    kinds = set(LedgerAccount.objects.values_list("kind", flat=True))
    assert kinds == {"MARGIN", "FEES", "CLEARING", "TRANSIT"}
    assert JournalEntry.objects.get(kind="TRADE").postings.count() == 0
    check_with_margin(futures)


def test_a_client_trades_with_itself(futures: Harness) -> None:
    trader = make_trader("5000")
    futures.place(trader, SELL, 100, 5_000_000)
    assert futures.place(trader, BUY, 100, 5_000_000).status == "FILLED"

    assert position_of(trader, futures.instrument) == FLAT
    assert collateral_of(trader) == 5_000
    check_with_margin(futures)


def test_whoever_has_nothing_left_closes_nothing(futures: Harness) -> None:
    long, short = make_trader("1000"), make_trader("9000")
    futures.place(short, SELL, 1_000, 5_000_000)
    futures.place(long, BUY, 1_000, 5_000_000)
    set_mark(futures, 41_000)
    futures.place(short, BUY, 1_000, 4_100_000)
    # Above zero it may close; a worse price leaves less than nothing.
    assert refused(futures.place(long, SELL, 1_000, 3_900_000))[0] == "insufficient_margin"
    set_mark(futures, 39_000)
    futures.place(short, BUY, 500, 3_900_000)
    assert refused(futures.place(long, SELL, 1_000, 3_900_000))[0] == "insufficient_margin"
    check_with_margin(futures)


def test_two_positions_share_one_collateral(futures: Harness) -> None:
    other = make_perpetual("ETH-PERP")
    set_mark(futures, 2_000, instrument_id=other.id)
    trader, counter = make_trader("1000"), make_trader("90000")
    futures.place(counter, SELL, 500, 5_000_000)
    futures.place(trader, BUY, 500, 5_000_000)

    ether = {"instrument_id": other.id}
    outcome = futures.place(trader, SELL, 12_501, 200_000, **ether)
    assert refused(outcome)[1] == {"required": D("1000.04"), "available": D(1_000)}
    set_mark(futures, 51_000)
    # 50 of profit, 10 more of margin.
    assert futures.place(trader, SELL, 13_500, 200_000, **ether).status == "OPEN"
    assert refused(futures.place(trader, SELL, 1, 200_000, **ether))[0] == "insufficient_margin"
    check_with_margin(futures)


# --- market orders --------------------------------------------------------------------------------


def test_a_market_order_goes_to_the_end_of_the_band(futures: Harness) -> None:
    change(futures.instrument, price_band_rate=D("0.01"))
    maker, taker = make_trader("90000"), make_trader("90000")
    set_mark(futures, 50_500)
    assert futures.place(maker, SELL, 100, 5_050_000).status == "OPEN"
    assert futures.place(maker, SELL, 100, 5_100_000).status == "OPEN"
    set_mark(futures, 50_000)
    outcome = futures.place(taker, BUY, 300)

    assert (outcome.status, outcome.reason, outcome.filled_lots) == (
        "CANCELED", "no_liquidity", 100,
    )  # fmt: skip
    assert position_of(taker, futures.instrument) == (D("0.01"), 505, 0, 0, 0)
    assert stored(outcome).limit_price is None
    check_with_margin(futures)


def test_a_market_order_is_checked_at_its_worst_price(futures: Harness) -> None:
    change(futures.instrument, price_band_rate=D("0.1"))
    trader = make_trader("1499.999999")

    outcome = futures.place(trader, BUY, 1_000)
    assert refused(outcome) == (
        "insufficient_margin",
        {"required": D(1_500), "available": D("1499.999999")},
    )
    assert futures.place(trader, BUY, 999).reason == "no_liquidity"
    check_with_margin(futures)


def test_what_an_immediate_order_leaves_is_not_open(futures: Harness) -> None:
    maker, taker = make_trader("9000"), make_trader("9000")
    futures.place(maker, SELL, 40, 5_000_000)
    outcome = futures.place(taker, BUY, 100, 5_200_000, time_in_force=TimeInForce.IOC)

    assert (outcome.status, outcome.filled_lots) == ("CANCELED", 40)
    assert position_of(taker, futures.instrument) == (D("0.004"), 200, 0, 0, 0)
    check_with_margin(futures)


# --- the rest of orders ---------------------------------------------------------------------------


def test_reserve_and_open_sums_fall_with_fills_and_end_with_the_order(futures: Harness) -> None:
    trader, counter = make_trader("9000"), make_trader("9000")
    order = futures.place(trader, BUY, 300, 5_000_300)
    assert stored(order).margin_reserve == D("0.09")
    set_mark(futures, 49_000)
    futures.place(counter, SELL, 100, 5_000_300)

    assert position_of(trader, futures.instrument) == (
        D("0.01"), D("500.03"), D("0.02"), 0, D("0.06"),
    )  # fmt: skip
    assert stored(order).margin_reserve == D("0.06")
    check_with_margin(futures)
    assert futures.cancel(trader, order.command_id) == "canceled"
    assert position_of(trader, futures.instrument)[2:] == (0, 0, 0)
    assert stored(order).margin_reserve == 0
    check_with_margin(futures)


def test_an_expired_order_is_open_no_more(futures: Harness) -> None:
    trader = make_trader("9000")
    until = futures.clock() + 50_000
    futures.place(trader, BUY, 300, 5_100_000, valid_until=until, time_in_force=TimeInForce.GTD)
    while futures.clock() <= until:
        pass
    futures.expire()

    assert Order.objects.get().status == "EXPIRED"
    assert position_of(trader, futures.instrument) == FLAT
    check_with_margin(futures)
