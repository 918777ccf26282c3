"""Bounds of numbers that staff set: absolute, and relative to the old value."""

from decimal import Decimal

import pytest

from oversight.calculations import bound_errors
from oversight.types import Bound

RATE = Bound(minimum=Decimal("0.000000000001"), maximum=Decimal(10**12), factor=Decimal("1.5"))


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("50000", "0.0001", "change_too_large"),
        ("50000", "75000", None),
        ("50000", "75000.01", "change_too_large"),
        ("60000", "40000", None),
        ("60000", "39999.99", "change_too_large"),
        (None, "50000", None),
        ("50000", None, None),
        (None, "0", "out_of_bounds"),
        ("1", "10000000000000", "out_of_bounds"),
    ],
)
def test_a_rate_moves_by_half_at_most(old: str | None, new: str | None, code: str | None):
    errors = bound_errors(
        "rate",
        RATE,
        old=None if old is None else Decimal(old),
        new=None if new is None else Decimal(new),
    )

    assert [error.code for error in errors] == ([code] if code else [])


@pytest.mark.parametrize(("new", "is_refused"), [("0.05", False), ("0.5", True), ("-0.01", True)])
def test_a_fee_has_absolute_bounds(new: str, is_refused: bool):
    bound = Bound(Decimal(0), Decimal("0.05"))

    assert bool(bound_errors("fee", bound, old=Decimal(0), new=Decimal(new))) == is_refused
