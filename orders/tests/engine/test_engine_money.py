"""What orders hold, cost, earn and are refused for, to the last unit."""

from decimal import Decimal as D

import pytest

from ledger.models import JournalEntry, LedgerAccount, Posting
from marketdata.models import Asset
from orders.matching.types import TimeInForce
from orders.models import BrokerNet, EngineCommand, Order, OrderKey, Trade
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


# --- holds ----------------------------------------------------------------------------------------


def test_a_buy_holds_its_cost_and_its_highest_fee(harness: Harness) -> None:
    change(harness.instrument, maker_fee_rate=D("0.001"), taker_fee_rate=D("0.002"))
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "1000")
    bid = harness.place(buyer, BUY, 10, 999)
    assert stored(bid).hold_amount == D("99.9") + D("0.1998")
    assert balance(buyer, "USD") == (1000, D("100.0998"))

    harness.place(seller, SELL, 4, 999)
    # 59.94 × 0.002 = 0.11988, rounded up.
    assert stored(bid).hold_amount == D("59.94") + D("0.1199")
    assert balance(buyer, "USD") == (D("960"), D("60.0599"))

    assert harness.cancel(buyer, bid.command_id) == "canceled"
    assert stored(bid).hold_amount == 0
    assert balance(buyer, "USD") == (D("960"), 0)
    check_all(harness.engine)


def test_all_money_buys_where_there_is_no_fee(harness: Harness) -> None:
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "100000")
    bid = harness.place(buyer, BUY, 1_000, 10_000)
    assert (bid.status, stored(bid).hold_amount) == ("OPEN", D(100_000))
    assert balance(buyer, "USD") == (100_000, 100_000)
    assert harness.place(seller, SELL, 1_000, 10_000).status == "FILLED"
    assert balance(buyer, "USD") == (0, 0)
    refused = harness.place(buyer, BUY, 1, 1)
    assert refused.facts == {"required": 1_000_000, "available": 0}
    check_all(harness.engine)


@pytest.mark.parametrize(("maker", "taker"), [("-0.001", "0"), ("-0.001", "0.00000001")])
def test_a_rebate_is_not_held(harness: Harness, maker: str, taker: str) -> None:
    change(harness.instrument, maker_fee_rate=D(maker), taker_fee_rate=D(taker))
    buyer = make_account("PREFUNDED", name="B")
    fund(buyer, "USD", "100")
    bid = harness.place(buyer, BUY, 9, 1_000)
    smallest_fee = D("0.0001") if D(taker) else 0
    assert stored(bid).hold_amount == 90 + smallest_fee


def test_two_roles_together_cost_no_more_than_the_fee_that_is_held(harness: Harness) -> None:
    change(harness.instrument, maker_fee_rate=D("0.005"), taker_fee_rate=D("0.005"))
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "0.0201")
    harness.place(seller, SELL, 1, 1)
    # 0.01 × 0.005 is half a unit in either role; both together are one unit.
    bid = harness.place(buyer, BUY, 2, 1)
    assert (stored(bid).taker_fee, stored(bid).hold_amount) == (D("0.0001"), D("0.01"))
    harness.place(seller, SELL, 1, 1)
    assert (stored(bid).status, stored(bid).maker_fee) == ("FILLED", 0)
    assert balance(buyer, "USD") == (0, 0)
    check_all(harness.engine)


def test_a_sell_holds_what_it_sells_until_it_expires(harness: Harness) -> None:
    buyer, seller = make_account(name="B"), make_account("PREFUNDED", name="S")
    fund(seller, "ACME", "10")
    soon = harness.clock() + 80_000
    ask = harness.place(seller, SELL, 8, 1_000, valid_until=soon)
    assert balance(seller, "ACME") == (10, 8)
    harness.place(buyer, BUY, 3, 1_000)
    assert balance(seller, "ACME") == (7, 5)
    while stored(ask).status != "EXPIRED":
        harness.turn()
    assert balance(seller, "ACME") == (7, 0)
    assert balance(seller, "USD") == (30, 0)


