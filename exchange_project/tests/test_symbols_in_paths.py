"""Symbols in paths: in any case, and nothing beyond ASCII becomes one of ASCII."""

from typing import Any

import pytest
from django.test import Client

from brokers.tests.factories import RegisteredBrokerFactory
from marketdata.tests.factories import make_instrument, make_mark, make_perpetual

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

PATHS = [
    "/api/v1/instruments/{}",
    "/api/v1/instruments/{}/book",
    "/api/v1/instruments/{}/trades",
    "/api/v1/instruments/{}/ticker",
    "/api/v1/instruments/{}/candles",
    "/api/v1/instruments/{}/mark",
    "/api/v1/funding-rates/{}",
    "/api/v1/price/{}",
]
# In upper case these are FF, SI and IS; the last one has a combining dot, and stays what it is.
LOOKALIKES = ["ﬀ", "ſi", "ıs", "i\u0307s"]


@pytest.fixture
def get(client: Client, settings: Any) -> Any:
    headers = {"X-API-KEY": RegisteredBrokerFactory.create().secret}
    settings.PRICE_PROVIDERS_EQUITY = ["simulated"]
    for symbol in ("FF", "SI", "IS"):
        make_mark(make_perpetual(symbol), "50")

    def get_it(path: str) -> Any:
        return client.get(path, headers=headers)

    return get_it


@pytest.mark.parametrize("path", PATHS)
def test_a_symbol_is_found_in_any_case(get: Any, path: str) -> None:
    first, second, third = (get(path.format(symbol)) for symbol in ("FF", "ff", "fF"))

    assert first.status_code == second.status_code == third.status_code == 200
    assert first.json().get("symbol", "FF") == "FF"
    assert first.json().keys() == third.json().keys()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("symbol", LOOKALIKES)
def test_a_lookalike_is_as_unknown_as_any_other(get: Any, path: str, symbol: str) -> None:
    answer, unknown = get(path.format(symbol)), get(path.format("NOPE"))

    assert (answer.status_code, answer.json()["code"]) == (404, unknown.json()["code"])
    assert answer.json()["symbol"] == symbol


def test_the_classic_dialect_finds_a_share_in_any_case(get: Any) -> None:
    make_instrument("ACME")

    for symbol in ("ACME", "acme", "aCmE"):
        book = get(f"/stocks/{symbol}/book")
        assert (book.status_code, book.json()["symbol"]) == (200, "ACME")


@pytest.mark.parametrize("symbol", LOOKALIKES)
def test_the_classic_dialect_finds_no_lookalike_either(get: Any, symbol: str) -> None:
    make_instrument("ACME")

    assert get(f"/stocks/{symbol}/price").status_code == 404
    book = get(f"/stocks/{symbol}/book")
    assert (book.status_code, book.json()) == (
        200,
        {"symbol": symbol, "depth": 10, "asks": [], "bids": []},
    )
