"""Amounts of the ledger: checks and conversions. Pure.

`units8` are integers of 10^-8 of an asset, whatever its scale.
"""

from collections.abc import Iterable
from decimal import Decimal

from common.errors import FieldError, ValidationFailed
from common.money import DECIMAL_PLACES, from_units, plain, to_units
from ledger.types import ClientAccount, Line, VenueAccount

# Far above any real amount, far below what NUMERIC(38, 8) holds: balances cannot overflow.
AMOUNT_MAX = Decimal(10) ** 18


def check_amount(amount: Decimal, scale: int, *, field: str = "amount") -> None:
    """Refuse an amount that is not positive, too large or finer than the asset.

    Raises:
        ValidationFailed: it names the field, the limit and the value.
    """
    if not amount.is_finite():
        raise _refusal(field, "invalid", f"{amount} is not a number.")
    if amount <= 0:
        raise _refusal(field, "not_positive", f"{plain(amount)} is not above zero.")
    to_units8(amount, scale, field=field)


def to_units8(amount: Decimal, scale: int, *, field: str = "amount") -> int:
    """`amount` in units8.

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


def from_units8(units8: int) -> Decimal:
    """`units8` as a decimal amount."""
    return from_units(units8, DECIMAL_PLACES)


def net_by_account(lines: Iterable[Line]) -> dict[ClientAccount | VenueAccount, Decimal]:
    """The sum of the lines of each account, without those that come to zero."""
    net: dict[ClientAccount | VenueAccount, Decimal] = {}
    for line in lines:
        net[line.account] = net.get(line.account, Decimal(0)) + line.amount
    return {account: amount for account, amount in net.items() if amount}


def _refusal(field: str, code: str, detail: str) -> ValidationFailed:
    return ValidationFailed(errors=[FieldError(field, code, detail)])
