"""Asks for watched symbols in bulk before their prices grow old, so that nobody has to wait."""

from django.conf import settings

from marketdata.models import Instrument
from marketdata.pricing.chain import BULK_MAX, ask_providers
from marketdata.pricing.memory import PriceRecord, asking, recall, remember
from marketdata.pricing.tickers import ticker_of
from marketdata.pricing.watching import list_watched
from marketdata.selectors import list_instruments, make_spec
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
    watched = list_instruments().filter(symbol__in=list_watched())
    priced = watched.exclude(kind=Instrument.Kind.PERPETUAL).order_by("id")
    tickers = [ticker_of(make_spec(instrument)) for instrument in priced]
    known = recall(tickers)
    return [ticker for ticker in tickers if _is_due(known[ticker.symbol].price)]


def _is_due(price: PriceRecord | None) -> bool:
    too_old = settings.PRICE_CACHE_SECONDS - REFRESH_EVERY_SECONDS
    return price is None or price.age_seconds() >= too_old


def _refresh(tickers: list[Ticker]) -> int:
    answers = ask_providers(tickers, timeout_seconds=settings.PRICE_TIMEOUT_SECONDS, bulk_only=True)
    found = {
        symbol: answer for symbol, answer in answers.items() if isinstance(answer, PriceRecord)
    }
    remember(tickers, found)
    return len(found)
