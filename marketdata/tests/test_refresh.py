"""Watched symbols are asked for in bulk, and no others; the state of the services for health."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from common.valkey import key
from marketdata.pricing import get_market_price, list_service_states
from marketdata.pricing.memory import recall
from marketdata.pricing.tickers import get_ticker
from marketdata.pricing.watching import WATCHED_SECONDS, list_watched, watch
from marketdata.tasks import refresh_prices
from marketdata.tests.factories import make_instrument
from marketdata.tests.feeds import Feed, as_text, running_feed, yahoo_meta, yahoo_quotes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture
def feed(settings: Settings) -> Iterator[Feed]:
    settings.PRICE_PROVIDERS_EQUITY = ["yahoo", "alphavantage"]
    # The stand-ins' quotes are always of the same day.
    settings.PRICE_STALE_SECONDS_EQUITY = 10**9
    settings.ALPHAVANTAGE_API_KEY = "a-key"
    with running_feed() as running:
        settings.YAHOO_URL = running.url
        settings.ALPHAVANTAGE_URL = f"{running.url}/query"
        running.reply = lambda path, query: (
            yahoo_quotes(yahoo_meta("ACME"), yahoo_meta("OTHER", regularMarketPrice=5))
            if path == "/v7/finance/quote"
            else as_text("")
        )
        yield running


def test_watched_symbols_are_asked_for_in_one_request(feed: Feed) -> None:
    for symbol in ("ACME", "OTHER", "UNKNOWN", "UNWATCHED"):
        make_instrument(symbol)
    watch(["ACME", "OTHER", "UNKNOWN", "not-listed"])

    assert refresh_prices() == 2

    assert feed.asked_for_data() == ["/v7/finance/quote"]
    asked = next(query["symbols"] for path, query in feed.requests if path.startswith("/v7/"))
    assert set(asked.split(",")) == {"ACME", "OTHER", "UNKNOWN"}
    price = get_market_price(symbol="OTHER")
    assert (price.price, price.source, price.is_cached) == (Decimal(5), "yahoo", True)


def test_fresh_prices_are_left_alone_until_they_would_grow_old(
    feed: Feed, settings: Settings
) -> None:
    make_instrument("ACME")
    make_instrument("OTHER")
    watch(["ACME", "OTHER"])

    assert (refresh_prices(), refresh_prices()) == (2, 0)
    settings.PRICE_CACHE_SECONDS = 60
    assert refresh_prices() == 2


def test_a_refresh_that_fails_keeps_the_last_good_prices(feed: Feed, settings: Settings) -> None:
    make_instrument("ACME")
    make_instrument("OTHER")
    watch(["ACME", "OTHER"])
    refresh_prices()
    settings.PRICE_CACHE_SECONDS = 60
    feed.reply = lambda path, query: as_text("oops", 500)

    assert refresh_prices() == 0

    tickers = [get_ticker("ACME"), get_ticker("OTHER")]
    assert all(known.price is not None for known in recall(tickers).values())


def test_a_symbol_is_watched_for_a_quarter_of_an_hour(valkey: Any) -> None:
    watch(["ACME", "OTHER"])
    valkey.zadd(key("price-watched"), {"ACME": time.time() - WATCHED_SECONDS - 1})

    assert list_watched() == ["OTHER"]
    assert valkey.zcard(key("price-watched")) == 1


def test_nobody_watched_nothing_asked(feed: Feed) -> None:
    make_instrument("ACME")

    assert refresh_prices() == 0
    assert feed.requests == []


def test_states_of_the_services_in_their_order(settings: Settings) -> None:
    settings.PRICE_PROVIDERS_EQUITY = ["yahoo", "alphavantage"]
    # The stand-ins' quotes are always of the same day.
    settings.PRICE_STALE_SECONDS_EQUITY = 10**9
    settings.PRICE_PROVIDERS_CRYPTO = ["simulated", "yahoo"]

    states = [
        (state.name, state.is_configured, state.breaker, state.last_error)
        for state in list_service_states()
    ]

    assert states == [
        ("yahoo", True, "closed", None),
        ("alphavantage", False, "closed", None),
        ("simulated", True, None, None),
    ]
