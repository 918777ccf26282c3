"""The hot lane answers what it claims to, leaves the rest to Django, and answers as Django does."""

import json
import re
from typing import Any

import pytest
from django.http import HttpResponse

from exchange_project.hot.routes import ENDPOINTS
from orders.tests.fixtures import register
from tests.support.lanes import DJANGO, HOT, LaneClient, lane

pytestmark = pytest.mark.usefixtures("engine")

UNKNOWN = "01890000-0000-7000-8000-000000000000"
ORDER = {"document_number": "1", "symbol": "ACME", "side": "BUY", "quantity": "5"}
ORDER |= {"limit_price": "10.00"}
CLASSIC = {"document_number": "1", "symbol": "ACME", "side": "bid", "quantity": 5, "price": 1000}
CLASSIC |= {"valid_until": "2035-12-31T23:59:59Z"}
JSON = "application/json"
_COMPARED = (
    "Content-Type", "WWW-Authenticate", "Retry-After", "RateLimit-Policy", "X-Content-Type-Options",
    "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Cache-Control",
    "Idempotency-Replayed",
)  # fmt: skip
# What differs from one order to the next.
_VARYING = re.compile(
    rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|\d{4}-\d\d-\d\dT[\d:.]+Z"
    rb'|"(answered_us|uptime_seconds|count|p\d\d_us|heartbeat_age_ms|epoch)":\w+'
)


@pytest.fixture
def key(engine) -> str:
    return register("Alpha").secret


def send(key: str | None, method: str, path: str, body: Any = None, **more: Any) -> Any:
    """A request through the lane of the moment; `body` is sent as it is if it is bytes."""
    client = more.pop("client", None) or LaneClient(raise_request_exception=False)
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    headers |= more.pop("headers", {})
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    content_type = more.pop("content_type", JSON if raw else "")
    return client.generic(method, path, raw, content_type, headers=headers, **more)


def shown(answer: HttpResponse) -> tuple[Any, ...]:
    """What two lanes have to agree on."""
    headers = {name: answer[name] for name in _COMPARED if name in answer}
    return answer.status_code, headers, _VARYING.sub(b"*", answer.content)


@pytest.mark.parametrize("endpoint", sorted(ENDPOINTS))
def test_every_hot_endpoint_is_answered_without_django(key, endpoint):
    method, _, path = endpoint.partition(" ")
    body = {"/orders": CLASSIC, "/api/v1/orders": ORDER}.get(path)
    client = LaneClient(raise_request_exception=False)
    path = path.replace("{id}", UNKNOWN).replace("{symbol}", "acme")
    with lane(HOT):
        answer = send(key, method, path, body, client=client)
    assert answer.status_code in (200, 201, 204, 404), answer.content
    assert client.passed_on == 0


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("HEAD", "/balance", {}),
        ("OPTIONS", "/api/v1/orders", {}),
        ("PATCH", "/orders", {}),
        ("GET", f"/orders/{UNKNOWN[:-1]}A", {}),
        ("GET", "/orders/none", {}),
        ("GET", "/stocks/é/book", {}),
        ("POST", "/orders?x=1", {"body": CLASSIC}),
        ("POST", "/orders", {"body": b"a=1", "content_type": "application/x-www-form-urlencoded"}),
        ("GET", "/api/v1/time", {}),
    ],
)
def test_what_is_unusual_is_left_to_django(key, method, path, more):
    client = LaneClient(raise_request_exception=False)
    with lane(HOT):
        send(key, method, path, more.pop("body", None), client=client, **more)
    assert client.passed_on == 1


def test_off_the_hot_lane_leaves_everything_to_django(key, settings):
    settings.HOT_LANE = False
    client = LaneClient(raise_request_exception=False)
    with lane(HOT):
        assert send(key, "POST", "/orders", CLASSIC, client=client).status_code == 201
        assert send(key, "GET", "/balance", client=client).status_code == 200
    assert client.passed_on == 2


