"""Liquidation by the engine, with figures that can be followed by hand: 0.1 BTC at 50,000."""

from decimal import Decimal as D

import pytest

from brokers.models import TradingAccount
from brokers.services.house import get_dealer_account_id, get_insurance_account_id
from common.ids import new_uuid
from ledger.models import JournalEntry
from ledger.services import post_entry
from ledger.types import AccountKind, ClientAccount, EntryKind, Line, VenueAccount
from margin.models import FreezeChange, Liquidation, LiquidationStep, MarginAccount, Position
from orders.engine.core.perpetuals import margin_checks
from orders.models import EngineCommand, Order, Trade
from orders.tests.engine.harness import BUY, SELL, Harness, change, make_account, stored
from orders.tests.engine.invariants import check_all
from orders.tests.engine.margin import (
    age_marks,
    check_with_margin,
    collateral_of,
    deal,
    feed_fund,
    fund_balance,
    liquidate,
    liquidate_command,
    make_perpetual,
    make_trader,
    position_of,
    set_mark,
)

FLAT = (0, 0, 0, 0, 0)
MARGIN = AccountKind.MARGIN


def trade(
    harness: Harness, buyer: TradingAccount, seller: TradingAccount, lots: int, price: int
) -> None:
    assert harness.place(seller, SELL, lots, price * 100).status == "OPEN"
    assert harness.place(buyer, BUY, lots, price * 100).status == "FILLED"


def steps_of(liquidation: Liquidation) -> list[str]:
    return list(liquidation.steps.order_by("number").values_list("kind", flat=True))


def step(kind: str) -> LiquidationStep:
    return LiquidationStep.objects.get(kind=kind)


def check(harness: Harness) -> None:
    """Everything agrees, and a restart finds what was in memory."""
    check_with_margin(harness)
    harness.restart()
    check_all(harness.engine)


# --- who is liquidated ----------------------------------------------------------------------------


def test_an_account_with_exactly_its_maintenance_margin_is_left_alone(futures: Harness) -> None:
    long, short = make_trader("1000"), make_trader("10000")
    trade(futures, long, short, 1_000, 50_000)
    # 0.1 × 0.9 × mark = 4,000 where equity is the margin: 44,444.44 is above it by a little.
    set_mark(futures, 44_445)

    assert liquidate(futures, long) == "not_needed"
    assert not Liquidation.objects.exists()
    assert position_of(long, futures.instrument)[0] == D("0.1")
    assert EngineCommand.objects.filter(kind="liquidate").get().result == "not_needed"
    check(futures)


def test_a_stale_mark_and_a_halt_protect_the_account(futures: Harness) -> None:
    long, short = make_trader("1000"), make_trader("10000")
    trade(futures, long, short, 1_000, 50_000)
    set_mark(futures, 44_000)
    change(futures.instrument, state="HALTED")
    assert liquidate(futures, long) == "instrument_not_trading"
    change(futures.instrument, state="CONTINUOUS")
    age_marks(601)
    futures.restart()
    assert liquidate(futures, long) == "mark_price_stale"

    assert not Liquidation.objects.exists()
    assert not MarginAccount.objects.exists()
    check(futures)


def test_nobody_liquidates_the_house_or_who_has_nothing(futures: Harness) -> None:
    house = TradingAccount.objects.get(id=get_dealer_account_id())
    assert liquidate(futures, house) == "not_needed"
    assert liquidate(futures, make_account()) == "not_needed"
    assert liquidate(futures, house, account_id=999_999) == "not_needed"
    check(futures)


# --- on the book ----------------------------------------------------------------------------------


def test_no_more_is_closed_than_has_to_be(futures: Harness) -> None:
    long, short, bidder = make_trader("1000"), make_trader("10000"), make_trader("100000")
    trade(futures, long, short, 1_000, 50_000)
    resting = futures.place(long, SELL, 500, 6_000_000)
    set_mark(futures, 44_000)
    assert futures.place(bidder, BUY, 10_000, 4_400_000).status == "OPEN"

    # Equity 400 against 440; each lot that is closed at the mark frees 0.44: 91 lots.
    assert liquidate(futures, long) == "done"

    liquidation = Liquidation.objects.get()
    assert steps_of(liquidation) == ["FREEZE", "CANCEL_ORDERS", "CLOSE_ON_BOOK", "UNFREEZE"]
    assert liquidation.outcome == "RESTORED"
    assert (liquidation.equity_before, liquidation.maintenance_margin_before) == (400, 440)
    assert (liquidation.equity_after, liquidation.maintenance_margin_after) == (400, D("399.96"))
    assert (liquidation.fee, liquidation.fund_result, liquidation.bad_debt) == (0, 0, 0)
    closing = step("CLOSE_ON_BOOK")
    assert (closing.quantity, closing.price, closing.mark_price) == (D("-0.0091"), 44_000, 44_000)
    assert (closing.maintenance_margin_before, closing.maintenance_margin_after) == (
        440,
        D("399.96"),
    )
    assert step("CANCEL_ORDERS").quantity == 1
    assert (stored(resting).status, stored(resting).reason) == ("CANCELED", "liquidation")
    assert position_of(long, futures.instrument) == (D("0.0909"), 4_545, 0, 0, 0)
    assert collateral_of(long) == D("945.4")
    order = Order.objects.get(venue="FORCED")
    assert order.id == closing.order_id
    assert (order.status, order.quantity) == ("FILLED", D("0.0091"))
    # It may trade again.
    assert not MarginAccount.objects.exists()
    assert futures.place(long, SELL, 1, 4_500_000).status == "OPEN"
    check(futures)


