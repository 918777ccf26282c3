"""Made-up prices: a random walk for each symbol that every process computes alike.

The price is a function of symbol, seed and second alone, so nothing is stored and all processes
agree. Days end at the points of a walk that is drawn back to the symbol's usual price; between two
points lies a Brownian bridge, halved until the second is reached (Lévy's construction). All of it
is decimal arithmetic, which gives the same digits on every machine.

Of what is not listed, it knows only the symbols that it has a usual price for.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal
from functools import lru_cache

from django.conf import settings

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

# Usual prices, in round figures, in whatever the instrument is traded in. AAPL stays below the 150
# that the example of requirement 004 pays at most.
_USUAL_EQUITY = {
    "AAPL": 100, "AMD": 150, "AMZN": 210, "BAC": 45, "DIS": 105, "GOOG": 180, "GOOGL": 180,
    "IBM": 240, "INTC": 25, "ITUB4": 35, "JPM": 250, "KO": 65, "META": 600, "MSFT": 430,
    "NFLX": 900, "NVDA": 140, "ORCL": 170, "PETR4": 37, "SPY": 590, "TSLA": 300, "V": 310,
    "VALE3": 58, "WMT": 90, "XOM": 115,
}  # fmt: skip
_USUAL_CRYPTO = {
    "BTC": "60000", "ETH": "3000", "SOL": "150", "BNB": "600", "XRP": "1.2", "ADA": "0.5",
    "DOGE": "0.2", "LTC": "90",
}  # fmt: skip
_LIKE_DOLLARS = ("USD", "USDT", "USDC", "EUR")
_VOLATILITY = {InstrumentClass.EQUITY: Decimal("0.30"), InstrumentClass.CRYPTO: Decimal("0.60")}


class SimulatedProvider:
    """A random walk with a volatility for each symbol; PRICE_SIMULATION_SEED chooses which one."""

    name = "simulated"
    classes = BOTH_CLASSES
    is_bulk = True
    is_remote = False
    is_simulated = True

    def is_configured(self) -> bool:
        """Always."""
        return True

    def covers(self, ticker: Ticker) -> bool:
        """Every ticker."""
        return True

    def fetch(self, tickers: Sequence[Ticker], *, timeout_seconds: float) -> dict[str, Quote]:
        """The prices of this second."""
        now = datetime.now(UTC).replace(microsecond=0)
        quotes = {}
        for ticker in tickers:
            usual = _usual_price(ticker)
            if usual is not None:
                price = simulated_price(
                    ticker.symbol,
                    now,
                    usual_price=usual,
                    volatility=_volatility(ticker),
                    seed=settings.PRICE_SIMULATION_SEED,
                )
                quotes[ticker.symbol] = Quote(price, ticker.quote, now)
        return quotes


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


def _usual_price(ticker: Ticker) -> Decimal | None:
    known: int | str | None
    if ticker.instrument_class == InstrumentClass.EQUITY:
        known = _USUAL_EQUITY.get(ticker.symbol)
    else:
        known = _USUAL_CRYPTO.get(ticker.base) if ticker.quote in _LIKE_DOLLARS else None
    if known is not None:
        return Decimal(known)
    return None if ticker.instrument is None else _invented_price(ticker.symbol)


def _invented_price(symbol: str) -> Decimal:
    """A usual price of 10 to 500 for a listed symbol that nobody has one for."""
    return Decimal(10 + int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:4]) % 491)


def _volatility(ticker: Ticker) -> Decimal:
    """Half to one and a half times what is usual in its class, by the symbol."""
    percent = 50 + int.from_bytes(hashlib.sha256(ticker.symbol.encode()).digest()[4:8]) % 101
    return _VOLATILITY[ticker.instrument_class] * percent / 100
