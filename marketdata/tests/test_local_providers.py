"""Providers that ask nobody: the table; numbers as services write them."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.conf import settings as configured
from pytest_django import Settings

from exchange_project.settings.rules import PRICE_SERVICES
from marketdata.pricing.tickers import ticker_of
from marketdata.providers import get_provider, list_provider_names
from marketdata.providers.numbers import in_whole_currency, instant_of, price_of
from marketdata.providers.protocol import ProviderFailed
from marketdata.tests.factories import make_instrument


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
    assert set(list_provider_names()) == set(PRICE_SERVICES)
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
