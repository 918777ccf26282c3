"""Providers that ask nobody: the book, the table; numbers as services write them."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as configured
from pytest_django import Settings

from common.valkey import get_client
from exchange_project.settings import base
from marketdata.pricing.tickers import ticker_of
from marketdata.providers import get_provider, list_provider_names
from marketdata.providers.numbers import in_whole_currency, instant_of, price_of
from marketdata.providers.protocol import ProviderFailed
from marketdata.snapshots import BookSnapshot, Level, write_snapshots
from marketdata.tests.factories import make_instrument
from marketdata.types import InstrumentSpec


def publish(
    spec: InstrumentSpec,
    bids: list[Level],
    asks: list[Level],
    last_price: int | None = None,
    next_expiry_at: int | None = None,
) -> None:
    write_snapshots(
        get_client(),
        shard=spec.shard,
        epoch=1,
        number=1,
        snapshots=[(spec.id, BookSnapshot(next_expiry_at, last_price, bids, asks))],
    )


def book_price(spec: InstrumentSpec) -> Decimal | None:
    quotes = get_provider("book").fetch([ticker_of(spec)], timeout_seconds=1)
    return quotes[spec.symbol].price if quotes else None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("bids", "asks", "last_price", "price"),
    [
        ([(100, 1, 1)], [(103, 1, 1)], 90, "1.015"),
        ([(100, 1, 1)], [], 90, "0.9"),
        ([], [(103, 1, 1)], None, None),
        ([], [], 90, "0.9"),
        ([], [], None, None),
    ],
)
def test_the_book_tells_the_middle_or_the_last_trade(
    valkey: Any, bids: list[Level], asks: list[Level], last_price: int | None, price: str | None
) -> None:
    spec = make_instrument("ACME")
    assert book_price(spec) is None

    publish(spec, bids, asks, last_price)

    assert book_price(spec) == (None if price is None else Decimal(price))


@pytest.mark.django_db
def test_orders_that_should_have_expired_tell_no_price(valkey: Any) -> None:
    spec = make_instrument("ACME")
    minute_ago = datetime.now(UTC) - timedelta(minutes=1)

    publish(spec, [(100, 1, 1)], [(102, 1, 1)], 90, int(minute_ago.timestamp() * 1_000_000))

    assert book_price(spec) == Decimal("0.9")


@pytest.mark.django_db
def test_a_book_without_its_read_side_is_a_failure(lost_valkey: None) -> None:
    with pytest.raises(ProviderFailed) as failed:
        book_price(make_instrument("ACME"))

    assert failed.value.word == "unreachable"


@pytest.mark.django_db
@pytest.mark.parametrize("entry", ["", "x", "NaN", "0", "-1", "1,5", "Infinity"])
def test_a_table_with_nonsense_is_a_failure(settings: Settings, entry: str) -> None:
    settings.PRICE_TABLE = {"ACME": entry}

    with pytest.raises(ProviderFailed):
        get_provider("fixed").fetch([ticker_of(make_instrument("ACME"))], timeout_seconds=1)


@pytest.mark.parametrize(
    ("told", "price"),
    [
        ("217.51", "217.51"),
        (Decimal("0.1"), "0.1"),
        (5, "5"),
        (0.1, None),
        (True, None),
        (None, None),
        ("", None),
        ("NaN", None),
        ("1e400", None),
        ("1e-20", None),
        ("-3", None),
        ([1], None),
    ],
)
def test_prices_are_exact_numbers_above_zero(told: object, price: str | None) -> None:
    assert price_of(told) == (None if price is None else Decimal(price))


@pytest.mark.parametrize(
    ("unit", "price", "currency"),
    [
        ("USD", "72.105", "USD"),
        ("GBP", "72.105", "GBP"),
        ("GBp", "0.72105", "GBP"),
        ("GBX", "0.72105", "GBP"),
        ("ZAc", "0.72105", "ZAR"),
        ("ILA", "0.72105", "ILS"),
    ],
)
def test_hundredths_become_whole_units_exactly(unit: str, price: str, currency: str) -> None:
    assert in_whole_currency(Decimal("72.105"), unit) == (Decimal(price), currency)


def test_no_price_is_of_the_future() -> None:
    assert instant_of(0) == datetime(1970, 1, 1, tzinfo=UTC)
    told = instant_of(4_000_000_000)
    assert told is not None
    assert told <= datetime.now(UTC)


def test_the_settings_know_the_providers_that_there_are() -> None:
    assert set(list_provider_names()) == base._PRICE_PROVIDERS
    assert configured.PRICE_CACHE_SECONDS == 180


def test_nobody_pays_for_pandas_before_yahoo_is_asked() -> None:
    program = (
        "import django, sys; django.setup()\n"
        "import exchange_project.urls, orders.tasks, marketdata.tasks\n"
        "print(sorted({'pandas', 'yfinance', 'curl_cffi'} & set(sys.modules)))"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == "[]"
