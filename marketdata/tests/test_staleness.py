"""Which prices are too old to deal on: by their market's time, and its hours."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from marketdata.pricing.hours import parse_hours
from marketdata.pricing.memory import PriceRecord
from marketdata.types import InstrumentClass

NEW_YORK = parse_hours("09:30-16:00 America/New_York")
# Friday, 20 November 2026, 16:00 in New York.
CLOSE = datetime(2026, 11, 20, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("since", "until", "seconds", "is_longer"),
    [
        # Over the weekend the market is closed until Monday, 9:30.
        (CLOSE, CLOSE + timedelta(hours=65), 0, False),
        (CLOSE, CLOSE + timedelta(hours=65, minutes=31), 0, True),
        (CLOSE, CLOSE + timedelta(hours=65, minutes=45), 900, False),
        (CLOSE, CLOSE + timedelta(hours=66, minutes=1), 1_800, True),
        # Within a day.
        (CLOSE - 2 * HOUR, CLOSE - HOUR, 3_600, False),
        (CLOSE - 2 * HOUR, CLOSE, 3_600, True),
        (CLOSE - timedelta(days=3_650), CLOSE, 86_400, True),
        # A clock that is ahead makes nothing old.
        (CLOSE + HOUR, CLOSE, 0, False),
    ],
)
def test_hours_in_which_a_market_is_open(
    since: datetime, until: datetime, seconds: int, is_longer: bool
) -> None:
    assert NEW_YORK.is_open_longer(since, until, seconds) is is_longer


@pytest.mark.parametrize("instrument_class", InstrumentClass)
def test_a_price_of_a_month_ago_is_stale_though_it_was_just_told(
    instrument_class: InstrumentClass, settings: Any
) -> None:
    settings.EQUITY_MARKET_HOURS = "00:00-23:59 UTC"
    now = datetime.now(UTC)

    def record(age: timedelta) -> PriceRecord:
        return PriceRecord(Decimal(1), "USD", "test", now - age, now, False)

    assert not record(timedelta(seconds=1)).is_stale(instrument_class)
    assert record(timedelta(days=30)).is_stale(instrument_class)


def test_a_crypto_currency_has_no_closing_time() -> None:
    now = datetime.now(UTC)
    record = PriceRecord(Decimal(1), "USD", "test", now - timedelta(seconds=901), now, False)
    assert record.is_stale(InstrumentClass.CRYPTO)