_BAD_BODIES = [
    b"", b"{", b"[]", b"null", b'{"a": NaN}', b"\xff", b'{"side": "BUY", "side": "BUY"}',
    b"[" * 2_000, b" " * 1_100_000, b'{"quantity": ' + b"9" * 5_000 + b"}",
    json.dumps(ORDER | {"quantity": "1e-05"}).encode(),
    json.dumps(ORDER | {"quantity": "-1"}).encode(),
    json.dumps(ORDER | {"limit_price": "10.001"}).encode(),
    json.dumps(ORDER | {"no_such_field": 1}).encode(),
    json.dumps(ORDER | {"valid_until": "2020-01-01T00:00:00Z"}).encode(),
    json.dumps(ORDER | {"account_id": 2**70}).encode(),
    json.dumps(ORDER | {"symbol": "Ａ"}).encode(),
]  # fmt: skip
_REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    *[("POST", "/orders", {"body": body}) for body in _BAD_BODIES],
    *[("POST", "/api/v1/orders", {"body": body}) for body in _BAD_BODIES],
    *[
        (method, path, {"key": None, "headers": headers})
        for method, path in (("POST", "/orders"), ("GET", "/api/v1/balance"))
        for headers in ({}, {"authorization": "Basic x"}, {"authorization": "Bearer wrong"},
                        {"x-api-key": "wrong"}, {"authorization": "Bearer"})
    ],
    *[("GET", path, {}) for path in (
        "/balance", "/api/v1/balance", "/stocks/NONE/price", "/stocks/NONE/book?depth=0",
        "/stocks/NONE/book?depth=51", "/stocks/none/book?depth=5&depth=6", "/stocks/NONE/book?x=1",
        "/api/v1/instruments/NONE/book", "/api/v1/instruments/NONE/ticker",
        "/api/v1/balance?x=1", f"/orders/{UNKNOWN}", f"/api/v1/orders/{UNKNOWN}",
        f"/api/v1/orders/{UNKNOWN}?x=1", "/health",
    )],
    ("POST", f"/orders/{UNKNOWN}/cancel", {}),
    ("POST", f"/api/v1/orders/{UNKNOWN}/cancel", {}),
    ("DELETE", f"/api/v1/orders/{UNKNOWN}", {}),
    ("POST", "/api/v1/orders", {"body": ORDER}),
    ("POST", "/orders", {"body": CLASSIC}),
    ("POST", "/api/v1/orders", {"body": ORDER, "headers": {"idempotency-key": ""}}),
]  # fmt: skip


def test_both_lanes_answer_alike(key):
    """Status, headers and body of every request, ids and instants aside."""
    for method, path, more in _REQUESTS:
        answers = []
        for name in (DJANGO, HOT):
            given = {"key": key} | more
            with lane(name):
                answers.append(
                    shown(send(given.pop("key"), method, path, given.pop("body", None), **given))
                )
        assert answers[0] == answers[1], (method, path, more)


def test_both_lanes_throttle_alike_and_count_cancels_apart(key, settings):
    settings.API_RATE_PER_SECOND, settings.API_CANCEL_RATE_PER_SECOND = 3, 4
    for name in (DJANGO, HOT):
        with lane(name):
            answers = [send(key, "GET", "/balance") for _ in range(8)]
            refused = answers[-1]
            assert refused.status_code == 429
            assert refused["Retry-After"] == "1"
            assert refused["RateLimit-Policy"] == '"key";q=3;w=1'
            assert refused["RateLimit"] == '"key";r=0;t=1'
            canceled = send(key, "POST", f"/orders/{UNKNOWN}/cancel")
            assert canceled.status_code == 204
            assert canceled["RateLimit-Policy"] == '"cancels";q=4;w=1'
        settings.API_RATE_PER_SECOND, settings.API_CANCEL_RATE_PER_SECOND = 3, 4
