"""Prices asked for together: in as few requests as may be, in one time, each for itself."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import transaction
from pytest_django import Settings

from common.errors import ExchangeError
from marketdata.pricing import MarketPrice, breaker, get_last_prices
from marketdata.pricing.memory import asking
from marketdata.pricing.watching import list_watched
from marketdata.selectors import find_instrument_spec
from marketdata.tests.factories import make_asset, make_instrument, make_mark, make_perpetual
from marketdata.tests.feeds import (
    Feed,
    Reply,
    as_text,
    global_quote,
    running_feed,
    yahoo_chart,
    yahoo_meta,
    yahoo_not_found,
    yahoo_quotes,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

SYMBOLS = ("ACME", "OTHER", "THIRD")


@pytest.fixture
def feed(settings: Settings) -> Iterator[Feed]:
    """Yahoo alone, which knows ACME and OTHER."""
    settings.PRICE_PROVIDERS_EQUITY = ["yahoo"]
    settings.PRICE_PROVIDERS_CRYPTO = []
    with running_feed() as running:
        settings.YAHOO_URL = running.url
        settings.ALPHAVANTAGE_URL = f"{running.url}/query"
        running.reply = answer_of_yahoo
        yield running


def answer_of_yahoo(path: str, query: dict[str, str]) -> Reply:
    """As its two addresses answer: one symbol, or several."""
    acme, other = yahoo_meta("ACME"), yahoo_meta("OTHER", regularMarketPrice=5)
    charts = {
        "ACME": yahoo_chart("ACME"),
        "OTHER": yahoo_chart("OTHER", regularMarketPrice=5),
        "THIRD": yahoo_not_found(),
    }
    return charts.get(path.rpartition("/")[2]) or yahoo_quotes(acme, other)


def told(seconds_max: float = 5.0, symbols: tuple[str, ...] = SYMBOLS) -> dict[str, object]:
    """By symbol the price, or the code of the error."""
    prices = get_last_prices(symbols=symbols, seconds_max=seconds_max)
    return {symbol: price_or_code(one) for symbol, one in prices.items()}


def price_or_code(one: MarketPrice | ExchangeError) -> object:
    return one.price if isinstance(one, MarketPrice) else one.code


def test_all_are_asked_for_in_one_request_and_one_without_a_price_spoils_no_other(
    feed: Feed,
) -> None:
    for symbol in SYMBOLS:
        make_instrument(symbol)

    expected = {"ACME": Decimal("270.01"), "OTHER": 5, "THIRD": "no_market_price"}
    assert told() == expected
    assert told() == expected  # remembered

    assert feed.asked_for_data() == ["/v7/finance/quote"]
    assert set(list_watched()) == {"ACME", "OTHER"}


def test_each_symbol_has_its_own_error(feed: Feed, settings: Settings) -> None:
    settings.PRICE_PROVIDERS_EQUITY = settings.PRICE_PROVIDERS_CRYPTO = ["fixed"]
    settings.PRICE_TABLE = {"ACME": "1 EUR", "OTHER": "2", "THIRD": "0.001"}
    for symbol in SYMBOLS:
        make_instrument(symbol)
    make_mark(make_perpetual(), "50000")
    make_perpetual("NEW-PERP")

    assert told(symbols=(*SYMBOLS, "BTC-PERP", "NEW-PERP", "NOPE", "not a symbol")) == {
        "ACME": "currency_mismatch",
        "OTHER": 2,
        "THIRD": "no_market_price",
        "BTC-PERP": 50_000,
        "NEW-PERP": "no_market_price",
        "NOPE": "unknown_ticker",
        "not a symbol": "unknown_ticker",
    }
    assert feed.requests == []


def test_a_service_that_is_slow_takes_no_longer_than_all_may(
    feed: Feed, settings: Settings
) -> None:
    settings.PRICE_PROVIDERS_CRYPTO = ["yahoo"]
    for symbol in SYMBOLS:
        make_instrument(symbol)
    make_asset("BTC")
    make_instrument("BTC-USD", base="BTC", kind="SPOT", lot_size=Decimal("0.01"))
    feed.delay_seconds = 3

    started = time.monotonic()
    answers = told(0.5, (*SYMBOLS, "BTC-USD"))

    assert time.monotonic() - started < 1.5
    assert answers == dict.fromkeys((*SYMBOLS, "BTC-USD"), "no_market_price")


def test_who_waits_for_others_waits_no_longer_than_all_may(feed: Feed) -> None:
    for symbol in SYMBOLS:
        make_instrument(symbol)

    with asking("OTHER", seconds_max=5) as is_held:
        assert is_held
        started = time.monotonic()
        answers = told(0.3)

    assert 0.3 <= time.monotonic() - started < 1.5
    assert (answers["ACME"], answers["OTHER"]) == (Decimal("270.01"), "no_market_price")


@pytest.mark.django_db(transaction=True)
def test_ten_callers_at_once_ask_once_for_each_symbol(feed: Feed) -> None:
    for symbol in SYMBOLS:
        make_instrument(symbol)
    assert all(find_instrument_spec(symbol) for symbol in SYMBOLS)
    feed.delay_seconds = 0.3
    gate = threading.Barrier(10)

    def ask(_: int) -> dict[str, object]:
        gate.wait()
        return told()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, range(10)))

    assert all(one["ACME"] == Decimal("270.01") and one["OTHER"] == 5 for one in answers)
    # Who loses the race for some of them asks for the others.
    in_charts = [path.rpartition("/")[2] for path, _ in feed.requests if "/chart/" in path]
    in_quotes = [query["symbols"] for path, query in feed.requests if path.endswith("/quote")]
    asked = ",".join(in_charts + in_quotes).split(",")
    assert (asked.count("ACME"), asked.count("OTHER")) == (1, 1)


def test_a_service_without_bulk_has_a_request_for_each_within_its_budget(
    feed: Feed, settings: Settings
) -> None:
    settings.PRICE_PROVIDERS_EQUITY = ["alphavantage"]
    settings.ALPHAVANTAGE_API_KEY = "a-key"
    settings.PRICE_REQUESTS_PER_MINUTE = {"alphavantage": 2}
    for symbol in SYMBOLS:
        make_instrument(symbol)
    feed.reply = lambda path, query: (
        as_text("oops", 500) if query["symbol"] == "ACME" else global_quote(query["symbol"])
    )

    assert told() == {
        "ACME": "no_market_price",
        "OTHER": Decimal("217.51"),
        "THIRD": "no_market_price",
    }
    assert [query["symbol"] for _, query in feed.requests] == ["ACME", "OTHER"]
    assert breaker.get_state("alphavantage").last_error == "http_500"


def test_without_valkey_all_are_asked_for_directly(feed: Feed, lost_valkey: None) -> None:
    for symbol in SYMBOLS:
        make_instrument(symbol)

    assert told() == {"ACME": Decimal("270.01"), "OTHER": 5, "THIRD": "no_market_price"}


def test_nothing_is_asked_for_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(AssertionError):
        get_last_prices(symbols=["ACME"], seconds_max=1)
