"""Every route, called in every wrong way: each answer is as the OpenAPI document says."""

import json
from typing import Any

import pytest
from pytest_django import Settings

from brokers.models import Broker
from brokers.services import create_api_key
from common.api.parsers import BODY_BYTES_MAX
from common.caching import clear_all_caches
from exchange_project.tests.keyed_requests import World, make_world
from ledger.models import JournalEntry
from orders.models import Order
from orders.streams import alive_key
from tests.contract import ContractClient, document
from tests.support.routes import Route, list_routes

_VALUES = {
    "symbol": "ACME",
    "ticker": "ACME",
    "account_id": "1",
    "wallet_id": "1",
    "delivery_id": "1",
    "client_order_id": "mine",
}
_NO_ID = "01890000-0000-7000-8000-000000000000"
_WITH_BODY = ("post", "put", "patch")
ROUTES = [route for route in list_routes() if route.path not in ("/health", "/debug/reset")]


@pytest.fixture
def world(engine: object) -> World:
    return make_world()


@pytest.fixture
def keys(world: World) -> list[str]:
    """A key of every kind of caller: of a broker with all scopes, with one, of a person, ours."""
    broker = Broker.objects.get(name="Alpha")
    small = create_api_key(broker_id=broker.id, scopes=["marks"], name="small").secret
    callers = (world.broker, world.person, world.venue)
    return [*(str(one.key) for one in callers), small]


def path_of(route: Route) -> str:
    """An address of the route, of things that may be there or not."""
    path = route.path
    for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        path = path.replace(f"{{{name}}}", _VALUES.get(name, _NO_ID))
    return path


def call(route: Route, key: str | None = None, body: Any = b"", **options: Any) -> Any:
    """The answer, which `ContractClient` has compared with the document."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    headers |= options.pop("headers", {})
    content_type = options.pop("content_type", "application/json")
    client = ContractClient(raise_request_exception=False)
    answer = client.generic(
        route.method.upper(),
        path_of(route) + options.pop("query", ""),
        body,
        content_type=content_type,
        headers=headers,
        **options,
    )
    assert answer.status_code != 500, (route.name, answer.content)
    return answer


def is_public(route: Route) -> bool:
    return not document()["paths"][route.path][route.method].get("security")


def counts() -> tuple[int, int]:
    return Order.objects.count(), JournalEntry.objects.count()


def test_without_a_key_and_with_a_wrong_one(world: World):
    for route in ROUTES:
        for key in (None, "wrong"):
            answer = call(route, key, b"{}")
            assert (answer.status_code == 401) != is_public(route), route.name


def test_by_callers_of_every_kind(keys: list[str]):
    before = counts()
    forbidden = set()
    for route in ROUTES:
        for key in keys:
            if route.path.startswith("/api/v1/auth/") and key != keys[1]:
                continue
            answer = call(route, key, b"{}" if route.method in _WITH_BODY else b"")
            assert answer.status_code != 401, route.name
            if answer.status_code == 403:
                forbidden.add(route.name)
    assert len(forbidden) > 60
    assert counts() == before


@pytest.mark.parametrize(
    ("body", "options", "status"),
    [
        (b'{"a": ', {}, 400),
        (b'{"price": NaN}', {}, 400),
        (b"<a/>", {"content_type": "application/xml"}, 415),
        (b" " * (BODY_BYTES_MAX + 1), {}, 413),
        (b"{}", {"headers": {"transfer-encoding": "chunked"}, "CONTENT_LENGTH": ""}, 411),
        (b'{"surprise": 1}', {}, 422),
        (b"[]", {}, 422),
        (b"{}", {"query": "?surprise=1"}, 422),
    ],
)
def test_with_a_body_that_is_none(keys: list[str], body: bytes, options: Any, status: int):
    broker, person, venue, _ = keys
    seen = set()
    for route in ROUTES:
        operation = document()["paths"][route.path][route.method]
        if route.method not in _WITH_BODY or "requestBody" not in operation:
            continue
        key = person if route.path.startswith("/api/v1/auth/") else broker
        if "admin key" in operation["summary"] or "own key" in operation["summary"]:
            key = venue
        answer = call(route, key, body, **{**options, "headers": dict(options.get("headers", {}))})
        seen.add(answer.status_code)
        if not route.path.startswith("/api/v1/"):
            continue  # the classic dialect ignores what it does not know
        assert answer.status_code in (status, 403, 404), (route.name, answer.content)
    assert status in seen


def test_a_query_string_that_is_none(keys: list[str]):
    for route in ROUTES:
        if route.method == "get" and route.path.startswith("/api/v1/"):
            answer = call(route, keys[0], query="?surprise=1")
            assert answer.status_code in (422, 403, 404), (route.name, answer.content)


def test_too_many_requests(keys: list[str], settings: Settings):
    settings.API_RATE_PER_SECOND = settings.API_CANCEL_RATE_PER_SECOND = 1
    for route in ROUTES:
        if not is_public(route):
            statuses = {call(route, keys[3], b"{}").status_code for _ in range(3)}
            assert 429 in statuses, route.name


def test_without_an_engine(keys: list[str], valkey: Any):
    order = {"symbol": "ACME", "side": "BUY", "quantity": "1", "limit_price": "1"}
    mark = {"symbol": "BTC-PERP", "price": 50_100}
    classic = {"document_number": "1", "side": "bid", "symbol": "ACME", "quantity": 1, "price": 1}
    bodies = {
        "POST /api/v1/orders": {"document_number": "1", **order},
        "POST /api/v1/mark-price": mark,
        "POST /orders": {**classic, "valid_until": "2035-12-31T23:59:59Z"},
        "POST /api/v1/orders/{order_id}/cancel": None,
    }
    valkey.delete(alive_key(0))
    clear_all_caches()
    for route in ROUTES:
        if route.name in bodies:
            answer = call(route, keys[0], json.dumps(bodies[route.name] or {}).encode())
            assert answer.status_code == 503, (route.name, answer.content)
            assert answer["Retry-After"]