def test_a_price_improvement_is_freed_at_once(harness: Harness) -> None:
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "100")
    harness.place(seller, SELL, 10, 700)
    bid = harness.place(buyer, BUY, 10, 1_000)
    assert (bid.status, bid.filled_lots) == ("FILLED", 10)
    assert balance(buyer, "USD") == (D("30"), 0)


def test_credit_reaches_down_to_its_limit_and_may_go_short(harness: Harness) -> None:
    account, other = make_account(limit=D(100), name="B"), make_account(name="S")
    bid = harness.place(account, BUY, 10, 999)
    assert (bid.status, stored(bid).hold_amount) == ("OPEN", D("99.9"))
    refused = harness.place(account, BUY, 1, 11)
    assert (refused.status, refused.reason) == ("REJECTED", "credit_limit_exceeded")
    assert refused.facts == {"required": 11_000_000, "available": 10_000_000}
    harness.place(other, SELL, 10, 999)
    assert balance(account, "USD") == (D("-99.90"), 0)
    assert balance(account, "ACME") == (10, 0)

    ask = harness.place(account, SELL, 50, 2_000)
    assert (ask.status, stored(ask).hold_amount) == ("OPEN", 0)
    harness.place(other, BUY, 50, 2_000)
    assert balance(account, "ACME") == (-40, 0)
    check_all(harness.engine)


@pytest.mark.parametrize(
    ("maker", "taker", "price", "first", "rest"),
    [
        ("0.0013", "0.0021", 997, 2, (1, 1, 3)),
        ("0.0021", "0.0013", 997, 3, (1, 1, 1, 1)),
        ("0.00005", "0.00005", 1, 5, (1,) * 6),
        ("0.0333", "0.0333", 1, 1, (1, 1, 2, 1)),
        ("0.00755", "0.00745", 33, 7, (3, 1, 1)),
        ("-0.001", "0.0005", 101, 3, (1, 1)),
        ("0.5", "0.5", 3, 1, (1, 1, 1)),
        # Half a unit of fee in either role: rounded up twice, they would cost more than the hold.
        ("0.005", "0.005", 1, 1, (1,)),
        ("0.005", "0.005", 1, 1, (1, 1, 1)),
    ],
)
def test_who_has_exactly_the_hold_can_pay_every_fill(
    harness: Harness, maker: str, taker: str, price: int, first: int, rest: tuple[int, ...]
) -> None:
    change(harness.instrument, maker_fee_rate=D(maker), taker_fee_rate=D(taker))
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    notional = (first + sum(rest)) * D(price) / 100
    fee = max(D(maker), D(taker), D(0)) * notional
    hold = notional + fee.quantize(D("0.0001"), "ROUND_CEILING")
    fund(buyer, "USD", str(hold))

    one_short = harness.place(buyer, BUY, first + sum(rest) + 1, price)
    assert one_short.reason == "insufficient_funds"
    harness.place(seller, SELL, first, price)
    bid = harness.place(buyer, BUY, first + sum(rest), price)
    assert bid.status == "PARTIALLY_FILLED"
    for quantity in rest:
        order = stored(bid)
        assert order.hold_amount == balance(buyer, "USD")[1] <= balance(buyer, "USD")[0]
        assert harness.place(seller, SELL, quantity, price).status == "FILLED"
    order = stored(bid)
    assert (order.status, order.hold_amount) == ("FILLED", 0)
    posted, held = balance(buyer, "USD")
    assert held == 0
    assert posted == hold - notional - order.maker_fee - order.taker_fee >= 0
    check_all(harness.engine)


# --- refusals -------------------------------------------------------------------------------------


