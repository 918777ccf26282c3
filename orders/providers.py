"""The venue's own market as a price service: what two parties at least agree on.

Which orders and trades count is decided in `orders.selectors.fair_prices`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.conf import settings

from marketdata.providers.protocol import BOTH_CLASSES, Quote
from marketdata.types import InstrumentSpec, Ticker
from orders.selectors.fair_prices import find_independent_trade, list_impact_prices


class BookProvider:
    """The middle of the impact bid and ask; else the last trade between two parties."""

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
        """Prices of listed instruments; one without a market of two parties has none."""
        specs = [ticker.instrument for ticker in tickers if ticker.instrument is not None]
        now = datetime.now(UTC)
        books = list_impact_prices(specs)
        quotes = {
            spec.symbol: Quote(middle, spec.quote_asset, now)
            for spec in specs
            if (middle := books[spec.id].middle) is not None
        }
        for spec in specs:
            if spec.symbol not in quotes and (quote := _last_trade(spec, now)) is not None:
                quotes[spec.symbol] = quote
        return quotes


def _last_trade(spec: InstrumentSpec, now: datetime) -> Quote | None:
    trade = find_independent_trade(
        spec, since=now - timedelta(seconds=settings.PRICE_STALE_SECONDS)
    )
    return None if trade is None else Quote(trade.price, spec.quote_asset, trade.executed_at)
