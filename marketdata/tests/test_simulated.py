"""The simulated walk: the same everywhere, steady, with the volatility that it should have."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from pytest_django import Settings

from marketdata.errors import UnknownTicker
from marketdata.pricing import MarketPrice, get_last_prices, get_market_price, get_pair_rate
from marketdata.providers import add_provider
from marketdata.providers.simulated import SimulatedProvider, simulated_price
from marketdata.tests.factories import make_instrument

MOMENT = datetime(2026, 11, 21, 12, 34, 56, tzinfo=UTC)


def price_at(moment: datetime, symbol: str = "ACME", seed: str = "a") -> Decimal:
    return simulated_price(
        symbol, moment, usual_price=Decimal(100), volatility=Decimal("0.30"), seed=seed
    )


def test_every_process_sees_the_same_price() -> None:
    program = (
        "import django; django.setup()\n"
        "from marketdata.tests.test_simulated import MOMENT, price_at\n"
        "print(price_at(MOMENT))"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == str(price_at(MOMENT))


def test_the_walk_is_written_down() -> None:
    assert str(price_at(MOMENT)).startswith("89.16443871586244")


def test_symbols_and_seeds_have_walks_of_their_own() -> None:
    walks = {price_at(MOMENT), price_at(MOMENT, "OTHER"), price_at(MOMENT, seed="b")}

    assert len(walks) == 3


def test_the_walk_moves_by_small_steps_also_over_midnight() -> None:
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    prices = [price_at(midnight + timedelta(seconds=one)) for one in range(-60, 60)]

    steps = [abs(after / before - 1) for before, after in pairwise(prices)]

    # A second of 30 % a year is 0.0000534; six times that hardly ever happens.
    assert 0 < max(steps) < Decimal("0.00032")
    assert len(set(prices)) > 100


def test_days_move_by_the_volatility_and_stay_near_the_usual_price() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    logarithms = [price_at(start + timedelta(days=one)).ln() for one in range(400)]
    moves = [after - before for before, after in pairwise(logarithms)]

    yearly = (sum((move * move for move in moves), Decimal(0)) / len(moves) * 365).sqrt()

    assert Decimal("0.26") < yearly < Decimal("0.34")
    usual = Decimal(100).ln()
    assert max(abs(one - usual) for one in logarithms) < Decimal("0.45")


@pytest.mark.django_db
@pytest.mark.usefixtures("valkey")
def test_a_made_up_price_is_that_of_the_second_though_the_source_is_remembered(
    clock: list[datetime],
) -> None:
    make_instrument("ACME")
    seen = []
    for _ in range(30):
        price = get_market_price(symbol="ACME")
        assert (price.as_of, price.age_seconds, price.is_cached) == (clock[0], 0, False)
        seen.append(price.price)
        clock[0] += timedelta(seconds=20)

    assert len(set(seen)) > 10
    together = get_last_prices(symbols=["ACME"], seconds_max=1)["ACME"]
    assert isinstance(together, MarketPrice)
    assert together.as_of == clock[0]


@pytest.mark.django_db
@pytest.mark.usefixtures("valkey")
def test_it_is_renewed_where_real_services_come_first(
    clock: list[datetime], settings: Settings
) -> None:
    settings.PRICE_PROVIDERS_EQUITY = ["fixed", "simulated"]
    settings.PRICE_TABLE = {"REAL": "5"}
    make_instrument("ACME")
    make_instrument("REAL")
    first = get_market_price(symbol="ACME")
    get_market_price(symbol="REAL")
    clock[0] += timedelta(minutes=1)
    settings.PRICE_TABLE = {"REAL": "6"}

    assert get_market_price(symbol="ACME").price != first.price
    assert get_market_price(symbol="REAL").price == 5  # of a real service, for three minutes


@pytest.mark.django_db
@pytest.mark.usefixtures("valkey")
def test_one_walk_for_each_asset(clock: list[datetime]) -> None:
    rates = {
        (base, quote): get_pair_rate(base=base, quote=quote)
        for base in ("BTC", "ETH", "EUR", "USD")
        for quote in ("USD", "USDT", "GBP")
        if base != quote
    }
    assert None not in rates.values()
    for base in ("BTC", "ETH", "EUR"):
        dollars, tethers, tethers_a_dollar = (
            rates[pair] or Decimal(0) for pair in ((base, "USD"), (base, "USDT"), ("USD", "USDT"))
        )
        assert abs(dollars * tethers_a_dollar / tethers - 1) < Decimal("1e-20")
    assert get_pair_rate(base="BTC", quote="JPY") is None


@pytest.mark.django_db
@pytest.mark.usefixtures("valkey")
def test_the_dealers_prices_lie_around_the_market(
    clock: list[datetime], settings: Settings
) -> None:
    make_instrument("ACME")
    price = get_market_price(symbol="ACME")
    assert price.bid <= price.price <= price.ask == price.bid + Decimal("0.01")

    settings.DEALER_SPREAD_RATE = Decimal("0.01")
    price = get_market_price(symbol="ACME")
    assert price.bid < price.price * Decimal("0.991")
    assert price.ask > price.price * Decimal("1.009")


@pytest.fixture
def clock(settings: Settings) -> Iterator[list[datetime]]:
    """The time of the simulated prices, in a list of one; none of them counts as stale."""
    settings.PRICE_STALE_SECONDS = settings.PRICE_STALE_SECONDS_EQUITY = 10**9
    now = [MOMENT]
    add_provider(SimulatedProvider(lambda: now[0]))
    yield now
    add_provider(SimulatedProvider())


@pytest.mark.django_db
@pytest.mark.usefixtures("valkey")
def test_what_is_simulated_says_so(settings: Settings) -> None:
    make_instrument("ACME")

    for symbol, low, high in (("ACME", 5, 1000), ("AAPL", 50, 150), ("BTC-USD", 15_000, 240_000)):
        price = get_market_price(symbol=symbol)
        assert (price.source, price.is_simulated) == ("simulated", True)
        assert low < price.price < high
        assert price.as_of.microsecond == 0
    for symbol in ("NOPE", "NOPE-USD", "BTC-JPY"):
        with pytest.raises(UnknownTicker):
            get_market_price(symbol=symbol)
