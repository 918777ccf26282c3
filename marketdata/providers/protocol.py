"""What a price service is to the rest: tickers in, quotes out, or one of two failures.

A provider knows nothing of caches, breakers and the database. What it does not know is left out of
its answer; that is no failure. Prices are as the service tells them: rounding to the tick and the
comparison of currencies come later, in `marketdata.pricing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from marketdata.types import InstrumentClass, Ticker

BOTH_CLASSES = frozenset(InstrumentClass)


@dataclass(frozen=True, slots=True)
class Quote:
    """What a service says: a price above zero in `currency`, and when it was the market's."""

    price: Decimal
    currency: str
    as_of: datetime


class ProviderFailed(Exception):
    """A service gave no answer that can be used; `word` says in short why, for health and logs."""

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(word)


class ProviderThrottled(ProviderFailed):
    """A service says that it was asked too often."""

    def __init__(self, word: str = "throttled") -> None:
        super().__init__(word)


class PriceProvider(Protocol):
    """One price service.

    `is_bulk`: many tickers cost one request. `is_remote`: it is asked over the network, so breaker
    and budget count. `is_simulated`: its prices are made up.
    """

    @property
    def name(self) -> str: ...
    @property
    def classes(self) -> frozenset[InstrumentClass]: ...
    @property
    def is_bulk(self) -> bool: ...
    @property
    def is_remote(self) -> bool: ...
    @property
    def is_simulated(self) -> bool: ...

    def is_configured(self) -> bool:
        """Whether it can be asked at all: its key is set."""
        ...

    def covers(self, ticker: Ticker) -> bool:
        """Whether it could know the ticker; it is asked for no other."""
        ...

    def fetch(self, tickers: Sequence[Ticker], *, timeout_seconds: float) -> Mapping[str, Quote]:
        """Quotes by symbol of those tickers that the service knows.

        Raises:
            ProviderThrottled: it was asked too often.
            ProviderFailed: no answer within `timeout_seconds`, or none that makes sense.
        """
        ...
