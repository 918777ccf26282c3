"""Cents of the classic dialect: in and out exactly, averages rounded down. Pure."""

from decimal import ROUND_FLOOR, Decimal

from common.money import EXACT
from marketdata.errors import NotInWholeCents

_CENT_PLACES = 2


def from_cents(cents: int) -> Decimal:
    """An amount of whole cents."""
    return Decimal(cents).scaleb(-_CENT_PLACES, EXACT)


def to_cents(amount: Decimal) -> int:
    """`amount` in whole cents.

    Raises:
        NotInWholeCents: it is finer than a cent.
    """
    return to_whole(amount.scaleb(_CENT_PLACES, EXACT))


def to_whole(quantity: Decimal) -> int:
    """`quantity` as a whole number.

    Raises:
        NotInWholeCents: it is none.
    """
    whole = int(quantity)
    if whole != quantity:
        raise NotInWholeCents
    return whole


def mean_in_cents(mean: Decimal) -> int:
    """The mean of prices in whole cents, rounded down: the one figure of the dialect that is."""
    return int(mean.scaleb(_CENT_PLACES, EXACT).to_integral_value(ROUND_FLOOR, EXACT))
