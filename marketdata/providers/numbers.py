"""A service's numbers as decimals, and its units of money as currencies. Pure.

A text is taken as it stands. A float, which is all that some libraries hand on, is taken at the
shortest text that reads back as the same float (`repr`): what stood in the service's answer, as
long as it had at most 15 digits.
"""

from decimal import Decimal, InvalidOperation

_LARGEST = Decimal(10) ** 15
_SMALLEST = Decimal(1).scaleb(-15)
# Hundredths that services quote in, exactly as they write them: pence, South African cents, agorot.
_HUNDREDTHS = {"GBp": "GBP", "GBX": "GBP", "ZAc": "ZAR", "ZAX": "ZAR", "ILA": "ILS"}


def price_of(value: object) -> Decimal | None:
    """`value` as a price above zero; None when it is none: null, a NaN, zero, a list, …"""
    if type(value) is float:
        value = repr(value)
    if type(value) is int or type(value) is str:
        try:
            price = Decimal(value)
        except InvalidOperation:
            return None
        return price if price.is_finite() and _SMALLEST <= price <= _LARGEST else None
    return None


def in_whole_currency(price: Decimal, unit: str) -> tuple[Decimal, str]:
    """Price and currency (ISO 4217); what is quoted in hundredths is divided by 100, exactly."""
    currency = _HUNDREDTHS.get(unit)
    return (price, unit) if currency is None else (price.scaleb(-2), currency)