def test_a_refusal_is_stored_and_changes_nothing_else(harness: Harness) -> None:
    poor, seller = make_account("PREFUNDED", name="P"), make_account(name="S")
    fund(poor, "USD", "10")
    fund(poor, "ACME", "2")
    ask = harness.place(seller, SELL, 5, 1_000)
    before = list(LedgerAccount.objects.order_by("id").values())
    entries = JournalEntry.objects.count()
    commands = [
        harness.place_command(poor, BUY, 1, 1_100, client_order_id="buy"),
        harness.place_command(poor, SELL, 3, 1_100),
        harness.place_command(poor, BUY, 2),
        harness.place_command(poor, SELL, 3, 1, time_in_force=IOC),
        harness.place_command(poor, BUY, 5, 1_000, time_in_force=IOC),
    ]
    outcomes = harness.carry_out(*commands)

    assert [(o.status, o.reason) for o in outcomes] == [
        ("REJECTED", "insufficient_funds"),
        ("REJECTED", "insufficient_position"),
        ("REJECTED", "insufficient_funds"),
        # Nothing would be bought from it: nothing is needed for it.
        ("CANCELED", "immediate_or_cancel"),
        ("REJECTED", "insufficient_funds"),
    ]
    assert outcomes[0].facts == {"required": 1_100_000_000, "available": 1_000_000_000}
    assert outcomes[1].facts == {"required": 300_000_000, "available": 200_000_000}
    assert outcomes[2].facts == {"required": 2_000_000_000, "available": 1_000_000_000}
    for outcome in outcomes:
        order = stored(outcome)
        assert (order.status, order.reason) == (outcome.status, outcome.reason)
        assert (order.filled_quantity, order.hold_amount) == (0, 0)
    accounts = list(LedgerAccount.objects.order_by("id").values())
    assert accounts[: len(before)] == before
    # An owner within reach of a market order gets the account that a trade would have paid into.
    assert all(row["version"] == 0 for row in accounts[len(before) :])
    assert (Trade.objects.count(), JournalEntry.objects.count()) == (0, entries)
    assert (EngineCommand.objects.count(), OrderKey.objects.count()) == (0, 1)
    assert BrokerNet.objects.count() == 0
    assert stored(ask).status == "OPEN"
    check_all(harness.engine)


def test_a_market_buy_is_checked_against_what_its_walk_costs(harness: Harness) -> None:
    change(harness.instrument, taker_fee_rate=D("0.001"))
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    harness.carry_out(
        harness.place_command(seller, SELL, 2, 1_000),
        harness.place_command(seller, SELL, 2, 1_500),
        harness.place_command(seller, SELL, 2, 9_000),
    )
    fund(buyer, "USD", "35.0349")
    # 2 × 10 + 1 × 15 = 35, and a fee of 0.035.
    assert harness.place(buyer, BUY, 3).facts == {
        "required": 3_503_500_000,
        "available": 3_503_490_000,
    }
    fund(buyer, "USD", "0.0001")
    # An IOC stops at its limit, whatever it wants; a MARKET order takes all it wants.
    assert harness.place(buyer, BUY, 7).reason == "insufficient_funds"
    taken = harness.place(buyer, BUY, 3)
    assert (taken.status, taken.taker_fee) == ("FILLED", 3_500_000)
    assert balance(buyer, "USD") == (0, 0)
    fund(buyer, "USD", "15.015")
    ioc = harness.place(buyer, BUY, 100, 1_500, time_in_force=IOC)
    assert (ioc.status, ioc.reason, ioc.filled_lots) == ("CANCELED", "immediate_or_cancel", 1)
    assert balance(buyer, "USD") == (0, 0)
    check_all(harness.engine)


def test_a_market_buy_needs_no_money_for_what_lies_past_its_collar(harness: Harness) -> None:
    change(harness.instrument, market_collar_rate=D("0.1"))
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    harness.place(seller, SELL, 1, 1_000)
    harness.place(seller, SELL, 1, 1_200)
    fund(buyer, "USD", "10")
    taken = harness.place(buyer, BUY, 2)
    assert (taken.status, taken.reason, taken.filled_lots) == ("CANCELED", "no_liquidity", 1)


# --- fees -----------------------------------------------------------------------------------------


