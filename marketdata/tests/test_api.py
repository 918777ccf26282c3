"""Instruments and the clock over HTTP: exact answers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from brokers.tests.factories import RegisteredBrokerFactory
from marketdata.selectors import find_instrument_spec, get_instrument_spec_by_id
from marketdata.tests.factories import make_instrument, make_mark, make_perpetual

pytestmark = pytest.mark.django_db


@pytest.fixture
def get(client: Client) -> Any:
    """GET a path below /api/v1/ with a broker's key; status and document."""
    headers = {"X-API-KEY": RegisteredBrokerFactory.create().secret}

    def get_it(path: str) -> tuple[int, Any]:
        answer = client.get(f"/api/v1/{path}", headers=headers)
        return answer.status_code, answer.json()

    return get_it


def make_spot() -> None:
    make_instrument(
        "BTC-USDT",
        kind="SPOT",
        base="BTC",
        quote="USDT",
        name="Bitcoin",
        lot_size=Decimal("0.0001"),
        price_rule="MAKER",
        min_quantity=Decimal("0.001"),
        max_notional=Decimal(1_000_000),
        maker_fee_rate=Decimal("-0.0001"),
        taker_fee_rate=Decimal("0.0005"),
        market_collar_rate=Decimal("0.05"),
    )


def test_an_instrument_tells_its_steps_limits_and_fees(get: Any) -> None:
    make_spot()

    assert get("instruments/btc-usdt") == (
        200,
        {
            "symbol": "BTC-USDT",
            "name": "Bitcoin",
            "price_symbol": None,
            "kind": "SPOT",
            "state": "CONTINUOUS",
            "base_asset": "BTC",
            "quote_asset": "USDT",
            "base_scale": 8,
            "quote_scale": 6,
            "tick_size": "0.01",
            "lot_size": "0.0001",
            "min_quantity": "0.001",
            "max_quantity": None,
            "min_notional": None,
            "max_notional": "1000000",
            "price_band_rate": None,
            "market_collar_rate": "0.05",
            "initial_margin_rate": None,
            "maintenance_margin_rate": None,
            "mark_jump_limit_rate": None,
            "mark_stale_seconds": None,
            "max_position": None,
            "liquidation_fee_rate": None,
            "liquidation_buffer_rate": None,
            "funding_interval_seconds": None,
            "funding_interest_rate": None,
            "funding_cap_rate": None,
            "maker_fee_rate": "-0.0001",
            "taker_fee_rate": "0.0005",
            "price_rule": "MAKER",
            "is_open_listing": False,
        },
    )


def test_an_instrument_tells_what_price_services_call_it(get: Any) -> None:
    make_instrument("PETR4", quote="BRL", price_symbol="PETR4.SA")

    assert get("instruments/PETR4")[1]["price_symbol"] == "PETR4.SA"
    assert get("instruments")[1]["results"][0]["price_symbol"] == "PETR4.SA"


def test_an_unknown_instrument_is_404(get: Any) -> None:
    status, document = get("instruments/NOPE")

    assert (status, document["code"], document["symbol"]) == (404, "instrument_not_found", "NOPE")


@pytest.mark.parametrize("symbol", ["%00", "A%00B", "%F0%9F%98%80", "a" * 300, "%2e%2e"])
def test_what_is_no_symbol_is_404_and_asks_no_database(get: Any, symbol: str) -> None:
    assert get(f"instruments/{symbol}")[0] == 404


def test_instruments_are_listed_newest_first_and_narrowed(get: Any) -> None:
    make_instrument("ACME")
    make_instrument("OTHER", state="HALTED")
    make_spot()

    def symbols(query: str = "") -> list[str]:
        return [row["symbol"] for row in get(f"instruments{query}")[1]["results"]]

    assert symbols() == ["BTC-USDT", "OTHER", "ACME"]
    assert symbols("?kind=equity") == ["OTHER", "ACME"]
    assert symbols("?state=HALTED") == ["OTHER"]
    assert symbols("?quote=usdt") == ["BTC-USDT"]
    assert symbols("?quote=XXX") == []
    status, document = get("instruments?kind=BOND")
    assert (status, document["errors"][0]["field"]) == (422, "kind")


