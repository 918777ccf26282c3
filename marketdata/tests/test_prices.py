"""Market prices: remembered, asked for once, judged by currency, tick and age."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from pytest_django import Settings

from common.errors import Throttled
from marketdata.errors import CurrencyMismatch, NoMarketPrice, UnknownTicker
from marketdata.models import Instrument
from marketdata.pricing import get_last_price, get_market_price
from marketdata.pricing.watching import list_watched
from marketdata.services import store_instrument
from marketdata.tests.factories import make_asset, make_instrument, make_mark, make_perpetual

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture(autouse=True)
def table(settings: Settings) -> dict[str, str]:
    """The prices of the fixed service, which is the only one that is asked."""
    settings.PRICE_PROVIDERS_EQUITY = settings.PRICE_PROVIDERS_CRYPTO = ["fixed"]
    settings.PRICE_TABLE = {}
    return settings.PRICE_TABLE


def test_a_price_is_told_with_its_source_and_remembered(table: dict[str, str]) -> None:
    make_instrument("ACME")
    table["ACME"] = "150.25"

    first = get_market_price(symbol="ACME")
    table["ACME"] = "160"
    second = get_market_price(symbol="ACME")

    assert (first.symbol, first.price, first.currency) == ("ACME", Decimal("150.25"), "USD")
    assert (first.source, first.is_simulated, first.is_stale) == ("fixed", False, False)
    assert datetime.now(UTC) - first.as_of < timedelta(seconds=5)
    assert (first.is_cached, second.is_cached) == (False, True)
    assert (second.price, second.as_of) == (first.price, first.as_of)
    assert list_watched() == ["ACME"]


def test_after_three_minutes_it_is_asked_for_anew(
    table: dict[str, str], settings: Settings
) -> None:
    make_instrument("ACME")
    table["ACME"] = "150.25"
    get_market_price(symbol="ACME")

    assert settings.PRICE_CACHE_SECONDS == 180
    settings.PRICE_CACHE_SECONDS = 0
    table["ACME"] = "160"

    assert get_market_price(symbol="ACME").price == 160


@pytest.mark.parametrize(
    ("told", "price"),
    [("150.254", "150.25"), ("150.255", "150.26"), ("0.005", "0.01"), ("1e2", "100")],
)
def test_a_price_is_rounded_to_the_tick(table: dict[str, str], told: str, price: str) -> None:
    make_instrument("ACME")
    table["ACME"] = told

    assert get_market_price(symbol="ACME").price == Decimal(price)


def test_a_price_of_less_than_half_a_tick_is_none(table: dict[str, str]) -> None:
    make_instrument("ACME")
    table["ACME"] = "0.0049"

    with pytest.raises(NoMarketPrice):
        get_market_price(symbol="ACME")


def test_another_currency_is_refused(table: dict[str, str]) -> None:
    make_instrument("ACME")
    table["ACME"] = "150.25 EUR"

    for _ in range(2):  # asked for, and remembered
        with pytest.raises(CurrencyMismatch) as refusal:
            get_market_price(symbol="ACME")
        assert refusal.value.code == "currency_mismatch"
        assert refusal.value.facts == {
            "symbol": "ACME",
            "expected": "USD",
            "currency": "EUR",
            "source": "fixed",
        }


def test_pence_are_hundredths_of_pounds(table: dict[str, str]) -> None:
    make_asset("GBP")
    make_instrument("VOD", quote="GBP")
    table["VOD"] = "7210.5 GBX"

    price = get_market_price(symbol="VOD")

    assert (price.price, price.currency) == (Decimal("72.11"), "GBP")


def test_the_next_service_is_asked_when_one_knows_nothing_or_another_currency(
    table: dict[str, str], settings: Settings
) -> None:
    settings.PRICE_PROVIDERS_EQUITY = ["fixed", "simulated"]
    make_instrument("ACME")
    make_instrument("OTHER")
    table["OTHER"] = "1 EUR"

    for symbol in ("ACME", "OTHER"):
        price = get_market_price(symbol=symbol)
        assert (price.source, price.is_simulated) == ("simulated", True)


def test_a_listed_symbol_that_no_service_knows_has_no_price() -> None:
    make_instrument("ACME")

    with pytest.raises(NoMarketPrice) as refusal:
        get_market_price(symbol="ACME")

    assert (refusal.value.status, refusal.value.retry_after_seconds) == (503, 5)
    assert refusal.value.facts == {"symbol": "ACME"}


def test_a_perpetual_costs_its_mark_and_no_service_is_asked(table: dict[str, str]) -> None:
    perpetual = make_perpetual()
    table["BTC-PERP"] = "60000"

    with pytest.raises(NoMarketPrice) as refusal:
        get_market_price(symbol="BTC-PERP")
    assert refusal.value.facts == {"symbol": "BTC-PERP"}

    mark = make_mark(perpetual, "50000.01", age=timedelta(seconds=7))
    price = get_market_price(symbol="BTC-PERP")
    assert (price.price, price.currency, price.source) == (Decimal("50000.01"), "USDT", "mark")
    assert (price.as_of, price.age_seconds) == (mark.as_of, 7)
    assert not (price.is_cached or price.is_simulated or price.is_stale)
    assert list_watched() == []


def test_nobody_deals_on_a_stale_mark_but_it_is_told() -> None:
    mark = make_mark(make_perpetual(mark_stale_seconds=60), "50000", age=timedelta(seconds=61))

    with pytest.raises(NoMarketPrice) as refusal:
        get_market_price(symbol="BTC-PERP")

    assert refusal.value.facts == {
        "symbol": "BTC-PERP",
        "age_seconds": 61,
        "as_of": mark.as_of,
    }
    shown = get_last_price(symbol="BTC-PERP")
    assert (shown.price, shown.is_stale) == (50_000, True)


def test_what_another_chain_told_is_not_dealt_on(table: dict[str, str], settings: Settings) -> None:
    make_instrument("ACME")
    settings.PRICE_PROVIDERS_EQUITY = ["simulated"]
    assert get_market_price(symbol="ACME").is_simulated

    settings.PRICE_PROVIDERS_EQUITY = ["fixed"]
    with pytest.raises(NoMarketPrice) as refusal:  # nor is it a last good price
        get_market_price(symbol="ACME")
    assert refusal.value.facts == {"symbol": "ACME"}

    settings.PRICE_PROVIDERS_EQUITY = ["fixed", "simulated"]
    table["ACME"] = "150.25"
    price = get_market_price(symbol="ACME")
    assert (price.price, price.source) == (Decimal("150.25"), "fixed")  # nor is the refusal


def test_what_was_told_of_another_name_is_not_dealt_on(table: dict[str, str]) -> None:
    make_instrument("PETR4")
    table["PETR4"] = "35"
    assert not get_market_price(symbol="PETR4").is_cached
    assert get_market_price(symbol="PETR4").is_cached

    instrument = Instrument.objects.get(symbol="PETR4")
    instrument.price_symbol = "PETR4.SA"
    store_instrument(instrument)

    assert not get_market_price(symbol="PETR4").is_cached


def test_when_nobody_answers_the_last_good_price_is_told_until_it_is_stale(
    table: dict[str, str], settings: Settings
) -> None:
    make_instrument("ACME")
    table["ACME"] = "150.25"
    get_market_price(symbol="ACME")

    settings.PRICE_CACHE_SECONDS = 0
    table["ACME"] = "nonsense"
    price = get_market_price(symbol="ACME")
    assert (price.price, price.is_cached, price.is_stale) == (Decimal("150.25"), True, False)

    settings.PRICE_STALE_SECONDS = -1
    with pytest.raises(NoMarketPrice) as refusal:
        get_market_price(symbol="ACME")
    assert refusal.value.facts == {
        "symbol": "ACME",
        "age_seconds": 0,
        "as_of": price.as_of,
    }
    shown = get_last_price(symbol="ACME")
    assert (shown.price, shown.is_stale) == (Decimal("150.25"), True)


def test_an_unknown_ticker_is_not_listed() -> None:
    for _ in range(2):
        with pytest.raises(UnknownTicker) as refusal:
            get_market_price(symbol="NOPE")
        assert (refusal.value.status, refusal.value.facts) == (404, {"symbol": "NOPE"})
    assert not Instrument.objects.exists()


@pytest.mark.parametrize("symbol", ["", "a", "A B", "A\0", "A" * 21, "../X"])
def test_what_is_no_symbol_is_unknown(symbol: str) -> None:
    with pytest.raises(UnknownTicker):
        get_market_price(symbol=symbol)


def test_a_share_that_a_service_knows_is_listed(table: dict[str, str]) -> None:
    table["BRK-B"] = "450.5"

    assert get_market_price(symbol="BRK-B").price == Decimal("450.5")

    instrument = Instrument.objects.get(symbol="BRK-B")
    assert (instrument.kind, instrument.quote_asset.code) == ("EQUITY", "USD")
    assert instrument.is_open_listing


@pytest.mark.parametrize(
    ("symbol", "price", "tick", "lot"),
    [
        ("BTC-USD", "61234.56", "1", "0.0001"),
        ("ETH-USD", "3123.456", "0.1", "0.001"),
        ("DOGE-USD", "0.123456", "0.00001", "10"),
        ("SHIB-USD", "0.0000123456", "0.00000001", "10000"),
    ],
)
def test_a_pair_that_a_service_knows_is_listed_with_steps_that_suit_its_price(
    table: dict[str, str], symbol: str, price: str, tick: str, lot: str
) -> None:
    table[symbol] = price

    told = get_market_price(symbol=symbol)

    instrument = Instrument.objects.get(symbol=symbol)
    base = instrument.base_asset
    assert (instrument.kind, base.code, base.kind, base.scale) == (
        "SPOT",
        symbol.partition("-")[0],
        "CRYPTO",
        8,
    )
    assert (instrument.tick_size, instrument.lot_size) == (Decimal(tick), Decimal(lot))
    assert abs(told.price - Decimal(price)) <= Decimal(tick) / 2
    assert told.currency == "USD"


def test_nothing_is_listed_in_the_wrong_currency_or_where_open_listing_is_off(
    table: dict[str, str], settings: Settings
) -> None:
    table["SAP"] = "240 EUR"
    table["AAPL"] = "240"

    with pytest.raises(CurrencyMismatch):
        get_market_price(symbol="SAP")
    settings.OPEN_LISTING = False
    with pytest.raises(UnknownTicker):
        get_market_price(symbol="AAPL")

    assert not Instrument.objects.exists()


def test_only_so_many_unlisted_symbols_a_minute_are_asked_for(settings: Settings) -> None:
    settings.PRICE_PROBES_PER_MINUTE = 1

    with pytest.raises(UnknownTicker):
        get_market_price(symbol="NOPE")
    with pytest.raises(Throttled):
        get_market_price(symbol="NOPE2")
    with pytest.raises(UnknownTicker):  # remembered: nobody is asked
        get_market_price(symbol="NOPE")


def test_prices_are_not_asked_for_inside_a_transaction() -> None:
    make_instrument("ACME")

    with transaction.atomic(), pytest.raises(AssertionError):
        get_market_price(symbol="ACME")


def test_without_valkey_prices_are_asked_for_directly(
    table: dict[str, str], lost_valkey: None
) -> None:
    make_instrument("ACME")
    table["ACME"] = "150.25"

    for price in ("150.25", "151"):
        table["ACME"] = price
        told = get_market_price(symbol="ACME")
        assert (told.price, told.is_cached) == (Decimal(price), False)
    del table["ACME"]
    with pytest.raises(NoMarketPrice):
        get_market_price(symbol="ACME")