def test_a_hundred_small_fills_cost_what_one_big_one_does(harness: Harness) -> None:
    """Alone each fill of 0.05 would cost 0.0001 at a rate of 0.001, all together 0.01."""
    change(harness.instrument, maker_fee_rate=D("0.001"), taker_fee_rate=D("0.001"))
    one, many = make_account(name="O"), make_account(name="M")
    harness.carry_out(*[harness.place_command(many, SELL, 1, 5) for _ in range(100)])
    taker = harness.place(one, BUY, 100, 5)
    assert (taker.taker_fee, len(taker.fills)) == (500_000, 100)
    assert sum(fill.fee for fill in taker.fills) == 500_000

    maker = harness.place(one, BUY, 100, 5)
    harness.carry_out(*[harness.place_command(many, SELL, 1, 5) for _ in range(100)])
    assert stored(maker).maker_fee == D("0.005")
    harness.place(one, BUY, 100, 5)
    big = harness.place(many, SELL, 100, 5)
    assert big.taker_fee == 500_000
    # The orders of one lot each paid the smallest fee alone.
    assert balance(many, "USD")[0] == 15 - D("0.01") - D("0.01") - D("0.005")
    assert LedgerAccount.objects.get(kind="FEES").posted_balance == D("0.0400")
    check_all(harness.engine)


def test_a_maker_can_earn_a_rebate(harness: Harness) -> None:
    change(harness.instrument, maker_fee_rate=D("-0.001"), taker_fee_rate=D("0.003"))
    maker, taker = make_account("PREFUNDED", name="M"), make_account(name="T")
    fund(maker, "USD", "100.3")
    bid = harness.place(maker, BUY, 10, 1_000)
    assert stored(bid).hold_amount == D("100.3")
    harness.place(taker, SELL, 10, 1_000)
    assert balance(maker, "USD") == (D("0.4"), 0)
    assert balance(taker, "USD") == (D("99.70"), 0)
    assert LedgerAccount.objects.get(kind="FEES").posted_balance == D("0.20")
    check_all(harness.engine)


# --- prices and parties ---------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "gap_price"), [("SELLER", "9.90"), ("MAKER", "10")])
def test_the_rule_decides_the_price_of_a_gap(harness: Harness, rule: str, gap_price: str) -> None:
    change(harness.instrument, price_rule=rule)
    buyer, seller = make_account(name="B"), make_account(name="S")
    harness.place(buyer, BUY, 1, 1_000)
    harness.place(seller, SELL, 1, 990)
    harness.place(seller, SELL, 1, 980)
    harness.place(buyer, BUY, 1, 1_000)
    harness.place(buyer, BUY, 1, 970)
    harness.place(seller, SELL, 1)
    prices = Trade.objects.order_by("sequence").values_list("price", flat=True)
    # The resting seller's price under both rules, and the resting bid's for a market sell.
    assert list(prices) == [D(gap_price), D("9.80"), D("9.70")]


def test_an_account_may_trade_with_itself(harness: Harness) -> None:
    change(harness.instrument, maker_fee_rate=D("0.001"), taker_fee_rate=D("0.002"))
    account = make_account("PREFUNDED")
    fund(account, "USD", "200")
    fund(account, "ACME", "10")
    harness.place(account, SELL, 10, 1_000)
    bid = harness.place(account, BUY, 10, 1_000)
    assert bid.status == "FILLED"
    assert balance(account, "USD") == (D("199.70"), 0)
    assert balance(account, "ACME") == (10, 0)
    entry = JournalEntry.objects.get(kind="TRADE")
    assert sorted(Posting.objects.filter(entry=entry).values_list("amount", flat=True)) == [
        D("-0.3"),
        D("0.3"),
    ]
    assert not BrokerNet.objects.exists()
    check_all(harness.engine)


def test_the_classic_net_is_sold_minus_bought_without_fees(harness: Harness) -> None:
    change(harness.instrument, maker_fee_rate=D("0.01"), taker_fee_rate=D("0.01"))
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "1000")
    harness.place(seller, SELL, 10, 1_000)
    harness.place(buyer, BUY, 4, 1_000)
    harness.place(buyer, BUY, 2, 1_000)
    harness.place(buyer, SELL, 1, 900)
    harness.place(seller, BUY, 1, 900)
    usd = Asset.objects.get(code="USD")
    nets = {net.broker_id: net for net in BrokerNet.objects.all()}
    assert nets[buyer.broker_id].net_amount == -60 + 9
    assert nets[seller.broker_id].net_amount == 60 - 9
    assert {(net.shard, net.asset_id) for net in nets.values()} == {(0, usd.id)}
    assert Order.objects.filter(status="FILLED").count() == 4
