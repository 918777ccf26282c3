"""A service's numbers as decimals, and its units of money as currencies. Pure.

Answers are read with their decimals as they stand in the text, so no price goes through a float.
"""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

_LARGEST = Decimal(10) ** 15
_SMALLEST = Decimal(1).scaleb(-15)
# Hundredths that services quote in, exactly as they write them: pence, South African cents, agorot.
_HUNDREDTHS = {"GBp": "GBP", "GBX": "GBP", "ZAc": "ZAR", "ZAX": "ZAR", "ILA": "ILS"}


def price_of(value: object) -> Decimal | None:
    """`value` as a price above zero; None when it is none: null, a NaN, zero, a list, …"""
    if type(value) not in (str, int, Decimal):
        return None
    try:
        price = Decimal(value)  # type: ignore[arg-type]
    except (InvalidOperation, ValueError):
        return None
    return price if price.is_finite() and _SMALLEST <= price <= _LARGEST else None


def instant_of(seconds: object) -> datetime | None:
    """Seconds since 1970 as an instant that is not in the future; None when it is none."""
    if type(seconds) is not int:
        return None
    try:
        return min(datetime.fromtimestamp(seconds, UTC), datetime.now(UTC))
    except (ValueError, OverflowError, OSError):
        return None


def in_whole_currency(price: Decimal, unit: str) -> tuple[Decimal, str]:
    """Price and currency (ISO 4217); what is quoted in hundredths is divided by 100, exactly."""
    currency = _HUNDREDTHS.get(unit)
    return (price, unit) if currency is None else (price.scaleb(-2), currency)
