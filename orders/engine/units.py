"""What the database's numbers are in the engine's integers."""

from decimal import Decimal

from common.money import DECIMAL_PLACES, to_units


def units(value: Decimal) -> int:
    """A NUMERIC(38, 8) in units of 10^-8."""
    return to_units(value, DECIMAL_PLACES)


def units_or_none(value: Decimal | None) -> int | None:
    """As `units`; NULL stays None."""
    return None if value is None else units(value)
