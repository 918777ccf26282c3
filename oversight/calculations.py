"""The bounds of numbers that staff set. Pure."""

from decimal import Decimal

from common.errors import FieldError
from common.money import plain
from oversight.types import Bound


def bound_errors(
    field: str, bound: Bound, *, old: Decimal | None, new: Decimal | None
) -> list[FieldError]:
    """What is wrong with a number that is to become `new`; an empty one is not bounded."""
    if new is None:
        return []
    low, high = bound.minimum, bound.maximum
    if (low is not None and new < low) or (high is not None and new > high):
        limits = [f"at least {plain(low)}"] if low is not None else []
        limits += [f"at most {plain(high)}"] if high is not None else []
        return [FieldError(field, "out_of_bounds", f"{field} is {' and '.join(limits)}.")]
    if bound.factor is None or not old or old < 0 or new <= 0:
        return []
    if new > old * bound.factor or new * bound.factor < old:
        detail = (
            f"{field} changes by a factor of {plain(bound.factor)} at most at a time, "
            f"from {plain(old)}; {plain(new)} is further away."
        )
        return [FieldError(field, "change_too_large", detail)]
    return []