def test_instruments_come_in_pages(get: Any) -> None:
    for symbol in ("A", "B", "C"):
        make_instrument(symbol)

    _, first = get("instruments?page_size=2")
    _, second = get(first["next"].split("/api/v1/")[1])

    assert [row["symbol"] for row in first["results"]] == ["C", "B"]
    assert [row["symbol"] for row in second["results"]] == ["A"]
    assert second["next"] is None


def test_the_clock_is_there_for_everybody(client: Client) -> None:
    answer = client.get("/api/v1/time")

    assert answer.status_code == 200
    time = datetime.fromisoformat(answer.json()["time"])
    assert abs(datetime.now(UTC) - time) < timedelta(seconds=5)
    assert answer.json()["epoch_milliseconds"] == int(time.timestamp() * 1000)


def test_instruments_need_a_key(client: Client) -> None:
    assert client.get("/api/v1/instruments").status_code == 401


def test_a_spec_is_read_once_and_found_by_id(django_assert_num_queries: Any) -> None:
    spec = make_instrument("ACME")

    with django_assert_num_queries(0):
        assert find_instrument_spec("ACME") is spec
        assert get_instrument_spec_by_id(spec.id) is spec
        assert find_instrument_spec("no symbol") is None


def test_a_price_is_told_with_where_it_comes_from(get: Any, settings: Any, valkey: Any) -> None:
    settings.PRICE_PROVIDERS_EQUITY = ["fixed"]
    settings.PRICE_TABLE = {"ACME": "150.255"}
    make_instrument("ACME")

    status, document = get("price/acme")

    as_of = datetime.fromisoformat(document.pop("as_of"))
    assert abs(datetime.now(UTC) - as_of) < timedelta(seconds=5)
    assert (status, document) == (
        200,
        {
            "symbol": "ACME",
            "price": "150.26",
            "bid": "150.25",
            "ask": "150.26",
            "currency": "USD",
            "source": "fixed",
            "age_seconds": 0,
            "cached": False,
            "simulated": False,
            "stale": False,
        },
    )
    assert get("price/ACME")[1]["cached"] is True
    settings.PRICE_STALE_SECONDS = -1
    assert get("price/ACME")[1]["stale"] is True


def test_a_perpetual_is_told_at_its_mark(get: Any) -> None:
    mark = make_mark(make_perpetual(), "50000.5")

    status, document = get("price/btc-perp")

    assert datetime.fromisoformat(document.pop("as_of")) == mark.as_of
    assert (status, document) == (
        200,
        {
            "symbol": "BTC-PERP",
            "price": "50000.5",
            "bid": "50000.5",
            "ask": "50000.5",
            "currency": "USDT",
            "source": "mark",
            "age_seconds": 0,
            "cached": False,
            "simulated": False,
            "stale": False,
        },
    )


def test_a_perpetual_without_a_mark_has_no_price(get: Any) -> None:
    make_perpetual()

    status, document = get("price/BTC-PERP")

    assert (status, document["code"], document["symbol"]) == (503, "no_market_price", "BTC-PERP")


def test_simulated_prices_of_shares_and_crypto_currencies_say_so(get: Any, valkey: Any) -> None:
    for ticker in ("AAPL", "BTC-USD"):
        status, document = get(f"price/{ticker}")
        assert (status, document["simulated"], document["source"]) == (200, True, "simulated")
        assert get(f"instruments/{ticker}")[0] == 200


@pytest.mark.parametrize(
    ("table", "status", "code"),
    [
        ({}, 503, "no_market_price"),
        ({"ACME": "1 EUR"}, 422, "currency_mismatch"),
    ],
)
def test_a_price_that_there_is_not(
    get: Any, settings: Any, valkey: Any, table: dict[str, str], status: int, code: str
) -> None:
    settings.PRICE_PROVIDERS_EQUITY = ["fixed"]
    settings.PRICE_TABLE = table
    make_instrument("ACME")

    answer = get("price/ACME")

    assert (answer[0], answer[1]["code"]) == (status, code)


@pytest.mark.parametrize("ticker", ["NOPE", "%00", "a" * 300, "%F0%9F%98%80"])
def test_an_unknown_ticker_is_404(get: Any, valkey: Any, ticker: str) -> None:
    status, document = get(f"price/{ticker}")

    assert (status, document["code"]) == (404, "unknown_ticker")


def test_prices_need_a_key(client: Client) -> None:
    assert client.get("/api/v1/price/AAPL").status_code == 401