def test_a_liquidation_makes_no_market_price(futures: Harness) -> None:
    long, short, bidder = make_trader("1000"), make_trader("10000"), make_trader("100000")
    trade(futures, long, short, 1_000, 50_000)
    set_mark(futures, 44_000)
    futures.place(bidder, BUY, 10_000, 4_300_000)
    assert liquidate(futures, long) == "done"

    instrument_id = futures.instrument.id
    assert futures.engine.state.last_prices[instrument_id] == 5_000_000
    assert futures.engine.state.positions.marks[instrument_id].price == 4_400_000
    assert Trade.objects.filter(venue="FORCED").count() == 1
    check(futures)


def test_it_goes_through_the_book_offer_by_offer_down_to_the_bankruptcy_price(
    futures: Harness,
) -> None:
    feed_fund("10000")
    long, short = make_trader("1000"), make_trader("10000")
    bidders = [make_trader("100000") for _ in range(3)]
    trade(futures, long, short, 1_000, 50_000)
    set_mark(futures, 44_000)
    for bidder, price in zip(bidders, (41_000, 40_000, 39_800), strict=True):
        futures.place(bidder, BUY, 100, price * 100)

    # 40 are missing; the first bid brings 14, the second 4. The third is below the bankruptcy
    # price of what is left then: 400 − 30 − 40 = 330 on 0.08, 44,000 − 330 / 0.08 = 39,875.
    assert liquidate(futures, long) == "done"

    liquidation = Liquidation.objects.get()
    assert steps_of(liquidation) == ["FREEZE", "CLOSE_ON_BOOK", "TAKEOVER", "UNFREEZE"]
    closing, takeover = step("CLOSE_ON_BOOK"), step("TAKEOVER")
    assert (closing.quantity, closing.price) == (D("-0.02"), 40_500)
    assert closing.equity_after == 330
    assert (takeover.quantity, takeover.price) == (D("-0.08"), 39_875)
    assert position_of(bidders[2], futures.instrument)[2] == D("0.01")
    assert (liquidation.outcome, liquidation.equity_after) == ("CLOSED", 0)
    assert liquidation.fund_result == 330
    assert (position_of(long, futures.instrument), collateral_of(long)) == (FLAT, 0)
    check(futures)


def test_makers_that_cannot_carry_it_are_canceled_and_it_looks_again(futures: Harness) -> None:
    long, short = make_trader("1000"), make_trader("10000")
    weak, strong = make_trader("499"), make_trader("100000")
    trade(futures, long, short, 1_000, 50_000)
    weak_bid = futures.place(weak, BUY, 499, 4_400_000)
    strong_bid = futures.place(strong, BUY, 1_000, 4_390_000)
    assert {weak_bid.status, strong_bid.status} == {"OPEN"}
    # At 41,000 a fill at 44,000 would leave `weak` with 349.30 where 409.18 are needed.
    set_mark(futures, 41_000)

    assert liquidate(futures, long) == "done"

    assert (stored(weak_bid).status, stored(weak_bid).reason) == (
        "CANCELED",
        "insufficient_margin",
    )
    assert stored(strong_bid).status == "PARTIALLY_FILLED"
    assert Liquidation.objects.get().outcome == "RESTORED"
    check(futures)


