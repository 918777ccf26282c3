"""No way round through the demo's conversions and its dealer gains anything, at any instant."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations, product

import pytest
from pytest_django import Settings

from exchange_project.demo.data import CONVERSION_RATES
from exchange_project.demo.loading import load_demo
from ledger.selectors import find_net_rate
from ledger.services import find_market_rate
from marketdata.models import Asset, Instrument
from marketdata.pricing import get_market_price
from marketdata.providers import add_provider
from marketdata.providers.simulated import SimulatedProvider

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

_START = datetime(2026, 11, 21, 12, 34, 56, tzinfo=UTC)
_SPANS = (0, 1, 9, 180, 3_600, 86_400, 90 * 86_400, 700 * 86_400)
# Listed by whoever asks for them, with ticks that suit their prices.
_ASKED_FOR = [
    f"{base}-{quote}"
    for base in ("BTC", "ETH", "SOL", "DOGE", "XRP")
    for quote in ("USD", "USDT", "EUR", "BRL")
]


@pytest.fixture
def clock(settings: Settings) -> Iterator[list[datetime]]:
    """The time of the simulated prices, in a list of one; none of them counts as stale."""
    settings.PRICE_STALE_SECONDS = settings.PRICE_STALE_SECONDS_EQUITY = 10**9
    now = [_START]
    add_provider(SimulatedProvider(lambda: now[0]))
    yield now
    add_provider(SimulatedProvider())


@pytest.mark.parametrize("seed", ["bourse", "another"])
def test_no_way_round_gains_anything(
    clock: list[datetime], settings: Settings, tmp_path: object, seed: str
) -> None:
    settings.PRICE_SIMULATION_SEED = seed
    settings.PRICE_PROBES_PER_MINUTE = 1_000
    settings.DEMO_KEYS_FILE = f"{tmp_path}/keys.json"
    load_demo()
    for symbol in _ASKED_FOR:
        get_market_price(symbol=symbol)
    seen = set()
    for span in _SPANS:
        clock[0] = _START + timedelta(seconds=span)
        rates = _conversions() | _deals()
        assert len(rates) >= 70
        assert best_way_round(rates) < 1
        seen.add(get_market_price(symbol="BTC-USD").price)
    assert len(seen) > 5


def test_a_quote_that_is_held_to_its_end_gains_nothing_against_later_prices(
    clock: list[datetime], settings: Settings, tmp_path: object
) -> None:
    settings.DEMO_KEYS_FILE = f"{tmp_path}/keys.json"
    load_demo()
    for symbol in ("BTC-USD", "ETH-USD", "ETH-EUR"):
        get_market_price(symbol=symbol)
    for minute in range(60):
        clock[0] = _START + timedelta(minutes=minute)
        quotes = _conversions()
        clock[0] += timedelta(seconds=settings.QUOTE_SECONDS)
        later = best_ways(_conversions() | _deals())
        for (sold, bought), rate in quotes.items():
            assert rate * later[bought, sold] < 1


def test_a_way_round_would_be_found() -> None:
    rates = {("A", "B"): Decimal(2), ("B", "C"): Decimal(3), ("C", "A"): Decimal("0.1667")}
    assert best_way_round(rates) > 1


def best_way_round(rates: dict[tuple[str, str], Decimal]) -> Decimal:
    """The most that one unit becomes on a way that ends where it began."""
    return max(best for (start, end), best in best_ways(rates).items() if start == end)


def best_ways(rates: dict[tuple[str, str], Decimal]) -> dict[tuple[str, str], Decimal]:
    """The most that one unit of an asset becomes in another, by any way."""
    names = sorted({name for pair in rates for name in pair})
    best = defaultdict(Decimal, rates)
    for middle, start, end in product(names, repeat=3):
        through = best[start, middle] * best[middle, end]
        best[start, end] = max(best[start, end], through)
    return best


def _conversions() -> dict[tuple[str, str], Decimal]:
    """What one unit of a currency is converted to, by the demo's rates."""
    ids = dict(Asset.objects.values_list("code", "id"))
    codes = sorted({code for base, quote, _, _ in CONVERSION_RATES for code in (base, quote)})
    rates = {}
    for sold, bought in permutations(codes, 2):
        market_rate = find_market_rate(sold, bought)
        rate = find_net_rate(ids[sold], ids[bought], market_rate=market_rate)
        if rate is not None:
            rates[sold, bought] = rate
    return rates


def _deals() -> dict[tuple[str, str], Decimal]:
    """What one unit of an asset is dealt for at the venue, before fees."""
    rates = {}
    for spot in Instrument.objects.exclude(kind="PERPETUAL").select_related(
        "base_asset", "quote_asset"
    ):
        price = get_market_price(symbol=spot.symbol)
        base, quote = spot.base_asset.code, spot.quote_asset.code
        rates[base, quote], rates[quote, base] = price.bid, 1 / price.ask
    return rates
