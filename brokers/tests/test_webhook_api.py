"""Webhook endpoints and deliveries over HTTP."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from brokers.bulk import WebhookEvent, queue_webhook_events
from brokers.models import WebhookDelivery, WebhookEndpoint
from brokers.services.delivery import deliver_due_webhooks
from brokers.services.webhooks import ENDPOINTS_MAX
from brokers.tests.factories import RegisteredBrokerFactory, WebhookEndpointFactory
from brokers.tests.receiver import local_receiver

pytestmark = pytest.mark.django_db

_URL = "https://north.example/hook"
_ENDPOINTS = "/api/v1/webhook-endpoints"
_DELIVERIES = "/api/v1/webhook-deliveries"


@pytest.fixture
def broker() -> Any:
    return RegisteredBrokerFactory.create()


def _headers(broker: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {broker.secret}"}


def _send(client: Client, method: str, path: str, body: object, broker: Any) -> Any:
    call = getattr(client, method)
    return call(path, body, content_type="application/json", headers=_headers(broker))


def _queue(broker: Any, *payloads: str) -> None:
    moment = datetime(2026, 2, 18, 10, tzinfo=UTC)
    with connection.cursor() as cursor:
        queue_webhook_events(
            cursor,
            [
                WebhookEvent(broker.broker.id.bytes, "trade_executed", payload, moment)
                for payload in payloads
            ],
        )


def test_an_endpoint_lives(client: Client, broker: Any) -> None:
    made = _send(client, "post", _ENDPOINTS, {"url": _URL}, broker)
    assert made.status_code == 201
    document = made.json()
    assert (document["url"], document["is_active"]) == (_URL, True)
    path = f"{_ENDPOINTS}/{document['id']}"
    assert client.get(path, headers=_headers(broker)).json() == document
    listed = client.get(_ENDPOINTS, headers=_headers(broker)).json()
    assert listed == {"next": None, "previous": None, "results": [document]}
    changed = _send(client, "patch", path, {"url": f"{_URL}/2"}, broker).json()
    assert changed == {**document, "url": f"{_URL}/2"}
    assert client.delete(path, headers=_headers(broker)).status_code == 204
    assert client.get(path, headers=_headers(broker)).json()["is_active"] is False
    assert _send(client, "patch", path, {"is_active": True}, broker).json()["is_active"] is True


@pytest.mark.parametrize("url", ["", "north.example", "ftp://x/", "http://x:0/", 7, None])
def test_a_bad_address_is_refused(client: Client, broker: Any, url: object) -> None:
    answer = _send(client, "post", _ENDPOINTS, {"url": url}, broker)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["url"]
    assert not WebhookEndpoint.objects.exists()


def test_private_addresses_are_refused_by_default(
    client: Client, broker: Any, settings: Any
) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    answer = _send(client, "post", _ENDPOINTS, {"url": "http://10.0.0.1/hook"}, broker)
    assert (answer.status_code, answer.json()["code"]) == (422, "webhook_url_refused")
    endpoint = WebhookEndpointFactory.create(broker=broker.broker, url=_URL)
    path = f"{_ENDPOINTS}/{endpoint.id}"
    body = {"url": "http://169.254.169.254/latest"}
    assert _send(client, "patch", path, body, broker).status_code == 422
    endpoint.refresh_from_db()
    assert endpoint.url == _URL


def test_endpoints_are_bounded(client: Client, broker: Any) -> None:
    for _ in range(ENDPOINTS_MAX):
        WebhookEndpointFactory.create(broker=broker.broker)
    answer = _send(client, "post", _ENDPOINTS, {"url": _URL}, broker)
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_webhook_endpoints")
    assert WebhookEndpoint.objects.count() == ENDPOINTS_MAX


def test_endpoints_and_deliveries_of_another_broker_are_not_there(
    client: Client, broker: Any
) -> None:
    other = RegisteredBrokerFactory.create(webhook_url="http://127.0.0.1:9/")
    endpoint = WebhookEndpoint.objects.get()
    _queue(other, "{}")
    delivery = WebhookDelivery.objects.get()
    path = f"{_ENDPOINTS}/{endpoint.id}"
    assert client.get(path, headers=_headers(broker)).status_code == 404
    assert _send(client, "patch", path, {"is_active": False}, broker).status_code == 404
    assert client.delete(path, headers=_headers(broker)).status_code == 404
    replay = f"{_DELIVERIES}/{delivery.id}/replay"
    assert _send(client, "post", replay, {}, broker).status_code == 404
    assert client.get(_DELIVERIES, headers=_headers(broker)).json()["results"] == []
    endpoint.refresh_from_db()
    assert endpoint.is_active


def test_deliveries_are_listed_filtered_and_replayed(client: Client, broker: Any) -> None:
    with local_receiver() as receiver:
        WebhookEndpointFactory.create(broker=broker.broker, url=receiver.url)
        _queue(broker, "1", "2")
        deliver_due_webhooks()
        _queue(broker, "3")
    headers = _headers(broker)
    third, second, first = client.get(_DELIVERIES, headers=headers).json()["results"]
    assert (third["payload"], third["status"], third["attempts"]) == ("3", "pending", 0)
    assert third["due_at"] == third["created_at"] == "2026-02-18T10:00:00.000000Z"
    assert (first["status"], first["attempts"], first["last_status"]) == ("delivered", 1, 200)
    pending = client.get(f"{_DELIVERIES}?status=pending", headers=headers).json()["results"]
    delivered = client.get(f"{_DELIVERIES}?status=delivered", headers=headers).json()["results"]
    assert (pending, delivered) == ([third], [second, first])
    none = client.get(f"{_DELIVERIES}?event=order_expired", headers=headers).json()["results"]
    assert none == []
    replayed = _send(client, "post", f"{_DELIVERIES}/{first['id']}/replay", {}, broker)
    assert replayed.status_code == 202
    assert (replayed.json()["status"], replayed.json()["attempts"]) == ("pending", 0)


@pytest.mark.parametrize("query", ["status=lost", "endpoint_id=x", "event=" + "e" * 41])
def test_a_bad_filter_is_refused(client: Client, broker: Any, query: str) -> None:
    answer = client.get(f"{_DELIVERIES}?{query}", headers=_headers(broker))
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [query.split("=")[0]]


def test_what_waits_for_a_deactivated_endpoint_is_given_up(client: Client, broker: Any) -> None:
    endpoint = WebhookEndpointFactory.create(broker=broker.broker)
    _queue(broker, "{}")
    client.delete(f"{_ENDPOINTS}/{endpoint.id}", headers=_headers(broker))
    (row,) = client.get(_DELIVERIES, headers=_headers(broker)).json()["results"]
    assert (row["status"], row["last_error"]) == ("failed", "The endpoint was deactivated.")
    answer = _send(client, "post", f"{_DELIVERIES}/{row['id']}/replay", {}, broker)
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_endpoint_inactive")
