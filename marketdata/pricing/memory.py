"""What the venue remembers of market prices, in Valkey: the last good ones, and recent refusals.

One record serves as cache and as last good price: it is kept for a week, and its age says what it
may be used for. Who finds neither a fresh price nor a refusal takes the symbol's lock and asks;
the lock has a token and ends by itself, so that a killed process holds nobody up.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

import msgspec
from django.conf import settings
from redis.exceptions import LockError
from redis.lock import Lock

from common.valkey import get_client, key

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

    def is_stale(self) -> bool:
        """Whether nobody may deal on it any more."""
        return self.age_seconds() > settings.PRICE_STALE_SECONDS


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


def recall(symbols: Collection[str]) -> dict[str, Remembered]:
    """What is known of each symbol, in one round trip."""
    if not symbols:
        return {}
    names = [name for one in symbols for name in (_price_key(one), _refusal_key(one))]
    stored = iter(get_client().mget(names))
    return {
        symbol: Remembered(
            None if price is None else _price_decoder.decode(price),
            None if refusal is None else _refusal_decoder.decode(refusal),
        )
        for symbol, price, refusal in zip(symbols, stored, stored, strict=True)
    }


def remember(answers: Mapping[str, Answer]) -> None:
    """Keep what was found out about some symbols, in one round trip."""
    pipeline = get_client().pipeline(transaction=False)
    for symbol, answer in answers.items():
        data = _encoder.encode(answer)
        if isinstance(answer, PriceRecord):
            pipeline.set(_price_key(symbol), data, ex=_LAST_GOOD_SECONDS)
            pipeline.delete(_refusal_key(symbol))
        else:
            pipeline.set(_refusal_key(symbol), data, ex=_REFUSAL_SECONDS[answer.why])
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


def _price_key(symbol: str) -> str:
    return key(f"price:{symbol}")


def _refusal_key(symbol: str) -> str:
    return key(f"price-refusal:{symbol}")
