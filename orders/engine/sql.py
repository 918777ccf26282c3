"""Small helpers of the engine's SQL: array literals and conversions of numbers."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from common.money import DECIMAL_PLACES, to_units


def array(values: Iterable[Any]) -> str:
    """An array literal for values that need no quotes: numbers, hex, plain words. None is NULL."""
    return "{" + ",".join("NULL" if v is None else str(v) for v in values) + "}"


def plain_array(values: Iterable[Any]) -> str:
    """As `array`, for columns that are never NULL."""
    return "{" + ",".join(map(str, values)) + "}"


def units(value: Decimal) -> int:
    """A NUMERIC(38, 8) in units of 10^-8."""
    return to_units(value, DECIMAL_PLACES)


def units_or_none(value: Decimal | None) -> int | None:
    """As `units`; NULL stays None."""
    return None if value is None else units(value)
