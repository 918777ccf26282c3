"""Asks for watched symbols in bulk before their prices grow old, so that nobody has to wait."""

from django.conf import settings

from marketdata.models import Instrument
from marketdata.pricing.chain import BULK_MAX, ask_providers
from marketdata.pricing.memory import PriceRecord, asking, recall, remember
from marketdata.pricing.tickers import ticker_of
from marketdata.pricing.watching import list_watched
from marketdata.selectors import find_instrument_spec
from marketdata.types import Ticker

# Beat's interval: what would grow old before the next run is asked for in this one.
REFRESH_EVERY_SECONDS = 60
# No symbol: the right to refresh.
_ALL = "*"


def refresh_watched_prices() -> int:
    """Ask for the watched symbols whose prices are about to grow old; returns how many came.

    One request to each price service for 100 symbols; services that would take one for each symbol
    are left alone. What is not found out is left to the next caller. Not inside a transaction.
    """
    with asking(_ALL, seconds_max=REFRESH_EVERY_SECONDS) as is_mine:
        if not is_mine:
            return 0
        due = _due_tickers()
        starts = range(0, len(due), BULK_MAX)
        return sum(_refresh(due[start : start + BULK_MAX]) for start in starts)


def _due_tickers() -> list[Ticker]:
    watched = list_watched()
    known = {symbol: remembered.price for symbol, remembered in recall(watched).items()}
    too_old = settings.PRICE_CACHE_SECONDS - REFRESH_EVERY_SECONDS
    due = [one for one, price in known.items() if price is None or price.age_seconds() >= too_old]
    specs = (find_instrument_spec(symbol) for symbol in due)
    return [ticker_of(spec) for spec in specs if spec and spec.kind != Instrument.Kind.PERPETUAL]


def _refresh(tickers: list[Ticker]) -> int:
    answers = ask_providers(tickers, timeout_seconds=settings.PRICE_TIMEOUT_SECONDS, bulk_only=True)
    found = {
        symbol: answer for symbol, answer in answers.items() if isinstance(answer, PriceRecord)
    }
    remember(found)
    return len(found)
