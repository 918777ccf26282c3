"""Made-up prices: a random walk for each asset that every process computes alike.

The value of an asset is a function of its code, the seed and the second alone, so nothing is stored
and all processes agree. What one asset costs in another is the quotient of their values: so at any
instant all pairs and conversion rates agree, and no way round through them gains anything.

Days end at the points of a walk that is drawn back to the asset's usual value; between two points
lies a Brownian bridge, halved until the second is reached (Lévy's construction). All of it is
decimal arithmetic, which gives the same digits on every machine.

Of what is not listed, it knows only the assets that it has a usual value for.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from functools import lru_cache

from django.conf import settings

from marketdata.calculations import currency_name
from marketdata.providers.protocol import BOTH_CLASSES, Quote
from marketdata.types import InstrumentClass, Ticker

_DAY_SECONDS = 86_400
# Of yesterday's distance to the usual price so much is left today; after two years nothing counts.
_KEPT_A_DAY = Decimal("0.985")
_DAYS_THAT_COUNT = 730
_DAYS_OF_A_YEAR = 365
_CONTEXT = Context(prec=28)
# The sum of twelve numbers between 0 and 1, less six: close to a normal variable of variance 1.
_UNIFORMS, _UNIFORM_BYTES = 12, 4
_UNIFORM_RANGE = 1 << 8 * _UNIFORM_BYTES

# Usual prices of shares, in the venue's currency. AAPL stays below the 150 that the example of
# requirement 004 pays at most.
_USUAL_EQUITY = {
    "AAPL": 100, "AMD": 150, "AMZN": 210, "BAC": 45, "DIS": 105, "GOOG": 180, "GOOGL": 180,
    "IBM": 240, "INTC": 25, "ITUB4": 35, "JPM": 250, "KO": 65, "META": 600, "MSFT": 430,
    "NFLX": 900, "NVDA": 140, "ORCL": 170, "PETR4": 37, "SPY": 590, "TSLA": 300, "V": 310,
    "VALE3": 58, "WMT": 90, "XOM": 115,
}  # fmt: skip
# Usual values in dollars.
_USUAL_CRYPTO = {
    "BTC": "50000", "ETH": "2500", "SOL": "150", "BNB": "600", "XRP": "1.2", "ADA": "0.5",
    "DOGE": "0.2", "LTC": "90",
}  # fmt: skip
# Usual values in dollars, and how volatile they are in a year. The dollar is the measure.
_CURRENCIES = {
    "USD": ("1", "0"), "USDT": ("1", "0.003"), "USDC": ("1", "0.003"), "EUR": ("1.10", "0.07"),
    "GBP": ("1.28", "0.08"), "BRL": ("0.1818", "0.14"),
}  # fmt: skip
_UNKNOWN = ("1", "0")
_VOLATILITY = {InstrumentClass.EQUITY: Decimal("0.30"), InstrumentClass.CRYPTO: Decimal("0.60")}


@dataclass(frozen=True, slots=True)
class _Asset:
    """What is worth something: its usual value in dollars, and its yearly volatility."""

    code: str
    usual_value: Decimal
    volatility: Decimal

    def value_at(self, moment: datetime) -> Decimal:
        """Its value in dollars at that second."""
        if not self.volatility:
            return self.usual_value
        return simulated_price(
            self.code,
            moment,
            usual_price=self.usual_value,
            volatility=self.volatility,
            seed=settings.PRICE_SIMULATION_SEED,
        )


class SimulatedProvider:
    """A random walk for each asset; PRICE_SIMULATION_SEED chooses which one."""

    name = "simulated"
    classes = BOTH_CLASSES
    is_bulk = True
    is_remote = False
    is_simulated = True

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock

    def is_configured(self) -> bool:
        """Always."""
        return True

    def covers(self, ticker: Ticker) -> bool:
        """Every ticker."""
        return True

    def fetch(self, tickers: Sequence[Ticker], *, timeout_seconds: float) -> dict[str, Quote]:
        """The prices of this second."""
        now = self._clock().replace(microsecond=0)
        quotes = {}
        for ticker in tickers:
            price = _price_at(ticker, now)
            if price is not None:
                quotes[ticker.symbol] = Quote(price, ticker.quote, now)
        return quotes


def _price_at(ticker: Ticker, moment: datetime) -> Decimal | None:
    """What the base costs in the quote asset; None for what is neither listed nor known."""
    is_listed = ticker.instrument is not None
    base, quote = _find_base(ticker, is_listed), _find_currency(ticker.quote, is_listed)
    if base is None or quote is None:
        return None
    return _CONTEXT.divide(base.value_at(moment), quote.value_at(moment))


@lru_cache(maxsize=2_000)
def simulated_price(
    symbol: str, moment: datetime, *, usual_price: Decimal, volatility: Decimal, seed: str
) -> Decimal:
    """The price at that second; `volatility` is the yearly standard deviation of its logarithm."""
    day, second = divmod(int(moment.timestamp()), _DAY_SECONDS)
    walk = f"{seed}:{symbol}"
    low, high = 0, _DAY_SECONDS
    at_low, at_high = _day_level(walk, day), _day_level(walk, day + 1)
    while second not in (low, high):
        middle = (low + high) // 2
        shares = Decimal((middle - low) * (high - middle)) / ((high - low) * _DAY_SECONDS)
        at_middle = (at_low * (high - middle) + at_high * (middle - low)) / (high - low)
        at_middle += shares.sqrt(_CONTEXT) * _normal(f"{walk}:{day}:{middle}")
        if second < middle:
            high, at_high = middle, at_middle
        else:
            low, at_low = middle, at_middle
    level = at_low if second == low else at_high
    daily = volatility / Decimal(_DAYS_OF_A_YEAR).sqrt(_CONTEXT)
    return _CONTEXT.multiply(usual_price, (daily * level).exp(_CONTEXT))


@lru_cache(maxsize=20_000)
def _day_level(walk: str, day: int) -> Decimal:
    """Where the walk stands as that day begins, in daily standard deviations."""
    level = Decimal(0)
    for one in range(day - _DAYS_THAT_COUNT, day + 1):
        level = level * _KEPT_A_DAY + _normal(f"{walk}:{one}")
    return level


def _normal(source: str) -> Decimal:
    digest = hashlib.shake_256(source.encode()).digest(_UNIFORMS * _UNIFORM_BYTES)
    total = sum(
        int.from_bytes(digest[start : start + _UNIFORM_BYTES])
        for start in range(0, len(digest), _UNIFORM_BYTES)
    )
    return Decimal(total) / _UNIFORM_RANGE - _UNIFORMS // 2


def _find_base(ticker: Ticker, is_listed: bool) -> _Asset | None:
    if ticker.instrument_class == InstrumentClass.CRYPTO:
        return _find_currency(ticker.base, is_listed)
    known = _USUAL_EQUITY.get(ticker.base)
    if known is None and not is_listed:
        return None
    price = _invented_value(ticker.base) if known is None else Decimal(known)
    value = price * Decimal(_CURRENCIES.get(settings.VENUE_CURRENCY, _UNKNOWN)[0])
    return _Asset(ticker.base, value, _volatility(ticker.base, InstrumentClass.EQUITY))


def _find_currency(code: str, is_listed: bool) -> _Asset | None:
    """A currency; of those that are not known, money is worth a dollar here, a coin anything."""
    if code in _CURRENCIES or (is_listed and currency_name(code) is not None):
        usual, volatility = _CURRENCIES.get(code, _UNKNOWN)
        return _Asset(code, Decimal(usual), Decimal(volatility))
    if code not in _USUAL_CRYPTO and not is_listed:
        return None
    known = _USUAL_CRYPTO.get(code)
    value = _invented_value(code) if known is None else Decimal(known)
    return _Asset(code, value, _volatility(code, InstrumentClass.CRYPTO))


def _invented_value(code: str) -> Decimal:
    """A usual value of 10 to 500 for an asset of a listed instrument that is not known."""
    return Decimal(10 + int.from_bytes(hashlib.sha256(code.encode()).digest()[:4]) % 491)


def _volatility(code: str, kind: InstrumentClass) -> Decimal:
    """Half to one and a half times what is usual in its class, by the asset."""
    percent = 50 + int.from_bytes(hashlib.sha256(code.encode()).digest()[4:8]) % 101
    return _VOLATILITY[kind] * percent / 100
