"""Every request that writes takes an Idempotency-Key, or its description says why it does not."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from brokers.models import ApiKey, Broker, TradingAccount, WebhookEndpoint
from common.api.schema import IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_ONCE, is_unkeyed
from exchange_project.tests.keyed_requests import V1, World, list_requests, make_world
from ledger.models import IdempotencyKey, JournalEntry
from orders.models import Order
from tests.contract import document
from tests.support.routes import Route, list_routes

KEY = "a key"
_ONCE, _REPLAYED = IDEMPOTENCY_KEY_ONCE.description, IDEMPOTENCY_KEY.description
_WRITING = ("post", "put", "patch")
REQUESTS = list_requests()


@pytest.fixture
def world(engine: object) -> World:
    return make_world()


def operation_of(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = document()["paths"][route.path][route.method]
    return operation


def key_parameter(operation: dict[str, Any]) -> str | None:
    """What an operation says of its Idempotency-Key; None where it takes none."""
    for parameter in operation.get("parameters", ()):
        if (parameter["name"], parameter["in"]) == ("Idempotency-Key", "header"):
            return str(parameter["description"])
    return None


def test_every_route_that_writes_takes_a_key_or_says_why_not():
    keyed = set()
    for route in list_routes():
        if route.method not in _WRITING:
            continue
        operation = operation_of(route)
        if key_parameter(operation) is None:
            assert is_unkeyed(operation.get("description", "")), route.name
        else:
            assert not is_unkeyed(operation.get("description", "")), route.name
            assert {"400", "409", "422"} <= set(operation["responses"]), route.name
            keyed.add(route.name)
    # Each of them is sent below.
    assert keyed == set(REQUESTS)


def sent_by(world: World, name: str) -> tuple[Callable[..., Any], Any]:
    """How a request is sent (with a body and a key), and its body."""
    who, make = REQUESTS[name]
    path, body = make(world)
    method = name.partition(" ")[0]

    def send(body: Any, key: str | None) -> Any:
        return getattr(world, who).send(method, path, body, key)

    return send, body


def is_once(name: str) -> bool:
    method, path = name.lower().partition(" ")[0], name.partition(" ")[2]
    return key_parameter(document()["paths"][path][method]) == _ONCE


def counts() -> tuple[int, ...]:
    kinds = (Order, JournalEntry, Broker, ApiKey, TradingAccount, WebhookEndpoint)
    return tuple(kind.objects.count() for kind in kinds)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_a_request_with_a_key_is_done_once(world: World, name: str):
    send, body = sent_by(world, name)
    before = counts()
    for key in ("", " ", "x" * 256):
        refusal = send(body, key)
        assert (refusal.status_code, code_of(refusal)) == (400, "invalid_idempotency_key")
    assert counts() == before

    first = send(body, KEY)
    assert first.status_code in (200, 201, 202), first.content
    assert "Idempotency-Replayed" not in first

    after = counts()
    for again in (send(body, KEY), send(reformatted(body), KEY)):
        if is_once(name):
            assert (again.status_code, code_of(again)) == (409, "answer_not_kept")
        else:
            assert (again.status_code, again.content) == (first.status_code, first.content)
            assert again["Idempotency-Replayed"] == "true"
    other = send(another(body), KEY)
    assert (other.status_code, code_of(other)) == (422, "idempotency_key_reused")
    assert counts() == after


def test_no_secret_is_kept_for_a_key(world: World):
    for name in filter(is_once, REQUESTS):
        send, body = sent_by(world, name)
        assert send(body, KEY + name).status_code == 201
    kept = IdempotencyKey.objects.values_list("status", "body")
    assert list(kept) == [(201, "")] * 4


def another(body: Any) -> Any:
    """Another request to the same address. Orders and quotes are looked at before their key is."""
    for name in ("quantity", "sell_amount"):
        if body is not None and name in body:
            return {**body, name: 2}
    return {**(body or {}), "amount": "7"}


def reformatted(body: Any) -> Any:
    """The same JSON, with its members the other way round and spaces between."""
    return body and json.dumps(dict(reversed(body.items())), indent=2).encode()


@pytest.mark.parametrize(
    "name",
    [f"POST {V1}accounts", f"POST {V1}conversions/quotes", f"POST {V1}trade", f"POST {V1}api-keys",
     f"POST {V1}accounts/{{account_id}}/orders", f"POST {V1}orders"],
)  # fmt: skip
def test_twenty_at_once_are_done_once(world: World, name: str):
    send, body = sent_by(world, name)
    before = counts()

    def send_once(_: int) -> Any:
        try:
            return send(body, KEY)
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(send_once, range(20)))

    done = [one for one in responses if one.status_code == 201]
    assert len({one.content for one in done}) == 1
    assert {code_of(one) for one in responses if one.status_code != 201} <= {
        "request_in_progress", "answer_not_kept",
    }  # fmt: skip
    fresh = [one for one in done if "Idempotency-Replayed" not in one]
    assert len(fresh) <= 1
    assert max(now - then for now, then in zip(counts(), before, strict=True)) <= 1


def test_a_sandbox_deal_is_done_once_too(world: World):
    account_id = world.make("accounts", {"document_number": "bot", "is_sandbox": True})["id"]
    order = {"account_id": account_id, "symbol": "ACME", "side": "BUY", "quantity": "2"}
    body = {**order, "limit_price": "600", "client_order_id": "sim-partial-1"}
    first = world.broker.send("POST", f"{V1}orders", body, KEY)
    again = world.broker.send("POST", f"{V1}orders", body, KEY)

    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert again["Idempotency-Replayed"] == "true"
    assert Order.objects.filter(account_id=account_id).count() == 1


def code_of(response: Any) -> str:
    """The code of a refusal; in the classic dialect, the one that its text stands for."""
    body = json.loads(response.content)
    return str(body["code"]) if "code" in body else _CLASSIC_CODES[body["detail"]]


_CLASSIC_CODES = {
    "The header Idempotency-Key must be 1 to 255 printable ASCII characters": (
        "invalid_idempotency_key"
    ),
    "This Idempotency-Key was sent before with another request": "idempotency_key_reused",
    "The request was done before; its answer held a secret, which is shown once": (
        "answer_not_kept"
    ),
}
