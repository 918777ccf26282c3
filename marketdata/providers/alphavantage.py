"""Alpha Vantage, for shares of the United States and pairs of currencies. Needs a key.

Its share quotes name no currency: those without a suffix are in US dollars, others (TSCO.LON) are
not asked for. It answers nearly everything with status 200, also that it was asked too often.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

from marketdata.providers.numbers import price_of
from marketdata.providers.protocol import (
    BOTH_CLASSES,
    ProviderFailed,
    ProviderThrottled,
    Quote,
)
from marketdata.types import InstrumentClass, Ticker

if TYPE_CHECKING:
    from marketdata.providers.network import DeadlineSession

_SHARE = re.compile(r"[A-Z0-9-]+")
_PAIR = re.compile(r"(.+)-([^-]+)")
_SHARES_CURRENCY = "USD"
# Shares of the United States have closed by then, in summer and in winter.
_CLOSED_AT = timedelta(hours=21)


class AlphaVantageProvider:
    """One request for each ticker; 5 a minute and 25 a day without payment."""

    name = "alphavantage"
    classes = BOTH_CLASSES
    is_bulk = False
    is_remote = True
    is_simulated = False

    def is_configured(self) -> bool:
        """Whether ALPHAVANTAGE_API_KEY is set."""
        return bool(settings.ALPHAVANTAGE_API_KEY)

    def covers(self, ticker: Ticker) -> bool:
        """Pairs, and shares without a suffix, by the names that price services have for them."""
        is_pair = ticker.instrument_class == InstrumentClass.CRYPTO
        return (_PAIR if is_pair else _SHARE).fullmatch(ticker.name) is not None

    def fetch(self, tickers: Sequence[Ticker], *, timeout_seconds: float) -> dict[str, Quote]:
        """Last prices: of shares as of the latest trading day, of pairs as of their last refresh.

        Raises:
            ProviderThrottled: the limit of the key is reached.
            ProviderFailed: no answer in time, none that makes sense, or a wrong key.
        """
        quotes = {}
        with _session().deadline(timeout_seconds):
            for ticker in tickers:
                quote = _fetch_one(ticker)
                if quote is not None:
                    quotes[ticker.symbol] = quote
        return quotes


def _fetch_one(ticker: Ticker) -> Quote | None:
    if ticker.instrument_class == InstrumentClass.CRYPTO:
        return _pair(ticker)
    return _share(ticker)


def _share(ticker: Ticker) -> Quote | None:
    document = _ask(function="GLOBAL_QUOTE", symbol=ticker.name)
    if document is None:
        return None
    facts = _member(document, "Global Quote")
    if not facts:
        return None
    if facts.get("01. symbol") != ticker.name:
        raise ProviderFailed("malformed")
    return Quote(
        _price(facts.get("05. price")),
        _SHARES_CURRENCY,
        _read_time(facts.get("07. latest trading day"), "%Y-%m-%d", _CLOSED_AT),
    )


def _pair(ticker: Ticker) -> Quote | None:
    base, _, quote = ticker.name.rpartition("-")
    document = _ask(function="CURRENCY_EXCHANGE_RATE", from_currency=base, to_currency=quote)
    if document is None:
        return None
    facts = _member(document, "Realtime Currency Exchange Rate")
    if not facts:
        return None
    currency = facts.get("3. To_Currency Code")
    if facts.get("1. From_Currency Code") != base or type(currency) is not str:
        raise ProviderFailed("malformed")
    return Quote(
        _price(facts.get("5. Exchange Rate")),
        currency,
        _read_time(facts.get("6. Last Refreshed"), "%Y-%m-%d %H:%M:%S"),
    )


def _ask(**params: str) -> dict[str, Any] | None:
    """The document of one call; None where it says that the call makes no sense: unknown ticker."""
    from marketdata.providers.network import failures_in_short, read_object

    params["apikey"] = settings.ALPHAVANTAGE_API_KEY
    with failures_in_short():
        document = read_object(_session().get(settings.ALPHAVANTAGE_URL, params=params))
    if "Information" in document or "Note" in document:
        raise ProviderThrottled
    complaint = document.get("Error Message")
    if complaint is None:
        return document
    if "apikey" in str(complaint).replace(" ", "").lower():
        raise ProviderFailed("wrong_key")
    return None


def _member(document: dict[str, Any], name: str) -> dict[str, Any]:
    member = document.get(name)
    if not isinstance(member, dict):
        raise ProviderFailed("malformed")
    return member


def _price(value: object) -> Decimal:
    price = price_of(value)
    if price is None:
        raise ProviderFailed("malformed")
    return price


def _read_time(value: object, form: str, later: timedelta = timedelta(0)) -> datetime:
    """A time in UTC, not in the future; now where it cannot be read."""
    now = datetime.now(UTC)
    if type(value) is not str:
        return now
    try:
        return min(datetime.strptime(value, form).replace(tzinfo=UTC) + later, now)
    except ValueError:
        return now


@cache
def _session() -> "DeadlineSession":
    from marketdata.providers.network import DeadlineSession

    return DeadlineSession()
