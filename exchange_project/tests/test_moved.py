"""Requirement paths at the root: 308 to where they are, with method, body and query string."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client
from django.urls import resolve

from marketdata.tests.factories import make_instrument
from orders.models import Order

_ID = UUID(int=1)
PATHS = [
    ("POST", "/accounts/1/orders"),
    ("POST", f"/orders/{_ID}/execute"),
    ("POST", "/trade"),
    ("GET", "/trades/1?page_size=5"),
    ("GET", "/positions/1"),
    ("POST", "/mark-price"),
    ("GET", "/margin-report?asset=USDT"),
    ("GET", "/liquidations"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_path_at_the_root_names_the_right_one(method: str, path: str) -> None:
    response = Client(enforce_csrf_checks=True).generic(method, path, b"{}")

    assert response.status_code == 308
    assert response["Location"] == f"/api/v1{path}"
    document = response.json()
    assert (document["code"], document["location"]) == ("moved", f"/api/v1{path}")
    assert response["Content-Type"] == "application/problem+json"
    view: Any = resolve(f"/api/v1{path}".partition("?")[0]).func
    assert hasattr(view.cls, method.lower())


@pytest.mark.django_db
@pytest.mark.usefixtures("valkey")
def test_a_client_that_follows_books_and_executes_an_order() -> None:
    make_instrument("AAPL")
    venue = {"x-api-key": settings.ADMIN_API_KEY}
    scopes = ["read", "trade", "admin", "book"]
    made = post("/api/v1/brokers", {"name": "Booker", "scopes": scopes}, venue)
    assert made.status_code == 201, made.content
    key = {"x-api-key": made.json()["api_key"]["key"]}
    opened = post("/api/v1/accounts", {"document_number": "1"}, key).json()

    body = {"client_order_id": str(_ID), "symbol": "AAPL", "order_type": "BUY"}
    order = post(f"/accounts/{opened['id']}/orders", {**body, "quantity": 10, "price": "1"}, key)
    done = post(f"/orders/{order.json()['id']}/execute", None, key)

    assert done.json()["status"] == "FILLED"
    assert Order.objects.get().account_id == opened["id"]
    # It may hand on what it has, and nothing else.
    assert post("/api/v1/api-keys", {"scopes": ["book"]}, key).status_code == 201
    assert post("/api/v1/api-keys", {"scopes": ["marks"]}, key).status_code == 403


@pytest.mark.django_db
def test_without_a_word_of_the_venue_a_broker_cannot_book() -> None:
    venue = {"x-api-key": settings.ADMIN_API_KEY}
    made = post("/api/v1/brokers", {"name": "Plain"}, venue).json()

    assert made["api_key"]["scopes"] == ["read", "trade", "transfer", "admin"]
    key = {"x-api-key": made["api_key"]["key"]}
    assert post("/api/v1/api-keys", {"scopes": ["book"]}, key).status_code == 403
    refusal = post("/api/v1/brokers", {"name": "No", "scopes": ["root"]}, venue)
    assert refusal.status_code == 422


def post(path: str, body: Any, headers: dict[str, str]) -> Any:
    raw = b"" if body is None else json.dumps(body).encode()
    return Client().post(path, raw, content_type="application/json", headers=headers, follow=True)
