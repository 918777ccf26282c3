"""What the tests of deals and booked executions have in common: shares, prices, clients."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections

from brokers.models import TradingAccount
from brokers.tests.factories import CreatedKeyFactory
from ledger.tests.factories import balance_of, fund, make_account
from ledger.types import AccountKind
from orders.models import Order, Trade
from orders.tests.fixtures import Api

ALL_SCOPES = ("read", "trade", "book")


@pytest.fixture
def prices(settings: Any, valkey: Any) -> dict[str, str]:
    """The table of market prices; to be filled in before a symbol is first asked for."""
    settings.PRICE_PROVIDERS_EQUITY = ["fixed"]
    settings.PRICE_PROVIDERS_CRYPTO = ["fixed"]
    settings.PRICE_TABLE = {"ACME": "150.25", "BTC-USD": "50000.10"}
    return settings.PRICE_TABLE


def make_client(*deposits: tuple[str, str], **fields: Any) -> tuple[TradingAccount, Api]:
    """An account with these amounts and assets, and the API of a key that is bound to it."""
    account = make_account(**fields)
    for amount, asset in deposits:
        fund(account, amount, asset)
    return account, api_of(account)


def api_of(account: TradingAccount, **fields: Any) -> Api:
    """The API of a key that is bound to the account and has all scopes of trading."""
    values = {"account_id": account.id, "scopes": ALL_SCOPES} | fields
    created = CreatedKeyFactory.create(broker=account.broker, **values)
    return Api(created.secret, "/api/v1")


def cash(account: TradingAccount) -> Decimal:
    """Dollars."""
    return balance_of(account)


def shares(account: TradingAccount, asset: str = "ACME") -> Decimal:
    """Shares."""
    return balance_of(account, asset, AccountKind.SECURITY)


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem document of a refusal."""
    assert answer.status_code == status, answer.content
    document = answer.json()
    assert document["code"] == code, document
    return document


def counts() -> tuple[int, int]:
    """Orders and trades."""
    return Order.objects.count(), Trade.objects.count()


def at_once(count: int, run: Callable[[int], Any]) -> list[Any]:
    """What `run` answers in as many threads that start together."""
    barrier = threading.Barrier(count)
    answers: list[Any] = []

    def work(number: int) -> None:
        barrier.wait()
        try:
            answers.append(run(number))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