def test_however_many_makers_cannot_carry_it_one_that_can_is_found(
    futures: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each miss locks some owners further on, as often as it takes."""
    monkeypatch.setattr(margin_checks, "_OWNERS_AHEAD", 1)
    long, short, strong = make_trader("1000"), make_trader("10000"), make_trader("100000")
    trade(futures, long, short, 1_000, 50_000)
    weak = [make_trader("499") for _ in range(14)]
    for maker in weak:
        assert futures.place(maker, BUY, 499, 4_400_000).status == "OPEN"
    assert futures.place(strong, BUY, 1_000, 4_390_000).status == "OPEN"
    set_mark(futures, 41_000)

    assert liquidate(futures, long) == "done"
    assert Order.objects.filter(reason="insufficient_margin").count() == 14
    assert Liquidation.objects.get().outcome == "RESTORED"
    check(futures)


def test_a_short_is_bought_back(futures: Harness) -> None:
    long, short, asker = make_trader("10000"), make_trader("1000"), make_trader("100000")
    trade(futures, long, short, 1_000, 50_000)
    set_mark(futures, 55_000)
    futures.place(asker, SELL, 10_000, 5_510_000)

    # Equity 500 against 550; a lot frees 0.55 and loses 0.01: 50 / 0.54 → 93 lots.
    assert liquidate(futures, short) == "done"
    closing = step("CLOSE_ON_BOOK")
    assert (closing.quantity, closing.price) == (D("0.0093"), 55_100)
    assert position_of(short, futures.instrument)[0] == D("-0.0907")
    check(futures)


def test_fee_and_buffer(futures: Harness) -> None:
    change(futures.instrument, liquidation_fee_rate=D("0.005"), liquidation_buffer_rate=D("0.05"))
    long, short, bidder = make_trader("1000"), make_trader("10000"), make_trader("100000")
    trade(futures, long, short, 1_000, 50_000)
    set_mark(futures, 44_000)
    futures.place(bidder, BUY, 10_000, 4_400_000)

    # Wanted: 1.05 × 440 = 462, missing 62; a lot frees 0.462 and costs 0.022: 62 / 0.44 → 141.
    assert liquidate(futures, long) == "done"

    liquidation = Liquidation.objects.get()
    assert step("CLOSE_ON_BOOK").quantity == D("-0.0141")
    assert liquidation.fee == step("FEE").amount == D("0.0141") * 44_000 * D("0.005")
    assert liquidation.fund_result == liquidation.fee == fund_balance()
    assert liquidation.equity_after == 400 - liquidation.fee
    assert liquidation.equity_after >= liquidation.maintenance_margin_after * D("1.05")
    assert JournalEntry.objects.filter(kind="LIQUIDATION").count() == 1
    check(futures)


# --- the fund, the other side, and what nobody bears ----------------------------------------------


def test_the_fund_takes_what_the_book_does_not(futures: Harness) -> None:
    feed_fund("10000")
    long, short = make_trader("1000"), make_trader("10000")
    trade(futures, long, short, 1_000, 50_000)
    # Equity −100: the bankruptcy price is 40,000, a thousand above the mark.
    set_mark(futures, 39_000)

    assert liquidate(futures, long) == "done"

    liquidation = Liquidation.objects.get()
    assert steps_of(liquidation) == ["FREEZE", "TAKEOVER"]
    assert (liquidation.equity_before, liquidation.equity_after) == (-100, 0)
    assert (liquidation.fund_result, liquidation.bad_debt) == (-100, 0)
    fund = TradingAccount.objects.get(id=get_insurance_account_id())
    assert position_of(fund, futures.instrument) == (D("0.1"), 4_000, 0, 0, 0)
    assert (collateral_of(long), fund_balance()) == (0, 10_000)
    # Who had less than nothing left stays frozen until staff has looked.
    assert MarginAccount.objects.get().is_frozen
    frozen = FreezeChange.objects.get()
    assert (frozen.account, frozen.is_frozen, frozen.actor) == (long, True, "engine 0")
    check(futures)


def test_an_empty_fund_lets_the_other_side_close_by_profit_and_leverage(futures: Harness) -> None:
    long = make_trader("1000")
    rich, lean = make_trader("100000"), make_trader("700")
    trade(futures, long, rich, 400, 50_000)
    trade(futures, long, lean, 600, 50_000)
    set_mark(futures, 39_000)

    assert liquidate(futures, long) == "done"

    liquidation = Liquidation.objects.get()
    assert steps_of(liquidation) == ["FREEZE", "DELEVERAGE", "DELEVERAGE"]
    first, second = LiquidationStep.objects.filter(kind="DELEVERAGE").order_by("number")
    # The same profit rate, but `lean` has the higher leverage.
    assert (first.counterparty_id, first.quantity, first.price) == (lean.id, D("-0.06"), 40_000)
    assert (second.counterparty_id, second.quantity) == (rich.id, D("-0.04"))
    for account in (long, rich, lean):
        assert position_of(account, futures.instrument) == FLAT
    assert collateral_of(lean) == 700 + 600
    assert (liquidation.fund_result, fund_balance()) == (0, 0)
    check(futures)


def test_the_fund_takes_what_it_can_carry_and_the_other_side_the_rest(futures: Harness) -> None:
    feed_fund("250")
    long, short = make_trader("1000"), make_trader("10000")
    trade(futures, long, short, 1_000, 50_000)
    set_mark(futures, 39_000)

    assert liquidate(futures, long) == "done"

    # A lot costs the fund 0.1 and binds 0.39: 250 / 0.49 → 510 lots.
    assert step("TAKEOVER").quantity == D("-0.051")
    assert step("DELEVERAGE").quantity == D("-0.049")
    assert Liquidation.objects.get().fund_result == -51
    check(futures)


def test_what_nobody_can_bear_is_a_bad_debt_of_the_fund(futures: Harness) -> None:
    long, first, thin = make_trader("1000"), make_trader("10000"), make_trader("610")
    trade(futures, long, first, 1_000, 50_000)
    set_mark(futures, 30_100)
    trade(futures, first, thin, 1_000, 30_100)
    # `long` has −1,000. At 40,000 `thin` could close 457 lots and still carry the others.
    set_mark(futures, 30_000)

    assert liquidate(futures, long) == "done"

    liquidation = Liquidation.objects.get()
    kinds = ["FREEZE", "DELEVERAGE", "DELEVERAGE", "BAD_DEBT"]
    assert steps_of(liquidation) == kinds
    first_step, second_step = LiquidationStep.objects.filter(kind="DELEVERAGE").order_by("number")
    assert (first_step.quantity, first_step.price) == (D("-0.0457"), 40_000)
    assert (second_step.quantity, second_step.price) == (D("-0.0543"), 30_000)
    assert liquidation.bad_debt == step("BAD_DEBT").amount == 543
    assert (liquidation.fund_result, fund_balance(), collateral_of(long)) == (-543, -543, 0)
    assert JournalEntry.objects.filter(kind="BAD_DEBT").count() == 1
    assert not Position.objects.exclude(quantity=0).exists()
    check(futures)


def test_the_dealer_gives_up_its_side_whatever_it_has(futures: Harness) -> None:
    long = make_trader("1000")
    dealer = TradingAccount.objects.get(id=get_dealer_account_id())
    assert deal(futures, dealer, long, BUY, 1_000).status == "FILLED"
    set_mark(futures, 39_000)

    assert liquidate(futures, long) == "done"
    assert step("DELEVERAGE").counterparty_id == dealer.id
    assert position_of(dealer, futures.instrument) == FLAT
    assert (collateral_of(long), collateral_of(dealer)) == (0, 1_000)
    check(futures)


def test_collateral_below_zero_without_positions_is_a_bad_debt(futures: Harness) -> None:
    trader = make_trader("0")
    post_entry(
        kind=EntryKind.FUNDING,
        source_kind="test",
        source_id=new_uuid(),
        lines=[
            Line(ClientAccount(trader.id, futures.instrument.quote_asset_id, MARGIN), D(-7)),
            Line(VenueAccount(AccountKind.FUNDING, futures.instrument.quote_asset_id), D(7)),
        ],
        actor="test",
    )

    assert liquidate(futures, trader) == "done"
    assert steps_of(Liquidation.objects.get()) == ["FREEZE", "BAD_DEBT"]
    assert (collateral_of(trader), fund_balance()) == (0, -7)
    check(futures)


# --- several perpetuals ---------------------------------------------------------------------------


def test_the_position_that_binds_most_is_closed_first(futures: Harness) -> None:
    ether = make_perpetual("ETH-PERP")
    futures.restart()
    set_mark(futures, 2_000, instrument_id=ether.id)
    long, other = make_trader("1500"), make_trader("100000")
    trade(futures, long, other, 1_000, 50_000)
    futures.place(other, SELL, 10_000, 200_000, instrument_id=ether.id)
    assert futures.place(long, BUY, 10_000, 200_000, instrument_id=ether.id).status == "FILLED"
    futures.place(other, BUY, 10_000, 4_050_000)
    futures.place(other, BUY, 50_000, 200_000, instrument_id=ether.id)
    # 1,500 − 950 = 550 against 405 + 200.
    set_mark(futures, 40_500)

    assert liquidate(futures, long) == "done"

    closing = step("CLOSE_ON_BOOK")
    # 55 missing, a lot at the mark frees 0.405.
    assert (closing.instrument_id, closing.quantity) == (futures.instrument.id, D("-0.0136"))
    assert position_of(long, ether)[0] == 1
    check(futures)


def test_every_position_is_handed_over_at_its_own_bankruptcy_price(futures: Harness) -> None:
    feed_fund("100000")
    ether = make_perpetual("ETH-PERP")
    futures.restart()
    set_mark(futures, 2_000, instrument_id=ether.id)
    long, other = make_trader("1500"), make_trader("100000")
    trade(futures, long, other, 1_000, 50_000)
    futures.place(other, SELL, 10_000, 200_000, instrument_id=ether.id)
    assert futures.place(long, BUY, 10_000, 200_000, instrument_id=ether.id).status == "FILLED"
    set_mark(futures, 38_000)

    # Equity 300, margins 380 and 200: each gives its share of the equity.
    assert liquidate(futures, long) == "done"
    takeovers = LiquidationStep.objects.filter(kind="TAKEOVER").order_by("number")
    assert [(one.quantity, one.price) for one in takeovers] == [
        (D("-0.1"), D("36034.49")),
        (D("-1"), D("1896.56")),
    ]
    liquidation = Liquidation.objects.get()
    # What rounding to whole cents leaves is the fee's, which is none here.
    assert 0 <= liquidation.equity_after < D("0.02")
    assert liquidation.fund_result == 300 - liquidation.equity_after
    check(futures)


# --- once, and together with others ---------------------------------------------------------------


def test_the_same_command_and_a_second_sweep_act_once(futures: Harness) -> None:
    feed_fund("10000")
    long, short = make_trader("1000"), make_trader("10000")
    trade(futures, long, short, 1_000, 50_000)
    set_mark(futures, 44_000)
    first, second = liquidate_command(long), liquidate_command(long)

    outcomes = futures.carry_out(first, first, second)
    assert [one.result for one in outcomes] == ["done", "done", "not_needed"]
    futures.restart()
    assert futures.carry_out(first)[0].result == "done"
    assert Liquidation.objects.count() == 1
    check(futures)


def test_many_in_one_batch_with_orders_of_the_same_batch(futures: Harness) -> None:
    feed_fund("10000")
    short = make_trader("100000")
    longs = [make_trader("1000") for _ in range(3)]
    for long in longs:
        trade(futures, long, short, 1_000, 50_000)
    set_mark(futures, 44_000)
    place = futures.place_command(longs[2], SELL, 10, 5_000_000)
    late = futures.place_command(longs[0], BUY, 1, 4_400_000)
    commands = [liquidate_command(long) for long in longs]

    outcomes = futures.carry_out(place, *commands, late)
    assert outcomes[0].status == "OPEN"
    assert [one.result for one in outcomes[1:4]] == ["done"] * 3
    # Flat, with nothing left.
    assert outcomes[4].reason == "insufficient_margin"
    assert stored(place).status == "CANCELED"
    assert Liquidation.objects.count() == 3
    fund = TradingAccount.objects.get(id=get_insurance_account_id())
    assert position_of(fund, futures.instrument)[0] == D("0.3")
    check(futures)


def test_who_trades_between_two_liquidations_of_a_batch_takes_part(futures: Harness) -> None:
    first, second = make_trader("1000"), make_trader("1000")
    one, other, new = make_trader("10000"), make_trader("10000"), make_trader("10000")
    trade(futures, first, one, 1_000, 50_000)
    trade(futures, second, other, 1_000, 50_000)
    set_mark(futures, 39_000)
    sell = futures.place_command(new, SELL, 1_000, 3_900_000)
    buy = futures.place_command(other, BUY, 1_000, 3_900_000)

    outcomes = futures.carry_out(liquidate_command(first), sell, buy, liquidate_command(second))
    assert [one.result for one in (outcomes[0], outcomes[3])] == ["done", "done"]
    names = set(LiquidationStep.objects.filter(kind="DELEVERAGE").values_list("counterparty_id"))
    assert len(names) == 2
    assert not Position.objects.exclude(quantity=0).exists()
    check(futures)


def test_a_frozen_account_stays_frozen(futures: Harness) -> None:
    feed_fund("10000")
    long, short = make_trader("1000"), make_trader("10000")
    trade(futures, long, short, 1_000, 50_000)
    asset = futures.instrument.quote_asset
    MarginAccount.objects.create(
        account=long, asset=asset, is_frozen=True, frozen_reason="looked at"
    )
    set_mark(futures, 39_000)
    assert liquidate(futures, long) == "done"
    assert steps_of(Liquidation.objects.get()) == ["TAKEOVER"]
    assert MarginAccount.objects.get().frozen_reason == "looked at"
    assert not FreezeChange.objects.exists()
    check(futures)
