"""Prefixes of client_order_id on a sandbox account, and that they mean nothing elsewhere."""

import time
from typing import Any

import pytest

from brokers.models import TradingAccount
from brokers.services import create_account, create_api_key
from ledger.tests.factories import fund
from orders.api.sandbox import DELAY_HEADER, DROP_HEADER
from orders.engine.process.runner import Engine
from orders.models import Order
from orders.services import sandbox
from orders.services.sandbox import Trigger, delay_seconds, parse_trigger
from orders.tests.dealing import api_of, cash, counts, make_client, problem, shares
from orders.tests.fixtures import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def bot(prices):
    """A sandbox account with money, and its API."""
    neighbour, _ = make_client()
    account = create_account(
        broker_id=neighbour.broker_id,
        document_number="bot",
        funding="PREFUNDED",
        is_sandbox=True,
    )
    fund(account, "2000")
    return account, api_of(account)


def trade(api: Api, client_order_id: str, quantity: Any = "5") -> Any:
    body = {"symbol": "ACME", "side": "BUY", "quantity": quantity}
    return api.post("/trade", body | {"client_order_id": client_order_id})


def order(api: Api, client_order_id: str, **fields: Any) -> Any:
    body = {"symbol": "ACME", "side": "BUY", "quantity": "5", "limit_price": "151"} | fields
    return api.post("/orders", body | {"client_order_id": client_order_id})


@pytest.mark.parametrize(
    ("client_order_id", "trigger"),
    [
        ("sim-reject-1", Trigger.REJECT),
        ("sim-partial-1", Trigger.PARTIAL),
        ("sim-delay-2s-1", Trigger.DELAY),
        ("sim-disconnect-1", Trigger.DISCONNECT),
        ("sim-reject", None),
        ("sim-delay-1", None),
        ("my-sim-reject-1", None),
        (None, None),
    ],
)
def test_prefixes(client_order_id, trigger):
    assert parse_trigger(client_order_id) == trigger


@pytest.mark.parametrize(("name", "seconds"), [("2s", 2), ("10s", 10), ("99s", 10), ("0s", 0)])
def test_delays_have_a_limit(name, seconds):
    assert delay_seconds(f"sim-delay-{name}-1") == seconds


@pytest.mark.parametrize("send", [trade, order])
def test_a_reject_is_stored(bot, send):
    account, api = bot

    problem(send(api, "sim-reject-1"), 422, "simulated")

    assert (Order.objects.get().status, counts(), cash(account)) == ("REJECTED", (1, 0), 2000)


def test_half_of_a_trade(bot):
    account, api = bot

    answer = trade(api, "sim-partial-1")

    document = answer.json()
    assert (answer.status_code, document["status"], document["reason"]) == (
        201,
        "CANCELED",
        "simulated",
    )
    assert (document["quantity"], shares(account)) == ("3", 3)
    assert trade(api, "sim-partial-1").json() == document


def test_half_of_an_order_whatever_the_book_has(bot):
    account, api = bot

    document = order(api, "sim-partial-1", quantity="4").json()

    assert (document["status"], document["filled_quantity"], document["venue"]) == (
        "CANCELED",
        "2",
        "DEALER",
    )
    assert shares(account) == 2


def test_a_delay_is_asked_of_the_front(bot):
    _, api = bot
    started = time.monotonic()

    answer = trade(api, "sim-delay-9s-1")

    assert (answer.status_code, answer[DELAY_HEADER]) == (201, "9")
    assert time.monotonic() - started < 9, "no thread waits"


def test_a_refusal_is_late_too(bot):
    _, api = bot

    answer = trade(api, "sim-delay-9s-1", "500")

    assert (answer.status_code, answer[DELAY_HEADER]) == (422, "9")
    assert answer.json()["code"] == "insufficient_funds"


@pytest.mark.parametrize("send", [trade, order])
def test_a_disconnect_is_executed_and_not_answered(bot, engine: Engine, send):
    _, api = bot

    answer = send(api, "sim-disconnect-1")

    assert (answer[DROP_HEADER], answer.content) == ("1", b"")
    found = api.get("/orders/by-client-id/sim-disconnect-1").json()
    assert found["status"] == ("FILLED" if send is trade else "OPEN")
    assert Order.objects.count() == 1


def test_a_refusal_is_lost_too(bot):
    _, api = bot

    answer = trade(api, "sim-disconnect-1", "500")

    assert (answer[DROP_HEADER], answer.content) == ("1", b"")
    assert Order.objects.get().reason == "insufficient_funds"


def test_where_sandboxes_are_off_nothing_is_forced_and_none_are_opened(bot, settings):
    account, api = bot
    settings.SANDBOX_ACCOUNTS = False

    answer = trade(api, "sim-delay-9s-1")

    assert (answer.status_code, answer.json()["status"]) == (201, "FILLED")
    assert DELAY_HEADER not in answer
    broker = Api(create_api_key(broker_id=account.broker_id, scopes=["trade"]).secret, "/api/v1")
    problem(
        broker.post("/accounts", {"document_number": "9", "is_sandbox": True}), 403, "sandbox_off"
    )
    assert not TradingAccount.objects.filter(document_number="9").exists()


@pytest.mark.parametrize("name", ["reject", "partial", "delay-9s", "disconnect"])
def test_on_other_accounts_they_mean_nothing(prices, name):
    account, api = make_client(("2000", "USD"))
    started = time.monotonic()

    answer = trade(api, f"sim-{name}-1")

    assert (answer.status_code, answer.json()["status"]) == (201, "FILLED")
    assert time.monotonic() - started < sandbox.DELAY_SECONDS_MAX - 2
    assert shares(account) == 5


def test_a_broker_opens_a_sandbox_account(db):
    account, _ = make_client()
    api = api_of(account, account_id=None)

    made = api.post("/accounts", {"document_number": "7", "is_sandbox": True})

    assert (made.status_code, made.json()["is_sandbox"]) == (201, True)
    assert api.get(f"/accounts/{account.id}").json()["is_sandbox"] is False
