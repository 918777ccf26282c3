"""Yahoo Finance, asked through yfinance, which knows its cookies, crumbs and TLS fingerprints.

One ticker is asked for at the chart address, which needs no crumb; several at the quote address,
in one request. yfinance fetches; the answers are read here, so that prices stay text. The library
brings pandas along, so it is imported with the first request.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as quoted
from urllib.parse import urlsplit

from django.conf import settings

from marketdata.providers.numbers import in_whole_currency, instant_of, price_of
from marketdata.providers.protocol import (
    BOTH_CLASSES,
    ProviderFailed,
    ProviderThrottled,
    Quote,
)
from marketdata.types import Ticker

if TYPE_CHECKING:
    from curl_cffi.requests import Response

    from marketdata.providers.network import DeadlineSession

_HOST = "https://query2.finance.yahoo.com"
_NOT_FOUND = 404


class YahooProvider:
    """Shares by their Yahoo ticker (BRK-B, VOD.L), crypto currencies as BTC-USD.

    An instrument that is called otherwise here says so in its `price_symbol`.
    """

    name = "yahoo"
    classes = BOTH_CLASSES
    is_bulk = True
    is_remote = True
    is_simulated = False

    def is_configured(self) -> bool:
        """Always: it needs no key."""
        return True

    def covers(self, ticker: Ticker) -> bool:
        """Every ticker."""
        return True

    def fetch(self, tickers: Sequence[Ticker], *, timeout_seconds: float) -> dict[str, Quote]:
        """Last prices of the regular session.

        Raises:
            ProviderThrottled: Yahoo says so, by status 429.
            ProviderFailed: no answer in time, or none that makes sense.
        """
        # Several instruments may be called the same there.
        names = list(dict.fromkeys(ticker.name for ticker in tickers))
        if len(names) == 1:
            quotes = _chart(names[0], timeout_seconds)
        else:
            quotes = _quotes(names, timeout_seconds)
        return {one.symbol: quotes[one.name] for one in tickers if one.name in quotes}


def _chart(name: str, timeout_seconds: float) -> dict[str, Quote]:
    from marketdata.providers.network import read_object

    response = _get(
        f"/v8/finance/chart/{quoted(name, safe='')}",
        {"range": "1d", "interval": "1d"},
        timeout_seconds,
    )
    chart = read_object(response, also=(_NOT_FOUND,)).get("chart")
    if not isinstance(chart, dict):
        raise ProviderFailed("malformed")
    error, result = chart.get("error"), chart.get("result")
    if isinstance(error, dict) and error.get("code") == "Not Found":
        return {}
    if response.status_code == _NOT_FOUND or not isinstance(result, list) or not result:
        raise ProviderFailed("malformed")
    meta = result[0].get("meta") if isinstance(result[0], dict) else None
    if not isinstance(meta, dict) or meta.get("symbol") != name:
        raise ProviderFailed("malformed")
    quote = _read_quote(meta)
    return {} if quote is None else {name: quote}


def _quotes(names: list[str], timeout_seconds: float) -> dict[str, Quote]:
    from marketdata.providers.network import read_object

    params = {"symbols": ",".join(names), "formatted": "false"}
    document = read_object(_get("/v7/finance/quote", params, timeout_seconds))
    answer = document.get("quoteResponse")
    result = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(result, list):
        raise ProviderFailed("malformed")
    quotes = {}
    for row in result:
        if isinstance(row, dict) and type(row.get("symbol")) is str:
            quote = _read_quote(row)
            if quote is not None:
                quotes[row["symbol"]] = quote
    return quotes


def _read_quote(facts: dict[str, Any]) -> Quote | None:
    """The quote in a chart's `meta` or a row of quotes; None where it has no price or currency."""
    price, unit = price_of(facts.get("regularMarketPrice")), facts.get("currency")
    if price is None or type(unit) is not str:
        return None
    as_of = instant_of(facts.get("regularMarketTime")) or datetime.now(UTC)
    return Quote(*in_whole_currency(price, unit), as_of)


def _get(path: str, params: dict[str, str], timeout_seconds: float) -> "Response":
    """One request of yfinance, with those for cookies and crumb that it makes before or after."""
    from yfinance.data import YfData
    from yfinance.exceptions import YFException, YFRateLimitError

    from marketdata.providers.network import failures_in_short

    session = _session()
    with session.deadline(timeout_seconds), failures_in_short():
        try:
            return YfData(session=session).get(f"{_HOST}{path}", params)
        except YFRateLimitError as error:
            raise ProviderThrottled from error
        except (YFException, AttributeError, KeyError, TypeError, ValueError) as error:
            # The library looks into the answers to its own requests.
            raise ProviderFailed("malformed") from error


@cache
def _session() -> "DeadlineSession":
    """The process's session; its cookies are kept with the other data of this machine."""
    from yfinance.cache import set_cache_location

    from marketdata.providers.network import DeadlineSession

    set_cache_location(str(settings.BASE_DIR / "var" / "yfinance"))
    return DeadlineSession(_redirected, impersonate="chrome")


def _redirected(url: str) -> str:
    """The address under YAHOO_URL where one is set, whatever host the library chose."""
    if not settings.YAHOO_URL:
        return url
    parts = urlsplit(url)
    return settings.YAHOO_URL + parts.path + (f"?{parts.query}" if parts.query else "")
