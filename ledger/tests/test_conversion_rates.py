"""Rates and rounding of conversions: exact, and always in favour of the venue. Pure."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.calculations import bought_amount, net_rate, sold_amount


@pytest.mark.parametrize(
    ("rate", "spread", "is_inverse", "net"),
    [
        ("1.08", "0", False, "1.08"),
        ("1.08", "0.002", False, "1.07784"),
        ("1.08", "0", True, "0.925925925925925925"),
        ("1.08", "0.002", True, "0.924074074074074074"),
        ("50000", "0.005", True, "0.0000199"),
        ("3", "0", True, "0.333333333333333333"),
        ("0.000000000000000001", "0", True, "1000000000000000000"),
        ("0.000000000000000001", "0.5", False, "0"),
        ("99999999999999999999.999999999999999999", "0", False,
         "99999999999999999999.999999999999999999"),
    ],
)  # fmt: skip
def test_a_net_rate_is_rounded_down(rate: str, spread: str, is_inverse: bool, net: str) -> None:
    assert net_rate(Decimal(rate), Decimal(spread), is_inverse=is_inverse) == Decimal(net)


@pytest.mark.parametrize(
    ("sell", "sold_scale", "rate", "scale", "buy"),
    [
        ("100", 4, "1.07784", 4, "107.784"),
        ("0.0001", 4, "1.9999", 4, "0.0001"),
        ("0.0001", 4, "0.9999", 4, "0"),
        ("1000", 4, "0.0000199", 8, "0.0199"),
        ("0.0001", 4, "0.0000199", 8, "0"),
        ("0.00000001", 8, "49750", 4, "0.0004"),
        ("999999999999999999.99999999", 8, "99999999999999999999.999999999999999999", 8,
         "99999999999999999999999998999999999999"),
    ],
)  # fmt: skip
def test_what_is_bought_is_rounded_down(
    sell: str, sold_scale: int, rate: str, scale: int, buy: str
) -> None:
    bought = bought_amount(Decimal(sell), Decimal(rate), sold_scale=sold_scale, scale=scale)

    assert bought == Decimal(buy)


@pytest.mark.parametrize(
    ("buy", "bought_scale", "rate", "scale", "sell"),
    [
        ("107.784", 4, "1.07784", 4, "100"),
        ("107.7841", 4, "1.07784", 4, "100.0001"),
        ("0.00000001", 8, "0.0000199", 4, "0.0006"),
        ("1", 4, "0.333333333333333333", 4, "3.0001"),
        ("0.0001", 4, "49750", 8, "0.00000001"),
    ],
)
def test_what_is_sold_is_rounded_up(
    buy: str, bought_scale: int, rate: str, scale: int, sell: str
) -> None:
    sold = sold_amount(Decimal(buy), Decimal(rate), bought_scale=bought_scale, scale=scale)

    assert sold == Decimal(sell)


RATES = st.decimals("0.000000001", "1000000000", places=18)
SPREADS = st.decimals("0", "0.5", places=8)
SCALES = st.integers(0, 8)
UNITS = st.integers(1, 10**20)


@given(RATES, SPREADS, SCALES, SCALES, UNITS)
def test_there_and_back_never_gains(
    rate: Decimal, spread: Decimal, scale: int, other_scale: int, units: int
) -> None:
    there = net_rate(rate, spread, is_inverse=False)
    back = net_rate(rate, spread, is_inverse=True)
    begun = Decimal(units).scaleb(-scale)

    bought = bought_amount(begun, there, sold_scale=scale, scale=other_scale)
    ended = bought_amount(bought, back, sold_scale=other_scale, scale=scale)
    assert ended <= begun

    if there and back:
        cost = sold_amount(begun, back, bought_scale=scale, scale=other_scale)
        cost_of_cost = sold_amount(cost, there, bought_scale=other_scale, scale=scale)
        assert cost_of_cost >= begun


@given(RATES, SPREADS, SCALES, SCALES, UNITS)
def test_both_ways_to_ask_agree(
    rate: Decimal, spread: Decimal, scale: int, other_scale: int, units: int
) -> None:
    """What was quoted for an amount to sell costs no more when it is asked for as bought."""
    net = net_rate(rate, spread, is_inverse=False)
    sell = Decimal(units).scaleb(-scale)
    buy = bought_amount(sell, net, sold_scale=scale, scale=other_scale)

    assert Fraction(buy) <= Fraction(sell) * Fraction(net)
    if buy:
        cheapest = sold_amount(buy, net, bought_scale=other_scale, scale=scale)
        assert cheapest <= sell
        assert bought_amount(cheapest, net, sold_scale=scale, scale=other_scale) >= buy
