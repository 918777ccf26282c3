"""Prices out of a table in the settings: for tests, and for markets that do not move."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.conf import settings

from marketdata.providers.numbers import in_whole_currency, price_of
from marketdata.providers.protocol import BOTH_CLASSES, ProviderFailed, Quote
from marketdata.types import Ticker


class FixedProvider:
    """Reads PRICE_TABLE: symbol to `150.25`, in the instrument's currency, or `150.25 EUR`."""

    name = "fixed"
    classes = BOTH_CLASSES
    is_bulk = True
    is_remote = False
    is_simulated = False

    def is_configured(self) -> bool:
        """Always: an empty table knows nothing."""
        return True

    def covers(self, ticker: Ticker) -> bool:
        """What the table has."""
        return ticker.symbol in settings.PRICE_TABLE

    def fetch(self, tickers: Sequence[Ticker], *, timeout_seconds: float) -> dict[str, Quote]:
        """What the table has, as of now.

        Raises:
            ProviderFailed: a price of the table is none.
        """
        return {
            ticker.symbol: _quote(settings.PRICE_TABLE[ticker.symbol], ticker.quote)
            for ticker in tickers
            if ticker.symbol in settings.PRICE_TABLE
        }


def _quote(entry: str, currency: str) -> Quote:
    text, _, unit = entry.partition(" ")
    price = price_of(text)
    if price is None:
        raise ProviderFailed("malformed")
    return Quote(*in_whole_currency(price, unit or currency), datetime.now(UTC))
