"""The venue's own book as a price service: the middle of bid and ask, else the last trade."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import redis

from common.valkey import get_client
from marketdata.providers.protocol import BOTH_CLASSES, ProviderFailed, Quote
from marketdata.snapshots import BookSnapshot, read_snapshots
from marketdata.types import InstrumentSpec, Ticker

# An engine expires orders within 250 ms: a snapshot that is older has no living engine.
_OVERDUE_MICROSECONDS = 500_000


class BookProvider:
    """Reads the published books in one round trip; one without orders and trades has no price."""

    name = "book"
    classes = BOTH_CLASSES
    is_bulk = True
    is_remote = False
    is_simulated = False

    def is_configured(self) -> bool:
        """Always."""
        return True

    def covers(self, ticker: Ticker) -> bool:
        """What is listed."""
        return ticker.instrument is not None

    def fetch(self, tickers: Sequence[Ticker], *, timeout_seconds: float) -> dict[str, Quote]:
        """Prices of listed instruments, as of now.

        Raises:
            ProviderFailed: the read side does not answer.
        """
        specs = [ticker.instrument for ticker in tickers if ticker.instrument is not None]
        try:
            snapshots = read_snapshots(get_client(), [(spec.shard, spec.id) for spec in specs])
        except (redis.RedisError, msgspec.MsgspecError) as error:
            raise ProviderFailed("unreachable") from error
        now = datetime.now(UTC)
        return {
            spec.symbol: Quote(price, spec.quote_asset, now)
            for spec, snapshot in zip(specs, snapshots, strict=True)
            if snapshot is not None and (price := _price(snapshot, spec)) is not None
        }


def _price(snapshot: BookSnapshot, spec: InstrumentSpec) -> Decimal | None:
    due_at = snapshot.next_expiry_at
    is_overdue = due_at is not None and due_at + _OVERDUE_MICROSECONDS < time.time_ns() // 1000
    if snapshot.bids and snapshot.asks and not is_overdue:
        return spec.tick_size * (snapshot.bids[0][0] + snapshot.asks[0][0]) / 2
    return None if snapshot.last_price is None else spec.tick_size * snapshot.last_price
