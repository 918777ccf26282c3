"""`Idempotency-Key` on orders: one key, one order, one answer, through both lanes."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse

from brokers.models import Broker
from brokers.services import create_account
from common.caching import clear_all_caches
from common.valkey import get_client
from orders.models import Order, RequestKey
from orders.streams import alive_key
from orders.tests.fixtures import Api, register
from tests.support.lanes import LaneClient

pytestmark = pytest.mark.usefixtures("both_lanes")

ORDER = {"document_number": "1", "symbol": "ACME", "side": "BUY", "quantity": "5"}
ORDER |= {"limit_price": "10.00"}
CLASSIC = {"document_number": "1", "symbol": "ACME", "side": "bid", "quantity": 5, "price": 1000}


class Keyed(Api):
    """A client that names its requests."""

    def send(self, key: str, body: Any, path: str = "/api/v1/orders") -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return LaneClient(raise_request_exception=False).post(
            path,
            raw,
            content_type="application/json",
            headers={**self._headers, "idempotency-key": key},
        )


@pytest.fixture
def a(engine) -> Keyed:
    return Keyed(register("Alpha").secret)


@pytest.fixture
def b(engine) -> Keyed:
    return Keyed(register("Beta").secret)


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_same_request_again_gets_the_first_answer(a, b):
    first = a.send("k1", ORDER)
    assert first.status_code == 201
    assert "Idempotency-Replayed" not in first
    sold = b.send("k1", ORDER | {"side": "SELL", "quantity": "2"})  # another broker's own key
    assert (sold.status_code, sold.json()["status"]) == (201, "FILLED")

    again = a.send("k1", ORDER)

    assert (again.status_code, again.content) == (201, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert Order.objects.count() == 2
    now = a.get(f"/api/v1/orders/{first.json()['id']}").json()
    assert now["filled_quantity"] == "2"


def test_the_answer_of_one_that_traded_at_once_comes_again_as_it_was(a, b):
    b.send("s", ORDER | {"side": "SELL", "quantity": "2", "limit_price": "9"})
    first = a.send("k", ORDER)
    b.send("t", ORDER | {"side": "SELL", "quantity": "3"})
    assert first.json()["status"] == "PARTIALLY_FILLED"
    assert a.send("k", ORDER).content == first.content


def test_the_same_request_in_another_formatting_is_the_same(a):
    first = a.send("k", ORDER)
    spaced = json.dumps(dict(reversed(ORDER.items())), indent=3).replace("ACME", "\\u0041CME")
    assert a.send("k", spaced.encode()).content == first.content
    assert Order.objects.count() == 1


def test_the_key_with_another_request_is_refused(a):
    a.send("k", ORDER)
    assert code_of(a.send("k", ORDER | {"quantity": "6"})) == (422, "idempotency_key_reused")
    assert Order.objects.count() == 1


def test_a_quoted_key_is_the_bare_one(a):
    first = a.send('"k"', ORDER)
    assert a.send("k", ORDER).content == first.content


@pytest.mark.parametrize("key", ["", " ", "é", "x" * 256])
def test_a_key_that_is_none_is_400(a, key):
    assert code_of(a.send(key, ORDER)) == (400, "invalid_idempotency_key")
    assert Order.objects.count() == 0


def test_beside_a_client_order_id_both_have_to_match(a):
    body = ORDER | {"client_order_id": "mine"}
    first = a.send("k", body)
    assert first.status_code == 201
    assert a.send("k", body).content == first.content
    assert code_of(a.send("other", body)) == (409, "client_order_id_conflict")
    assert code_of(a.send("k", ORDER | {"client_order_id": "yours"})) == (
        422,
        "idempotency_key_reused",
    )
    assert a.post("/api/v1/orders", body).status_code == 200  # without a key as ever
    assert Order.objects.count() == 1


def test_a_refusal_is_given_again_and_stored_once(a):
    body = ORDER | {"account_id": _prefunded()}
    del body["document_number"]
    assert code_of(a.send("k", body)) == (422, "insufficient_funds")
    assert code_of(a.send("k", body)) == (422, "insufficient_funds")
    assert Order.objects.count() == 1


def test_what_was_not_sent_does_not_use_the_key_up(a, valkey):
    assert code_of(a.send("k", ORDER | {"quantity": "0"})) == (422, "invalid")
    get_client().delete(alive_key(0))
    clear_all_caches()
    assert code_of(a.send("k", ORDER)) == (503, "engine_unavailable")
    while not get_client().exists(alive_key(0)):
        time.sleep(0.01)
    clear_all_caches()
    answer = a.send("k", ORDER)
    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer
    assert Order.objects.count() == 1


def test_the_first_answer_comes_also_after_the_order_expired(a):
    until = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    body = ORDER | {"valid_until": until}
    first = a.send("k", body)
    order_id = first.json()["id"]
    while a.get(f"/api/v1/orders/{order_id}").json()["status"] != "EXPIRED":
        pass
    again = a.send("k", body)
    assert (again.status_code, again.content) == (201, first.content)


def test_twenty_at_once_are_one_order(a):
    def send(_: int) -> HttpResponse:
        try:
            return a.send("k", ORDER)
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert (Order.objects.count(), RequestKey.objects.count()) == (1, 1)


def test_the_classic_dialect_too(a):
    body = CLASSIC | {"valid_until": "2035-12-31T23:59:59Z"}
    first = a.send("k", body, "/orders")
    assert first.status_code == 201
    again = a.send("k", body, "/orders")
    assert (again.status_code, again.content) == (201, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert a.send("k", body | {"quantity": 6}, "/orders").status_code == 422
    assert a.send("", body, "/orders").status_code == 400
    assert Order.objects.count() == 1


def _prefunded() -> int:
    broker_id = Broker.objects.get(name="Alpha").id
    return create_account(broker_id=broker_id, document_number="poor", funding="PREFUNDED").id
