"""What numbers of staff may be, in plain Python."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Bound:
    """What a number may be, and how many times as much or as little one change may make it."""

    minimum: Decimal | None = None
    maximum: Decimal | None = None
    factor: Decimal | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field with its values as text, before and after; None: empty. `shown` is for people."""

    old: str | None
    new: str | None
    shown: str
