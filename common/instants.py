"""Instants as integers: microseconds since 1970, exact. Pure.

What a `datetime` of the standard library holds to the microsecond comes back the same; `timestamp`
would round it, since it is a float.
"""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(instant: datetime) -> int:
    """Microseconds from 1970 to `instant`, which has a zone; below zero before it."""
    return (instant - EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Microseconds since 1970 as an aware datetime in UTC.

    Raises:
        OverflowError: it is not in the years 1 to 9999.
    """
    return EPOCH + timedelta(microseconds=microseconds)


def floor_instant(instant: datetime, step: timedelta) -> datetime:
    """The last whole multiple of `step` since 1970 that is not after `instant`."""
    return instant - (instant - EPOCH) % step
