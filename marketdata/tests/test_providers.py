"""The real clients of the price services against a server that answers as these do."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from marketdata.pricing.tickers import ticker_of
from marketdata.providers import get_provider
from marketdata.providers.protocol import ProviderFailed, ProviderThrottled, Quote
from marketdata.tests.factories import make_instrument
from marketdata.tests.feeds import (
    Feed,
    Reply,
    as_json,
    as_text,
    exchange_rate,
    global_quote,
    running_feed,
    yahoo_chart,
    yahoo_meta,
    yahoo_not_found,
    yahoo_quotes,
)
from marketdata.types import InstrumentClass, Ticker

HTML = as_text("<html><body>Sorry</body></html>", kind="text/html")
TOLD_AT = datetime(2026, 2, 2, 19, 59, 52, tzinfo=UTC)


@pytest.fixture
def feed(settings: Settings) -> Iterator[Feed]:
    with running_feed() as running:
        settings.YAHOO_URL = running.url
        settings.ALPHAVANTAGE_URL = f"{running.url}/query"
        settings.ALPHAVANTAGE_API_KEY = "a-key"
        yield running


def share(symbol: str = "AAPL") -> Ticker:
    return Ticker(symbol, InstrumentClass.EQUITY, symbol, "USD", None)


def pair(base: str = "BTC", quote: str = "USD") -> Ticker:
    return Ticker(f"{base}-{quote}", InstrumentClass.CRYPTO, base, quote, None)


def fetch(name: str, *tickers: Ticker, timeout_seconds: float = 5.0) -> dict[str, Quote]:
    return dict(get_provider(name).fetch(tickers, timeout_seconds=timeout_seconds))


def failure(name: str, ticker: Ticker, timeout_seconds: float = 5.0) -> ProviderFailed:
    with pytest.raises(ProviderFailed) as failed:
        fetch(name, ticker, timeout_seconds=timeout_seconds)
    return failed.value


def listed(price_symbol: str, symbol: str, quote: str = "USD", **fields: Any) -> Ticker:
    """What is asked for a listed instrument that staff say is called otherwise elsewhere."""
    return ticker_of(make_instrument(symbol, quote=quote, price_symbol=price_symbol, **fields))


# --- Yahoo ----------------------------------------------------------------------------------------


def test_yahoo_tells_price_currency_and_time(feed: Feed) -> None:
    feed.reply = lambda path, query: yahoo_chart()

    assert fetch("yahoo", share()) == {"AAPL": Quote(Decimal("270.01"), "USD", TOLD_AT)}
    assert feed.asked_for_data() == ["/v8/finance/chart/AAPL"]


def test_the_digits_of_a_price_are_those_of_the_answer(feed: Feed) -> None:
    body = yahoo_chart()[2].replace(b"270.01", b"270.1000000000000000001")
    feed.reply = lambda path, query: (200, "application/json", body)

    assert fetch("yahoo", share())["AAPL"].price == Decimal("270.1000000000000000001")


def test_yahoo_knows_crypto_currencies_by_their_pair(feed: Feed) -> None:
    feed.reply = lambda path, query: yahoo_chart(
        "BTC-USD", regularMarketPrice=97000, instrumentType="CRYPTOCURRENCY"
    )

    assert fetch("yahoo", pair())["BTC-USD"].price == 97_000
    assert feed.asked_for_data() == ["/v8/finance/chart/BTC-USD"]


@pytest.mark.parametrize("unit", ["GBp", "GBX"])
def test_yahoos_pence_are_pounds(feed: Feed, unit: str) -> None:
    feed.reply = lambda path, query: yahoo_chart("VOD.L", currency=unit, regularMarketPrice=72.15)

    quote = fetch("yahoo", share("VOD.L"))["VOD.L"]

    assert (quote.price, quote.currency) == (Decimal("0.7215"), "GBP")


def test_many_tickers_are_one_request_of_yahoo(feed: Feed) -> None:
    def reply(path: str, query: dict[str, str]) -> Reply:
        assert query["symbols"] == "AAPL,NOPE,VOD.L,BTC-USD"
        return yahoo_quotes(
            yahoo_meta("AAPL"),
            yahoo_meta("VOD.L", currency="GBp", regularMarketPrice=72.15),
            yahoo_meta("BTC-USD", regularMarketPrice=None),
            yahoo_meta("OTHER"),
        )

    feed.reply = lambda path, query: (
        reply(path, query) if path == "/v7/finance/quote" else as_text("")
    )

    quotes = fetch("yahoo", share("AAPL"), share("NOPE"), share("VOD.L"), pair())

    assert {symbol: quote.price for symbol, quote in quotes.items()} == {
        "AAPL": Decimal("270.01"),
        "VOD.L": Decimal("0.7215"),
    }
    assert feed.asked_for_data() == ["/v7/finance/quote"]


@pytest.mark.django_db
def test_yahoo_is_asked_by_its_own_names(feed: Feed) -> None:
    ticker = listed("PETR4.SA", "PETR4", "BRL")
    feed.reply = lambda path, query: yahoo_chart("PETR4.SA", currency="BRL", regularMarketPrice=37)

    assert fetch("yahoo", ticker) == {"PETR4": Quote(Decimal(37), "BRL", TOLD_AT)}
    assert feed.asked_for_data() == ["/v8/finance/chart/PETR4.SA"]


@pytest.mark.django_db
def test_two_instruments_may_have_one_name_at_yahoo(feed: Feed) -> None:
    asked = []

    def reply(path: str, query: dict[str, str]) -> Reply:
        asked.append(query.get("symbols"))
        return yahoo_quotes(yahoo_meta("ACME.L", currency="USD"), yahoo_meta("AAPL"))

    feed.reply = reply
    tickers = [listed("ACME.L", "ACME"), share(), listed("ACME.L", "ACME-2")]

    quotes = fetch("yahoo", *tickers)

    assert set(quotes) == {"ACME", "AAPL", "ACME-2"}
    assert "ACME.L,AAPL" in asked
    feed.reply = lambda path, query: yahoo_chart("ACME.L")
    assert set(fetch("yahoo", tickers[0], tickers[2])) == {"ACME", "ACME-2"}


def test_a_ticker_that_yahoo_does_not_know_is_left_out(feed: Feed) -> None:
    feed.reply = lambda path, query: yahoo_not_found()

    assert fetch("yahoo", share("NOPE")) == {}


@pytest.mark.parametrize("price", [None, 0, -1, "NaN", [], {}, True, 1e300])
def test_what_is_no_price_is_none(feed: Feed, price: Any) -> None:
    feed.reply = lambda path, query: yahoo_chart(regularMarketPrice=price)

    assert fetch("yahoo", share()) == {}


@pytest.mark.parametrize("moment", [None, "soon", 10**30, True])
def test_a_price_without_a_time_is_of_now(feed: Feed, moment: Any) -> None:
    feed.reply = lambda path, query: yahoo_chart(regularMarketTime=moment)

    assert datetime.now(UTC) - fetch("yahoo", share())["AAPL"].as_of < timedelta(seconds=10)


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (as_text("Too Many Requests", 429), "throttled"),
        (as_text("oops", 500), "http_500"),
        (HTML, "malformed"),
        (as_text("{"), "malformed"),
        (as_json([]), "malformed"),
        (as_json({}), "malformed"),
        (as_json({"chart": None}), "malformed"),
        (as_json({"chart": {"result": [], "error": None}}), "malformed"),
        (as_json({"chart": {"result": [None], "error": None}}), "malformed"),
        (as_json({"chart": {"result": [{"meta": []}], "error": None}}), "malformed"),
        (as_json({}, 404), "malformed"),
        (yahoo_chart("OTHER"), "malformed"),
    ],
)
def test_an_answer_of_yahoo_that_is_none_is_a_failure(feed: Feed, reply: Reply, word: str) -> None:
    feed.reply = lambda path, query: reply

    failed = failure("yahoo", share())

    assert failed.word == word
    assert isinstance(failed, ProviderThrottled) == (word == "throttled")


# --- Alpha Vantage --------------------------------------------------------------------------------


def test_alpha_vantage_tells_a_shares_price_in_dollars(feed: Feed) -> None:
    feed.reply = lambda path, query: global_quote()

    quote = fetch("alphavantage", share("IBM"))["IBM"]

    assert quote == Quote(Decimal("217.51"), "USD", datetime(2026, 11, 19, 21, tzinfo=UTC))
    assert feed.requests == [
        ("/query", {"function": "GLOBAL_QUOTE", "symbol": "IBM", "apikey": "a-key"})
    ]


def test_alpha_vantage_tells_a_pairs_price(feed: Feed) -> None:
    feed.reply = lambda path, query: exchange_rate()

    quote = fetch("alphavantage", pair())["BTC-USD"]

    told_at = datetime(2026, 11, 19, 10, 0, 1, tzinfo=UTC)
    assert quote == Quote(Decimal("97000.01"), "USD", told_at)
    assert feed.requests[0][1]["from_currency"] == "BTC"
    assert feed.requests[0][1]["to_currency"] == "USD"


def test_shares_of_other_exchanges_are_not_asked_for() -> None:
    provider = get_provider("alphavantage")

    assert not provider.covers(share("TSCO.LON"))
    assert provider.covers(share("BRK-B"))
    assert provider.covers(pair())


@pytest.mark.django_db
def test_alpha_vantage_is_asked_by_the_names_of_price_services(feed: Feed) -> None:
    provider = get_provider("alphavantage")
    abroad = listed("PETR4.SA", "PETR4", "BRL")
    at_home = listed("IBM", "BLUE")
    steps: dict[str, Any] = {"base": "BTC", "kind": "SPOT", "lot_size": Decimal("0.01")}
    coin, odd = listed("BTC-USD", "XBTUSD", **steps), listed("XBT=X", "XBT", **steps)

    assert [provider.covers(one) for one in (abroad, at_home, coin, odd)] == [
        False, True, True, False,
    ]  # fmt: skip
    feed.reply = lambda path, query: global_quote() if "symbol" in query else exchange_rate()
    quotes = fetch("alphavantage", at_home, coin)
    assert {symbol: quote.price for symbol, quote in quotes.items()} == {
        "BLUE": Decimal("217.51"),
        "XBTUSD": Decimal("97000.01"),
    }
    assert [query.get("symbol") or query["from_currency"] for _, query in feed.requests] == [
        "IBM", "BTC",
    ]  # fmt: skip


def test_alpha_vantage_needs_a_key(settings: Settings) -> None:
    settings.ALPHAVANTAGE_API_KEY = ""

    assert not get_provider("alphavantage").is_configured()


@pytest.mark.parametrize(
    "reply",
    [as_json({"Global Quote": {}}), as_json({"Error Message": "Invalid API call."})],
)
def test_a_ticker_that_alpha_vantage_does_not_know_is_left_out(feed: Feed, reply: Reply) -> None:
    feed.reply = lambda path, query: reply

    assert fetch("alphavantage", share("NOPE")) == {}


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (as_json({"Information": "Our standard API rate limit is 25 requests."}), "throttled"),
        (as_json({"Note": "Thank you! Our standard API call frequency is 5."}), "throttled"),
        (as_text("Too Many Requests", 429), "throttled"),
        (as_json({"Error Message": "the parameter apikey is invalid or missing."}), "wrong_key"),
        (as_text("oops", 503), "http_503"),
        (HTML, "malformed"),
        (as_json("text"), "malformed"),
        (as_json({"Global Quote": []}), "malformed"),
        (as_json({"Global Quote": {"01. symbol": "OTHER"}}), "malformed"),
        (global_quote(price=None), "malformed"),
        (global_quote(price="None"), "malformed"),
    ],
)
def test_an_answer_of_alpha_vantage_that_is_none_is_a_failure(
    feed: Feed, reply: Reply, word: str
) -> None:
    feed.reply = lambda path, query: reply

    assert failure("alphavantage", share("IBM")).word == word


# --- both -----------------------------------------------------------------------------------------

BOTH = pytest.mark.parametrize("name", ["yahoo", "alphavantage"])


@BOTH
def test_a_slow_service_is_not_waited_for(feed: Feed, name: str) -> None:
    fetch_good(feed, name)  # imports what is imported late
    feed.delay_seconds = 2.0
    started = time.monotonic()

    assert failure(name, share("IBM"), timeout_seconds=0.3).word == "timeout"
    assert time.monotonic() - started < 1.0


@BOTH
def test_an_answer_that_is_cut_off_is_a_failure(feed: Feed, name: str) -> None:
    feed.cuts_off = True
    feed.reply = lambda path, query: global_quote()

    assert failure(name, share("IBM")).word in ("unreachable", "malformed")


@BOTH
def test_a_service_that_is_not_there_is_a_failure(settings: Settings, name: str) -> None:
    settings.YAHOO_URL = settings.ALPHAVANTAGE_URL = "http://127.0.0.1:1"
    settings.ALPHAVANTAGE_API_KEY = "a-key"

    assert failure(name, share("IBM")).word == "unreachable"


@BOTH
def test_an_answer_that_is_nested_without_end_is_a_failure(feed: Feed, name: str) -> None:
    feed.reply = lambda path, query: (200, "application/json", b"[" * 100_000)

    assert failure(name, share("IBM")).word == "malformed"


def fetch_good(feed: Feed, name: str) -> None:
    feed.reply = lambda path, query: yahoo_chart("IBM") if name == "yahoo" else global_quote()
    assert set(fetch(name, share("IBM"))) == {"IBM"}
