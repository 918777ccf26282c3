"""Exact numbers: decimals in and out, integers of smallest units inside. Never a float.

`scale` is the number of decimal places of an asset: USD 4, BTC 8. One unit of an asset is
`10 ** scale` smallest units.
"""

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

# NUMERIC(38, 8): every amount of the ledger fits, and the context never rounds one.
MAX_DIGITS = 38
DECIMAL_PLACES = 8
# Bulk code counts money, quantities and rates in integers of 10^-8, whatever an asset's scale.
UNITS8 = 10**DECIMAL_PLACES
EXACT = Context(prec=60)


def to_units(amount: Decimal, scale: int) -> int:
    """`amount` in smallest units.

    Raises:
        ValueError: `amount` has more decimals than `scale`.
    """
    scaled = amount.scaleb(scale, EXACT)
    units = int(scaled)
    if units != scaled:
        raise ValueError(f"{amount} has more than {scale} decimals")
    return units


def from_units(units: int, scale: int) -> Decimal:
    """`units` smallest units as a decimal amount with exactly `scale` places."""
    return Decimal(units).scaleb(-scale, EXACT)


def to_units8(value: Decimal) -> int:
    """`value`, money or quantity or rate, in integers of 10^-8.

    Raises:
        ValueError: it has more than 8 decimals.
    """
    return to_units(value, DECIMAL_PLACES)


def from_units8(units: int) -> Decimal:
    """Integers of 10^-8 as a decimal with exactly 8 places."""
    return from_units(units, DECIMAL_PLACES)


def steps_of(value: Decimal, step: Decimal) -> int | None:
    """How many whole `step`s `value` is; None when it is not a whole number of them."""
    try:
        quotient = EXACT.divide_int(value, step)
    except InvalidOperation:
        return None
    return int(quotient) if quotient * step == value else None


def plain(amount: Decimal) -> str:
    """`amount` as people and programs write it: no exponent, no needless zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain_or_none(amount: Decimal | None) -> str | None:
    """`plain`, or None."""
    return None if amount is None else plain(amount)


def ceil_div(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded up, for integers of any sign."""
    return -(-numerator // denominator)


def half_up_div(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded half up (away from zero), `denominator` > 0."""
    if numerator >= 0:
        return (2 * numerator + denominator) // (2 * denominator)
    return -((-2 * numerator + denominator) // (2 * denominator))


def round_half_up(amount: Decimal, places: int) -> Decimal:
    """`amount` at `places` decimals, halves away from zero."""
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, EXACT)
