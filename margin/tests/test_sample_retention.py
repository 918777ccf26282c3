"""Premium samples are deleted when nobody needs them any more: no funding, and no reader."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from margin.models import Funding, PremiumSample
from margin.selectors.funding import FundingInterval, find_due_interval
from margin.services.funding import purge_premium_samples
from margin.tests.factories import make_funding, make_perpetual, make_premium_sample
from marketdata.models import Instrument
from marketdata.selectors import get_instrument_spec

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def hourly() -> Instrument:
    """A perpetual that is funded every hour."""
    return make_perpetual(funding_interval_seconds=3600)


def due(instrument: Instrument, now: datetime) -> FundingInterval | None:
    spec = get_instrument_spec(instrument.symbol)
    return find_due_interval(spec, listed_at=now - timedelta(days=365), now=now)


def sample_instants(instrument: Instrument) -> list[datetime]:
    rows = PremiumSample.objects.filter(instrument=instrument).order_by("at")
    return list(rows.values_list("at", flat=True))


def test_old_samples_go_in_chunks(hourly: Instrument, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.purging._CHUNK", 2)
    month_ago = NOON - timedelta(days=30)
    for minutes in (-5, -4, -3, -2, -1, 0, 1):
        make_premium_sample(hourly, month_ago + timedelta(minutes=minutes), "0.001")
    make_funding(hourly, month_ago)

    assert purge_premium_samples(now=NOON) == 5

    assert sample_instants(hourly) == [month_ago, month_ago + timedelta(minutes=1)]
    assert Funding.objects.count() == 1
    assert purge_premium_samples(now=NOON) == 0


def test_the_setting_says_how_long(hourly: Instrument, settings: Settings) -> None:
    settings.PREMIUM_SAMPLES_KEPT_DAYS = 2
    make_premium_sample(hourly, NOON - timedelta(days=2, minutes=1), "0.001")
    make_premium_sample(hourly, NOON - timedelta(days=2), "0.001")

    assert purge_premium_samples(now=NOON) == 1

    assert sample_instants(hourly) == [NOON - timedelta(days=2)]


def test_what_a_funding_can_still_need_is_kept(hourly: Instrument, settings: Settings) -> None:
    settings.PREMIUM_SAMPLES_KEPT_DAYS = 0
    weekly = make_perpetual("ETH-PERP", funding_interval_seconds=7 * 86_400)
    now = NOON - timedelta(seconds=1)
    for instrument in (hourly, weekly):
        make_premium_sample(instrument, NOON - 4 * HOUR, "0.002")
        make_premium_sample(instrument, NOON - 2 * HOUR, "0.001")
    before = due(hourly, now), due(weekly, now)

    assert purge_premium_samples(now=now) == 1

    assert sample_instants(hourly) == [NOON - 2 * HOUR]
    assert len(sample_instants(weekly)) == 2
    assert (due(hourly, now), due(weekly, now)) == before
