"""Cents of the classic dialect: in exactly, out rounded down. Pure."""

from decimal import ROUND_FLOOR, Decimal

from common.money import EXACT

_CENT_PLACES = 2


def from_cents(cents: int) -> Decimal:
    """An amount of whole cents."""
    return Decimal(cents).scaleb(-_CENT_PLACES, EXACT)


def to_cents(amount: Decimal) -> int:
    """`amount` in whole cents, rounded down: what is finer than a cent cannot be shown here."""
    return to_whole(amount.scaleb(_CENT_PLACES, EXACT))


def to_whole(quantity: Decimal) -> int:
    """`quantity` as a whole number, rounded down."""
    return int(quantity.to_integral_value(ROUND_FLOOR, EXACT))
