"""Instants become integers and come back as they were."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from common.instants import EPOCH, floor_instant, from_microseconds, to_microseconds


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1970-01-01T00:00:00+00:00", 0),
        ("1970-01-01T00:00:00.000001+00:00", 1),
        ("1969-12-31T23:59:59.999999+00:00", -1),
        ("2026-11-20T10:15:00.123456+00:00", 1_795_169_700_123_456),
        # As a float of seconds the last digit of these would be lost.
        ("9999-12-31T23:59:59.999999+00:00", 253_402_300_799_999_999),
        ("0001-01-01T00:00:00+00:00", -62_135_596_800_000_000),
    ],
)
def test_an_instant_is_kept_to_the_microsecond(text: str, microseconds: int) -> None:
    instant = datetime.fromisoformat(text)
    assert to_microseconds(instant) == microseconds
    assert from_microseconds(microseconds) == instant


def test_any_zone_is_taken_and_utc_is_given() -> None:
    instant = datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert to_microseconds(instant) == 0
    assert from_microseconds(0).tzinfo is UTC
    assert from_microseconds(0) == EPOCH


def test_what_no_calendar_holds_is_refused() -> None:
    with pytest.raises(OverflowError):
        from_microseconds(253_402_300_800_000_000)


@pytest.mark.parametrize(
    ("text", "floor"),
    [
        ("2026-11-20T10:15:00.000001+00:00", "2026-11-20T08:00:00+00:00"),
        ("2026-11-20T08:00:00+00:00", "2026-11-20T08:00:00+00:00"),
        ("1969-12-31T23:59:59+00:00", "1969-12-31T16:00:00+00:00"),
    ],
)
def test_steps_are_counted_from_1970(text: str, floor: str) -> None:
    step = timedelta(hours=8)
    assert floor_instant(datetime.fromisoformat(text), step) == datetime.fromisoformat(floor)
