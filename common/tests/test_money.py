"""Decimals become integers of 10^-8 and come back; what does not fit is refused, never rounded."""

from decimal import Decimal

import pytest

from common.money import from_units8, to_units8

D = Decimal


@pytest.mark.parametrize(
    ("value", "units"),
    [
        ("0", 0),
        ("1", 100_000_000),
        ("-1.5", -150_000_000),
        ("0.00000001", 1),
        ("1E+3", 100_000_000_000),
        ("1.000000000000", 100_000_000),
        # The most that NUMERIC(38, 8) holds: more digits than Python's usual context has.
        ("999999999999999999999999999999.99999999", 10**38 - 1),
    ],
)
def test_a_number_is_kept_to_the_last_unit(value: str, units: int) -> None:
    assert to_units8(D(value)) == units
    assert from_units8(units) == D(value)


def test_nothing_is_rounded() -> None:
    with pytest.raises(ValueError, match="more than 8 decimals"):
        to_units8(D("0.000000015"))


def test_eight_places_are_given() -> None:
    assert str(from_units8(150_000_000)) == "1.50000000"
