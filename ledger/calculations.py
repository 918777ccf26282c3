"""Amounts of the ledger: checks and conversions. Pure.

`units8` are integers of 10^-8 of an asset, whatever its scale.
"""

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from common.errors import FieldError, ValidationFailed
from common.money import (
    DECIMAL_PLACES,
    EXACT,
    UNITS8,
    ceil_div,
    from_units,
    plain,
    to_units,
    to_units8,
)
from ledger.types import ClientAccount, Line, VenueAccount

# Far above any real amount, far below what NUMERIC(38, 8) holds: balances cannot overflow.
AMOUNT_MAX = Decimal(10) ** 18
# Of a conversion rate: NUMERIC(38, 18).
RATE_PLACES = 18


def check_amount(amount: Decimal, scale: int, *, field: str = "amount") -> None:
    """Refuse an amount that is not positive, too large or finer than the asset.

    Raises:
        ValidationFailed: it names the field, the limit and the value.
    """
    if not amount.is_finite():
        raise _refusal(field, "invalid", f"{amount} is not a number.")
    if amount <= 0:
        raise _refusal(field, "not_positive", f"{plain(amount)} is not above zero.")
    checked_units8(amount, scale, field=field)


def checked_units8(amount: Decimal, scale: int, *, field: str = "amount") -> int:
    """`amount` of an asset of `scale` in units8.

    Raises:
        ValidationFailed: it is too large, or has more decimals than `scale`.
    """
    if abs(amount) > AMOUNT_MAX:
        raise _refusal(field, "too_large", f"{plain(amount)} is above {plain(AMOUNT_MAX)}.")
    try:
        return to_units(amount, scale) * 10 ** (DECIMAL_PLACES - scale)
    except ValueError as error:
        detail = f"{plain(amount)} has more than {scale} decimals."
        raise _refusal(field, "too_many_decimals", detail) from error


def net_by_account(lines: Iterable[Line]) -> dict[ClientAccount | VenueAccount, Decimal]:
    """The sum of the lines of each account, without those that come to zero."""
    net: dict[ClientAccount | VenueAccount, Decimal] = {}
    for line in lines:
        net[line.account] = net.get(line.account, Decimal(0)) + line.amount
    return {account: amount for account, amount in net.items() if amount}


def net_rate(rate: Decimal, spread_rate: Decimal, *, is_inverse: bool) -> Decimal:
    """What a client gets for one unit: 18 places, rounded down, which favours the venue.

    `rate` is the rate of a pair, or (`is_inverse`) of the pair the other way round. The venue keeps
    `spread_rate` of the amount either way, so going there and back never gains.
    """
    given = to_units(rate, RATE_PLACES)
    kept = to_units8(1 - spread_rate)
    one, whole = 10**RATE_PLACES, UNITS8
    units = one * one * kept // (given * whole) if is_inverse else given * kept // whole
    return from_units(units, RATE_PLACES)


def round_rate(rate: Decimal, *, is_inverse: bool) -> Decimal:
    """A rate at 18 places, rounded in favor of the venue; `is_inverse`: the client pays it."""
    step = Decimal(1).scaleb(-RATE_PLACES)
    return rate.quantize(step, ROUND_CEILING if is_inverse else ROUND_FLOOR, EXACT)


def bought_amount(sell_amount: Decimal, rate: Decimal, *, sold_scale: int, scale: int) -> Decimal:
    """What `sell_amount` buys at a net rate, rounded down to the smallest unit that is bought."""
    units = to_units(sell_amount, sold_scale) * to_units(rate, RATE_PLACES) * 10**scale
    return from_units(units // 10 ** (sold_scale + RATE_PLACES), scale)


def sold_amount(buy_amount: Decimal, rate: Decimal, *, bought_scale: int, scale: int) -> Decimal:
    """What must be sold for `buy_amount` at a net rate, rounded up to the smallest unit sold."""
    units = to_units(buy_amount, bought_scale) * 10 ** (RATE_PLACES + scale)
    return from_units(ceil_div(units, to_units(rate, RATE_PLACES) * 10**bought_scale), scale)


def _refusal(field: str, code: str, detail: str) -> ValidationFailed:
    return ValidationFailed(errors=[FieldError(field, code, detail)])
