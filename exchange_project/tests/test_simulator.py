"""Play money of people, and the examples of requirements 000 and 004 on the demo as they stand."""

from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings as project_settings
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from brokers.models import TradingAccount
from brokers.services import register_person
from common.errors import ExchangeError
from exchange_project.simulator import fund_after_reset, fund_person
from ledger.models import JournalEntry
from ledger.tests.factories import balance_of

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-test-password"


@pytest.fixture
def starting(settings: Settings) -> None:
    settings.SIMULATOR_STARTING_BALANCE = Decimal("2500.50")


def test_people_start_with_nothing_by_themselves() -> None:
    person = register_person(email="ada@example.test", password=PASSWORD)

    assert project_settings.SIMULATOR_STARTING_BALANCE == 0
    assert (balance_of(person.account), JournalEntry.objects.count()) == (0, 0)


def test_the_starting_balance_comes_once(starting: None) -> None:
    person = register_person(email="ada@example.test", password=PASSWORD)
    fund_person(person.account.id)

    assert balance_of(person.account) == Decimal("2500.50")
    entry = JournalEntry.objects.get()
    assert (entry.kind, entry.actor, entry.memo) == ("DEPOSIT", "simulator", "Starting balance")


def test_a_registration_that_is_refused_gets_nothing(starting: None) -> None:
    register_person(email="ada@example.test", password=PASSWORD)
    with pytest.raises(ExchangeError):
        register_person(email="ADA@example.test", password=PASSWORD)

    assert (JournalEntry.objects.count(), TradingAccount.objects.count()) == (1, 1)


def test_people_are_funded_anew_after_a_reset(settings: Settings) -> None:
    person = register_person(email="ada@example.test", password=PASSWORD)
    settings.SIMULATOR_STARTING_BALANCE = Decimal(100)

    fund_after_reset()
    fund_after_reset()

    assert balance_of(person.account) == 100


@pytest.fixture
def demo(settings: Settings, tmp_path: Path, valkey: object, client: Client) -> Client:
    """A client of the demo as it is loaded, with AAPL at 150.00."""
    settings.DEMO_KEYS_FILE = str(tmp_path / "demo_keys.json")
    settings.PRICE_PROVIDERS_EQUITY = ["fixed"]
    settings.PRICE_TABLE = {"AAPL": "150.00"}
    call_command("load_demo")
    return client


def test_the_examples_of_requirement_004(demo: Client) -> None:
    headers = {"Authorization": "Bearer test-api-key-123"}

    balance = demo.get("/api/v1/balance", headers=headers).json()
    price = demo.get("/api/v1/price/AAPL", headers=headers).json()
    trade = demo.post(
        "/api/v1/trade",
        '{"ticker": "AAPL", "action": "buy", "quantity": 10, "price": 150.00}',
        content_type="application/json",
        headers=headers,
    )
    portfolio = demo.get("/api/v1/portfolio", headers=headers).json()

    assert (balance["balance"], price["price"]) == ("100000", "150")
    assert (trade.status_code, trade.json()["cash_balance"]) == (201, "98500")
    (apple,) = [one for one in portfolio["holdings"] if one["symbol"] == "AAPL"]
    assert (apple["quantity"], apple["average_price"], portfolio["cash"]) == ("110", "150", "98500")


def test_the_example_of_requirement_004_deals_at_a_simulated_price(
    demo: Client, settings: Settings
) -> None:
    settings.PRICE_PROVIDERS_EQUITY = ["simulated"]

    trade = demo.post(
        "/api/v1/trade",
        '{"ticker": "AAPL", "action": "buy", "quantity": 10, "price": 150.00}',
        content_type="application/json",
        headers={"Authorization": "Bearer test-api-key-123"},
    )

    assert (trade.status_code, trade.json()["is_price_simulated"]) == (201, True)
    assert Decimal(trade.json()["price"]) < 150


def test_the_example_of_requirement_000(demo: Client) -> None:
    headers = {"X-API-KEY": "test-api-key-123"}
    body = """{
      "client_order_id": "a8c9b1a2-2b8c-4a3e-9b6b-3e5f2a1d7c4e",
      "symbol": "AAPL",
      "order_type": "BUY",
      "quantity": 10,
      "price": "150.75"
    }"""

    kind = "application/json"
    made = demo.post("/api/v1/accounts/1/orders", body, content_type=kind, headers=headers)
    path = f"/api/v1/orders/{made.json()['id']}/execute"
    done = demo.post(path, content_type=kind, headers=headers)

    assert (made.status_code, made.json()["status"]) == (201, "PENDING")
    assert (done.status_code, done.json()["status"]) == (200, "FILLED")
    balance = demo.get("/api/v1/accounts/1/balance", headers=headers).json()
    assert balance["balance"] == "98492.5"
