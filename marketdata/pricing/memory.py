"""What the venue remembers of market prices, in Valkey: the last good ones, and recent refusals.

One record serves as cache and as last good price: it is kept for a week, and its age says what it
may be used for. It is the answer of one chain of services to one name: with another chain, or
another name of the instrument, it is as if nothing were known. Who finds neither a fresh price nor
a refusal takes the symbol's lock and asks; the lock has a token and ends by itself, so that a
killed process holds nobody up.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

import msgspec
from django.conf import settings
from redis.exceptions import LockError
from redis.lock import Lock

from common.valkey import get_client, key
from marketdata.pricing.hours import parse_hours
from marketdata.providers import list_chain_names
from marketdata.types import InstrumentClass, Ticker

_LAST_GOOD_SECONDS = 7 * 86_400
# Room for what the holder does after the last answer.
_LOCK_MARGIN_SECONDS = 5


class PriceRecord(msgspec.Struct, frozen=True):
    """A service's price in whole units of `currency`, as it was told at `told_at`."""

    price: Decimal
    currency: str
    source: str
    as_of: datetime
    told_at: datetime
    is_simulated: bool

    def age_seconds(self) -> int:
        """Whole seconds since a service told it."""
        return max(0, int((datetime.now(UTC) - self.told_at).total_seconds()))

    def is_fresh(self) -> bool:
        """Whether it may be used without asking anybody."""
        return self.age_seconds() < settings.PRICE_CACHE_SECONDS

    def is_stale(self, instrument_class: InstrumentClass) -> bool:
        """Whether it is too old to deal on.

        The services have been silent for too long, or the market's own price is too old: of a
        crypto currency by the clock, of a share by the hours in which its market was open since.
        """
        if self.age_seconds() > settings.PRICE_STALE_SECONDS:
            return True
        now = datetime.now(UTC)
        if instrument_class == InstrumentClass.CRYPTO:
            return now - self.as_of > timedelta(seconds=settings.PRICE_STALE_SECONDS)
        hours = parse_hours(settings.EQUITY_MARKET_HOURS)
        return hours.is_open_longer(self.as_of, now, settings.PRICE_STALE_SECONDS_EQUITY)


class Why(StrEnum):
    """Why there is no price."""

    FAILED = "failed"
    UNKNOWN = "unknown"
    OTHER_CURRENCY = "other_currency"


class Refusal(msgspec.Struct, frozen=True):
    """That no service had a price; `source` quoted in `currency` where that was the reason."""

    why: Why
    source: str = ""
    currency: str = ""


Answer: TypeAlias = PriceRecord | Refusal

# For how long nobody asks again.
_REFUSAL_SECONDS = {Why.FAILED: 5, Why.UNKNOWN: 60, Why.OTHER_CURRENCY: 180}


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of a symbol: the last good price, whatever its age, and a recent refusal."""

    price: PriceRecord | None
    refusal: Refusal | None

    def is_settled(self) -> bool:
        """Whether there is nothing to ask now."""
        return self.refusal is not None or (self.price is not None and self.price.is_fresh())

    def after(self, answer: Answer) -> "Remembered":
        """What is known once a price service has given that answer."""
        if isinstance(answer, PriceRecord):
            return Remembered(answer, None)
        return Remembered(self.price, answer)


_encoder = msgspec.json.Encoder()
_price_decoder = msgspec.json.Decoder(PriceRecord)
_refusal_decoder = msgspec.json.Decoder(Refusal)


def recall(tickers: Collection[Ticker]) -> dict[str, Remembered]:
    """What is known of the symbol of each ticker, in one round trip."""
    if not tickers:
        return {}
    names = [name for one in tickers for name in (_price_key(one), _refusal_key(one))]
    stored = iter(get_client().mget(names))
    return {
        ticker.symbol: Remembered(
            None if price is None else _price_decoder.decode(price),
            None if refusal is None else _refusal_decoder.decode(refusal),
        )
        for ticker, price, refusal in zip(tickers, stored, stored, strict=True)
    }


def remember(tickers: Iterable[Ticker], answers: Mapping[str, Answer]) -> None:
    """Keep the answers, by symbol, to what was asked of some tickers, in one round trip."""
    pipeline = get_client().pipeline(transaction=False)
    for ticker in tickers:
        answer = answers.get(ticker.symbol)
        if isinstance(answer, PriceRecord):
            pipeline.set(_price_key(ticker), _encoder.encode(answer), ex=_LAST_GOOD_SECONDS)
            pipeline.delete(_refusal_key(ticker))
        elif answer is not None:
            seconds = _REFUSAL_SECONDS[answer.why]
            pipeline.set(_refusal_key(ticker), _encoder.encode(answer), ex=seconds)
    pipeline.execute()


@contextmanager
def asking(symbol: str, *, seconds_max: float) -> Iterator[bool]:
    """Hold the right to ask for `symbol`; yields False where somebody else has it."""
    lock = get_client().lock(
        key(f"price-lock:{symbol}"), timeout=seconds_max + _LOCK_MARGIN_SECONDS, thread_local=False
    )
    is_held = lock.acquire(blocking=False)
    try:
        yield is_held
    finally:
        if is_held:
            _release(lock)


def _release(lock: Lock) -> None:
    # Where asking took longer than the lock lasts, somebody else holds it now.
    with suppress(LockError):
        lock.release()


def _price_key(ticker: Ticker) -> str:
    return key(f"price:{_what_was_asked(ticker)}")


def _refusal_key(ticker: Ticker) -> str:
    return key(f"price-refusal:{_what_was_asked(ticker)}")


def _what_was_asked(ticker: Ticker) -> str:
    """The symbol, by what name, of which services: an answer to another question is none."""
    chain = "+".join(list_chain_names(ticker.instrument_class))
    return f"{ticker.symbol}:{ticker.name}:{ticker.quote}:{chain}"
