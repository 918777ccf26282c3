"""The formulas of margin: the domain's worked example, tables by hand, and properties."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.money import UNITS8
from margin import calculations as margin
from margin.types import Exposure, MarginState, PerpetualTerms

# BTC-PERP: tick 0.5 USDT, lot 0.001 BTC; USDT has six decimals.
FACTOR = 50_000
UNIT = 100
TERMS = PerpetualTerms(FACTOR, UNIT, UNITS8 // 5, UNITS8 // 10)
LOTS = 100  # 0.1 BTC


def ticks(price: str) -> int:
    return int(Fraction(price) * 2)


def usdt(amount: str) -> int:
    return int(Fraction(amount) * UNITS8)


def price(found: Fraction | None) -> Fraction:
    assert found is not None
    return found / 2


def held(quantity: int, entry: str, mark: str, **orders: int) -> Exposure:
    cost = margin.notional(quantity, ticks(entry), FACTOR)
    return Exposure(TERMS, ticks(mark), quantity, cost, **orders)


def state(collateral: str, *exposures: Exposure) -> MarginState:
    return margin.margin_state(usdt(collateral), exposures)


def test_the_worked_example_of_the_domain() -> None:
    at_50 = state("1000", held(LOTS, "50000", "50000"))
    assert (at_50.equity, at_50.initial_margin) == (usdt("1000"), usdt("1000"))
    assert at_50.maintenance_margin == usdt("500")
    assert at_50.free_collateral == 0
    at_51 = state("1000", held(LOTS, "50000", "51000"))
    assert (at_51.unrealized_pnl, at_51.equity) == (usdt("100"), usdt("1100"))
    assert at_51.initial_margin == usdt("1020")
    found = price(margin.liquidation_price(at_50, held(LOTS, "50000", "50000")))
    assert found == Fraction(4000) / Fraction("0.09")
    refused = margin.loss_reserve(True, ticks("70000"), ticks("50000"), LOTS, FACTOR)
    assert refused == usdt("2000")


@pytest.mark.parametrize(
    ("quantity", "entry", "lots", "fill", "left", "cost", "realized"),
    [
        (0, "0", 100, "50000", 100, "5000", "0"),
        (0, "0", -100, "50000", -100, "-5000", "0"),
        (100, "50000", 100, "60000", 200, "11000", "0"),
        (100, "50000", -40, "51000", 60, "3000", "40"),
        (100, "50000", -40, "49000", 60, "3000", "-40"),
        (100, "50000", -100, "51000", 0, "0", "100"),
        (-100, "50000", 40, "49000", -60, "-3000", "40"),
        (-100, "50000", 100, "51000", 0, "0", "-100"),
        # A flip closes, then opens with the rest at the fill's price.
        (100, "50000", -150, "51000", -50, "-2550", "100"),
        (-100, "50000", 150, "49000", 50, "2450", "100"),
    ],
)
def test_fills(
    quantity: int, entry: str, lots: int, fill: str, left: int, cost: str, realized: str
) -> None:
    before = margin.notional(quantity, ticks(entry), FACTOR)
    filled = margin.apply_fill(quantity, before, lots, abs(lots) * ticks(fill) * FACTOR, UNIT)
    assert filled.quantity == left
    assert (filled.cost_basis, filled.realized_pnl) == (usdt(cost), usdt(realized))


@pytest.mark.parametrize(
    ("quantity", "open_buy", "open_sell", "worst"),
    [(0, 0, 0, 0), (100, 0, 0, 100), (100, 50, 0, 150), (100, 0, 150, 100), (100, 0, 250, 150),
     (-100, 250, 0, 150), (-100, 0, 10, 110), (0, 30, 40, 40)],
)  # fmt: skip
def test_initial_margin_is_of_the_worse_side(
    quantity: int, open_buy: int, open_sell: int, worst: int
) -> None:
    exposure = held(quantity, "50000", "50000", open_buy=open_buy, open_sell=open_sell)
    assert margin.initial_margin(exposure) == usdt("10") * worst


@pytest.mark.parametrize(
    ("is_buy", "limit", "reserve"),
    [(True, "51000", "100"), (True, "49000", "0"), (False, "49000", "100"), (False, "51000", "0")],
)
def test_loss_reserve(is_buy: bool, limit: str, reserve: str) -> None:
    found = margin.loss_reserve(is_buy, ticks(limit), ticks("50000"), LOTS, FACTOR)
    assert found == usdt(reserve)


def test_equality_is_enough_to_be_spared() -> None:
    exposure = held(LOTS, "50000", "50000")
    assert not state("500", exposure).must_be_liquidated
    short_of = margin.margin_state(usdt("500") - 1, [exposure])
    assert short_of.must_be_liquidated
    assert short_of.margin_ratio is not None and short_of.margin_ratio > 1


@pytest.mark.parametrize(("collateral", "bankrupt"), [("0", True), ("1", False), ("-1", True)])
def test_bankrupt_has_no_ratio(collateral: str, bankrupt: bool) -> None:
    found = state(collateral, held(LOTS, "50000", "50000"))
    assert found.is_bankrupt is bankrupt
    assert (found.margin_ratio is None) is bankrupt
    assert not state("0").is_bankrupt


@pytest.mark.parametrize(
    ("quantity", "open_buy", "open_sell", "is_buy", "lots", "reduces"),
    [(100, 0, 0, False, 100, True), (100, 0, 0, False, 101, False), (100, 0, 50, False, 51, False),
     (100, 0, 0, True, 1, False), (-100, 40, 0, True, 60, True), (-100, 41, 0, True, 60, False),
     (0, 0, 0, False, 1, False)],
)  # fmt: skip
def test_what_reducing_means(
    quantity: int, open_buy: int, open_sell: int, is_buy: bool, lots: int, reduces: bool
) -> None:
    exposure = held(quantity, "50000", "50000", open_buy=open_buy, open_sell=open_sell)
    assert margin.reduces_only(exposure, is_buy, lots) is reduces


@pytest.mark.parametrize(
    ("collateral", "limit", "allowed"),
    # Equity 400 of a position of 5,000: half is closed. At the mark the ratio doubles; far below it
    # what is lost weighs more than the margin that is freed.
    [("400", "50000", True), ("400", "47000", True), ("400", "45000", False),
     ("400", "30000", False), ("0", "50000", True), ("0", "49999.5", False)],
)  # fmt: skip
def test_when_a_reduction_is_let_through(collateral: str, limit: str, allowed: bool) -> None:
    exposure = held(LOTS, "50000", "50000")
    found = margin.may_reduce(
        state(collateral, exposure), exposure, is_buy=False, lots=50, price=ticks(limit), fee=0
    )
    assert found is allowed


def test_liquidation_price_of_a_short_and_of_the_invulnerable() -> None:
    short = held(-LOTS, "50000", "50000")
    found = price(margin.liquidation_price(state("1000", short), short))
    assert found == Fraction(6000) / Fraction("0.11")
    long = held(LOTS, "50000", "50000")
    assert margin.liquidation_price(state("5000", long), long) is None
    assert margin.liquidation_price(state("1"), held(0, "0", "50000")) is None


def test_bankruptcy_price_shares_the_equity_by_maintenance_margin() -> None:
    long, short = held(LOTS, "50000", "50000"), held(-LOTS, "50000", "50000")
    alone = state("400", long)
    assert price(margin.bankruptcy_price(alone, long)) == 46_000
    both = state("400", long, short)
    assert price(margin.bankruptcy_price(both, long)) == 48_000
    assert price(margin.bankruptcy_price(both, short)) == 52_000
    assert margin.bankruptcy_price(state("1"), held(0, "0", "50000")) is None


@pytest.mark.parametrize(
    ("collateral", "at", "lots"),
    # Each closed lot at the mark frees 5 of maintenance.
    [("500", "50000", 0), ("499", "50000", 1), ("400", "50000", 20), ("1", "50000", 100),
     ("400", "45000", 100), ("400", "47500", 40)],
)  # fmt: skip
def test_no_more_is_closed_than_has_to_be(collateral: str, at: str, lots: int) -> None:
    exposure = held(LOTS, "50000", "50000")
    found = margin.lots_to_close(
        state(collateral, exposure), exposure, ticks(at), fee_rate=0, buffer_rate=0
    )
    assert found == lots


@pytest.mark.parametrize(
    ("premiums", "rate"),
    [([], 0), ([0], 10_000), ([50_000], 10_000), ([100_000], 50_000), ([-100_000], -50_000),
     ([900_000, 1_100_000], 500_000), ([-2_000_000], -500_000)],
)  # fmt: skip
def test_funding_rate(premiums: list[int], rate: int) -> None:
    assert margin.funding_rate(premiums, interest_rate=10_000, cap_rate=500_000) == rate


@pytest.mark.parametrize(
    ("bid", "ask", "sample"),
    [
        (101, 103, 1_000_000),
        (97, 98, -2_000_000),
        (100, 102, 0),
        (1, 900, 0),
        (None, 1, None),
        (1, None, None),
    ],
)
def test_premium_sample(bid: int | None, ask: int | None, sample: int | None) -> None:
    assert margin.premium_sample(bid, ask, 100) == sample


@pytest.mark.parametrize(
    ("premiums", "average"), [([], 0), ([800], 100), ([800, 800], 188), ([800, -800], -13)]
)
def test_one_sample_counts_for_an_eighth_of_the_average(premiums: list[int], average: int) -> None:
    assert margin.premium_average(premiums) == average


def test_the_average_of_a_lasting_premium_comes_near_it() -> None:
    assert 860_000 < margin.premium_average([1_000_000] * 15) < 1_000_000


@pytest.mark.parametrize(
    ("premium", "mark"),
    [(0, 60_000), (1_000_000, 60_600), (5_000_000, 63_000), (90_000_000, 63_000),
     (-4_000_000, 57_600), (-90_000_000, 57_000)],
)  # fmt: skip
def test_a_mark_is_off_its_index_by_half_the_maintenance_rate_at_most(
    premium: int, mark: int
) -> None:
    assert margin.computed_mark(60_000 * UNITS8, premium, UNITS8 // 10) == mark * UNITS8


def test_fee_of_a_liquidation_is_paid_out_of_equity_alone() -> None:
    exposure = held(LOTS, "50000", "50000")
    rate = UNITS8 // 200
    assert margin.liquidation_fee(state("400", exposure), usdt("1000"), rate, UNIT) == usdt("5")
    assert margin.liquidation_fee(state("3", exposure), usdt("1000"), rate, UNIT) == usdt("3")
    assert margin.liquidation_fee(state("-3", exposure), usdt("1000"), rate, UNIT) == 0


def test_who_is_deleveraged_first() -> None:
    winner, loser = held(LOTS, "40000", "50000"), held(LOTS, "60000", "50000")
    bold, careful = state("500", winner), state("50000", winner)
    scores = [
        margin.deleverage_score(bold, winner),
        margin.deleverage_score(careful, winner),
        margin.deleverage_score(state("50000", loser), loser),
        margin.deleverage_score(state("2000", loser), loser),
    ]
    assert scores[0] > scores[1] > 0
    assert scores[1] > max(scores[2:])
    assert margin.deleverage_score(state("1"), held(0, "0", "50000")) == 0


lots_of = st.integers(-500, 500).filter(bool)
marks = st.integers(1, 200_000)
fills = st.lists(st.tuples(lots_of, marks), max_size=30)


@given(fills)
def test_profit_is_what_came_in_less_what_went_out(trades: list[tuple[int, int]]) -> None:
    quantity = cost = realized = cash = 0
    for lots, at in trades:
        filled = margin.apply_fill(quantity, cost, lots, abs(lots) * at * FACTOR, UNIT)
        quantity, cost = filled.quantity, filled.cost_basis
        realized += filled.realized_pnl
        cash -= lots * at * FACTOR
        assert cost % UNIT == 0 == realized % UNIT
        assert quantity * cost >= 0
        assert quantity or not cost
    assert realized - cost == cash


@given(st.integers(-(10**13), 10**13), lots_of, marks, marks)
def test_at_the_liquidation_price_equity_is_the_maintenance_margin(
    collateral: int, quantity: int, entry: int, mark: int
) -> None:
    exposure = Exposure(TERMS, mark, quantity, quantity * entry * FACTOR)
    at = margin.liquidation_price(margin.margin_state(collateral, [exposure]), exposure)
    if at is not None:
        equity = collateral + quantity * at * FACTOR - exposure.cost_basis
        maintenance = abs(quantity) * at * FACTOR / 10
        # The maintenance margin at the mark was rounded up to 10^-8.
        assert abs(equity - maintenance) <= 2


@given(
    st.integers(0, 10**12), lots_of, marks, st.integers(0, 3_000_000), st.integers(0, 20_000_000)
)
def test_after_a_partial_liquidation_the_margin_is_there(
    collateral: int, quantity: int, mark: int, fee_rate: int, buffer: int
) -> None:
    exposure = Exposure(TERMS, mark, quantity, quantity * mark * FACTOR)
    before = margin.margin_state(collateral, [exposure])
    closed = margin.lots_to_close(before, exposure, mark, fee_rate, buffer)
    assert 0 <= closed <= abs(quantity)
    if closed in (0, abs(quantity)):
        return
    left = quantity - closed if quantity > 0 else quantity + closed
    fee = closed * mark * FACTOR * fee_rate // UNITS8
    rest = Exposure(TERMS, mark, left, left * mark * FACTOR)
    after = margin.margin_state(collateral - fee, [rest])
    assert UNITS8 * (after.equity + 3) >= (UNITS8 + buffer) * after.maintenance_margin


@given(st.lists(lots_of, min_size=1, max_size=20), marks, st.integers(-500_000, 500_000))
def test_funding_leaves_a_remainder_and_never_takes_one(
    quantities: list[int], mark: int, rate: int
) -> None:
    everybody = [*quantities, -sum(quantities)]
    paid = [margin.funding_payment(q, mark, FACTOR, rate, UNIT) for q in everybody]
    assert all(amount % UNIT == 0 for amount in paid)
    assert -len(everybody) * UNIT < sum(paid) <= 0
