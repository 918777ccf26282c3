"""Price services behind the chain: one request for all, breakers, budgets, bulk refreshes."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from marketdata.errors import NoMarketPrice
from marketdata.pricing import breaker, get_last_price, get_market_price
from marketdata.pricing.memory import asking
from marketdata.selectors import find_instrument_spec
from marketdata.tests.factories import make_instrument
from marketdata.tests.feeds import (
    Feed,
    as_text,
    global_quote,
    running_feed,
    yahoo_chart,
    yahoo_not_found,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture
def feed(settings: Settings) -> Iterator[Feed]:
    """Yahoo first, then Alpha Vantage; both told by path."""
    settings.PRICE_PROVIDERS_EQUITY = ["yahoo", "alphavantage"]
    # The stand-ins' quotes are always of the same day.
    settings.PRICE_STALE_SECONDS_EQUITY = 10**9
    with running_feed() as running:
        settings.YAHOO_URL = running.url
        settings.ALPHAVANTAGE_URL = f"{running.url}/query"
        running.reply = lambda path, query: yahoo_chart("ACME")
        yield running


def forget_refusals(valkey: Any, settings: Settings) -> None:
    """As if some seconds had passed."""
    for name in valkey.scan_iter(f"{settings.REDIS_PREFIX}price-refusal:*"):
        valkey.delete(name)


@pytest.mark.django_db(transaction=True)
def test_thirty_callers_at_once_make_one_request(feed: Feed) -> None:
    make_instrument("ACME")
    assert find_instrument_spec("ACME") is not None
    feed.delay_seconds = 0.3
    gate = threading.Barrier(30)

    def ask(_: int) -> tuple[Decimal, bool]:
        gate.wait()
        price = get_market_price(symbol="ACME")
        return price.price, price.is_cached

    with ThreadPoolExecutor(30) as pool:
        told = list(pool.map(ask, range(30)))

    assert feed.asked_for_data() == ["/v8/finance/chart/ACME"]
    assert sorted(told) == [(Decimal("270.01"), False)] + [(Decimal("270.01"), True)] * 29


@pytest.mark.django_db(transaction=True)
def test_a_failure_too_is_one_request_for_all_who_wait(feed: Feed) -> None:
    make_instrument("ACME")
    assert find_instrument_spec("ACME") is not None
    feed.reply = lambda path, query: as_text("oops", 500)
    gate = threading.Barrier(10)

    def ask(_: int) -> str:
        gate.wait()
        with pytest.raises(NoMarketPrice) as refusal:
            get_market_price(symbol="ACME")
        return refusal.value.code

    with ThreadPoolExecutor(10) as pool:
        told = list(pool.map(ask, range(10)))

    assert told == ["no_market_price"] * 10
    # yfinance asks a refused address a second time, with another cookie.
    assert len(feed.asked_for_data()) <= 2


def test_who_waits_too_long_gets_the_last_good_price(
    feed: Feed, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_instrument("ACME")
    make_instrument("OTHER")
    get_market_price(symbol="ACME")
    settings.PRICE_CACHE_SECONDS = 0
    monkeypatch.setattr("marketdata.pricing.prices._WAIT_SECONDS_MAX", 0.1)

    with asking("ACME", seconds_max=5) as is_mine, asking("OTHER", seconds_max=5):
        assert is_mine
        with asking("ACME", seconds_max=5) as is_mine_too:
            assert not is_mine_too
        assert get_market_price(symbol="ACME").price == Decimal("270.01")
        with pytest.raises(NoMarketPrice):
            get_market_price(symbol="OTHER")

    assert len(feed.asked_for_data()) == 1


def test_a_lock_ends_by_itself_and_is_not_taken_from_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("marketdata.pricing.memory._LOCK_MARGIN_SECONDS", 0.05)

    with ExitStack() as first, ExitStack() as second:
        assert first.enter_context(asking("ACME", seconds_max=0.05))
        time.sleep(0.15)
        assert second.enter_context(asking("ACME", seconds_max=60))
        first.close()
        with asking("ACME", seconds_max=60) as is_third:
            assert not is_third


def test_the_second_service_is_asked_when_the_first_one_fails(
    feed: Feed, settings: Settings
) -> None:
    make_instrument("ACME")
    settings.ALPHAVANTAGE_API_KEY = "a-key"
    feed.reply = lambda path, query: (
        global_quote("ACME") if path == "/query" else as_text("oops", 500)
    )

    price = get_market_price(symbol="ACME")

    assert (price.price, price.source) == (Decimal("217.51"), "alphavantage")
    assert breaker.get_state("yahoo").last_error == "http_500"
    assert breaker.get_state("alphavantage").last_error is None


def test_after_three_failures_nobody_asks_until_a_trial_succeeds(
    feed: Feed, valkey: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_instrument("ACME")
    monkeypatch.setattr("marketdata.pricing.breaker.OPEN_SECONDS", 0.2)
    feed.reply = lambda path, query: as_text("oops", 500)

    for failures in (1, 2, 3):
        assert not breaker.get_state("yahoo").is_open
        with pytest.raises(NoMarketPrice):
            get_market_price(symbol="ACME")
        forget_refusals(valkey, settings)
        assert breaker.get_state("yahoo").failures_in_a_row == failures
    assert breaker.get_state("yahoo").is_open

    asked = len(feed.requests)
    with pytest.raises(NoMarketPrice):
        get_market_price(symbol="ACME")
    assert len(feed.requests) == asked
    forget_refusals(valkey, settings)

    time.sleep(0.25)
    assert breaker.may_ask("yahoo")  # one trial …
    assert not breaker.may_ask("yahoo")  # … at a time
    breaker.note_failure("yahoo", "http_500")
    assert breaker.get_state("yahoo").is_open

    time.sleep(0.25)
    feed.reply = lambda path, query: yahoo_chart("ACME")
    assert get_market_price(symbol="ACME").price == Decimal("270.01")
    state = breaker.get_state("yahoo")
    assert (state.is_open, state.failures_in_a_row) == (False, 0)
    assert (state.last_success_age_seconds, state.last_error) == (0, "http_500")


def test_too_many_requests_open_the_breaker_at_once(feed: Feed) -> None:
    make_instrument("ACME")
    feed.reply = lambda path, query: as_text("Too Many Requests", 429)

    with pytest.raises(NoMarketPrice):
        get_market_price(symbol="ACME")

    state = breaker.get_state("yahoo")
    assert (state.is_open, state.last_error) == (True, "throttled")


def test_an_unknown_ticker_is_no_failure_of_the_service(feed: Feed) -> None:
    make_instrument("ACME")
    feed.reply = lambda path, query: yahoo_not_found()

    with pytest.raises(NoMarketPrice):
        get_market_price(symbol="ACME")

    state = breaker.get_state("yahoo")
    assert (state.failures_in_a_row, state.last_success_age_seconds) == (0, 0)


def test_a_ticker_that_is_not_covered_leaves_the_breaker_as_it_is(
    feed: Feed, settings: Settings
) -> None:
    make_instrument("ACME.LON")
    settings.PRICE_PROVIDERS_EQUITY = ["alphavantage"]
    settings.ALPHAVANTAGE_API_KEY = "a-key"
    breaker.note_failure("alphavantage", "http_500")

    with pytest.raises(NoMarketPrice):
        get_market_price(symbol="ACME.LON")

    state = breaker.get_state("alphavantage")
    assert (state.failures_in_a_row, state.last_success_age_seconds) == (1, None)
    assert feed.requests == []


def test_a_service_gets_no_more_requests_a_minute_than_its_budget(
    feed: Feed, settings: Settings
) -> None:
    make_instrument("ACME")
    make_instrument("OTHER")
    settings.PRICE_REQUESTS_PER_MINUTE = {"yahoo": 1}
    get_market_price(symbol="ACME")

    with pytest.raises(NoMarketPrice):
        get_market_price(symbol="OTHER")
    assert get_market_price(symbol="ACME").is_cached  # costs nothing

    assert len(feed.asked_for_data()) == 1
    assert breaker.get_state("yahoo").failures_in_a_row == 0


def test_a_key_that_is_not_set_leaves_its_service_out(feed: Feed, settings: Settings) -> None:
    make_instrument("ACME")
    settings.PRICE_PROVIDERS_EQUITY = ["alphavantage"]

    with pytest.raises(NoMarketPrice):
        get_last_price(symbol="ACME")

    assert feed.requests == []
