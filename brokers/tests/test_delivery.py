"""Webhooks against real receivers: order, retries, outages, crashes, private addresses."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from brokers.bulk import WebhookEvent, claim_due_deliveries, queue_webhook_events
from brokers.calculations import ATTEMPTS_MAX
from brokers.models import WebhookDelivery, WebhookEndpoint
from brokers.services import deactivate_webhook_endpoint, replay_webhook_delivery
from brokers.services.delivery import deliver_due_webhooks, delivery_slot
from brokers.tasks import deliver_webhooks, nudge_webhooks
from brokers.tests.factories import BrokerFactory, WebhookEndpointFactory
from brokers.tests.receiver import local_receiver, trickling_receiver
from common.valkey import key

pytestmark = pytest.mark.django_db

_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def _queue(endpoint: WebhookEndpoint, *payloads: str, created_at: datetime = _LONG_AGO) -> None:
    rows = [
        WebhookEvent(endpoint.broker_id.bytes, "trade_executed", payload, created_at)
        for payload in payloads
    ]
    with connection.cursor() as cursor:
        queue_webhook_events(cursor, rows)


def _deliveries() -> list[Any]:
    return list(WebhookDelivery.objects.order_by("id").values())


def _make_all_due() -> None:
    WebhookDelivery.objects.filter(due_at__isnull=False).update(due_at=_LONG_AGO)


# --- queueing ---------------------------------------------------------------------------------


def test_an_event_is_queued_for_each_active_endpoint_of_its_broker() -> None:
    broker, other = BrokerFactory.create(), BrokerFactory.create()
    active = [WebhookEndpointFactory.create(broker=broker) for _ in range(2)]
    deactivate_webhook_endpoint(endpoint=WebhookEndpointFactory.create(broker=broker))
    elsewhere = WebhookEndpointFactory.create(broker=other)
    without = BrokerFactory.create()
    moment = datetime(2026, 2, 18, 10, 0, 0, 123456, tzinfo=UTC)
    with connection.cursor() as cursor:
        queue_webhook_events(
            cursor,
            [
                WebhookEvent(broker.id.bytes, "trade_executed", '{"a": "{,\\"é"}', moment),
                WebhookEvent(without.id.bytes, "trade_executed", "{}", moment),
                WebhookEvent(other.id.bytes, "order_expired", "2", moment),
            ],
        )
    rows = _deliveries()
    assert [row["endpoint_id"] for row in rows[2:]] == [elsewhere.id]
    assert {row["endpoint_id"] for row in rows[:2]} == {one.id for one in active}
    assert [row["payload"] for row in rows] == ['{"a": "{,\\"é"}'] * 2 + ["2"]
    assert [row["event"] for row in rows] == ["trade_executed"] * 2 + ["order_expired"]
    assert {(row["created_at"], row["due_at"], row["attempts"]) for row in rows} == {
        (moment, moment, 0)
    }


def test_no_events_are_no_statement() -> None:
    with connection.cursor() as cursor:
        queue_webhook_events(cursor, [])
    assert _deliveries() == []


# --- sending ----------------------------------------------------------------------------------


def test_a_delivery_arrives_byte_for_byte() -> None:
    payload = json.dumps({"event": "trade_executed", "name": "Bolsa São Paulo"})
    with local_receiver() as receiver:
        _queue(WebhookEndpointFactory.create(url=receiver.url), payload)
        before = timezone.now()
        assert deliver_due_webhooks() == 1
    (received,) = receiver.received
    (row,) = _deliveries()
    assert received.path == "/hook?for=us"
    assert received.body == payload.encode()
    assert received.headers["content-type"] == "application/json"
    assert received.headers["webhook-id"] == f"msg_{row['id']}"
    assert int(received.headers["webhook-timestamp"]) >= int(before.timestamp())
    assert received.headers["host"] == receiver.url.split("/")[2]
    assert before <= row["delivered_at"] <= timezone.now()
    assert (row["due_at"], row["attempts"], row["last_status"], row["last_error"]) == (
        None,
        1,
        200,
        "",
    )


def test_a_backlog_is_drained_in_order_of_age_over_one_connection() -> None:
    with local_receiver() as receiver:
        endpoint = WebhookEndpointFactory.create(url=receiver.url)
        _queue(endpoint, "late", created_at=_LONG_AGO + timedelta(seconds=1))
        _queue(endpoint, *[str(number) for number in range(40)])
        assert deliver_due_webhooks() == 41
    bodies = [received.body.decode() for received in receiver.received]
    assert bodies == [*[str(number) for number in range(40)], "late"]
    assert len({received.connection for received in receiver.received}) == 1


def test_many_deliveries_each_arrive_once() -> None:
    with local_receiver() as receiver:
        endpoint = WebhookEndpointFactory.create(url=receiver.url)
        _queue(endpoint, *[str(number) for number in range(500)])
        assert deliver_due_webhooks() == 500
    assert sorted(int(received.body) for received in receiver.received) == list(range(500))
    assert not WebhookDelivery.objects.filter(delivered_at=None).exists()


def test_what_is_not_due_waits() -> None:
    with local_receiver() as receiver:
        endpoint = WebhookEndpointFactory.create(url=receiver.url)
        _queue(endpoint, "{}", created_at=timezone.now() + timedelta(seconds=60))
        assert deliver_due_webhooks() == 0
    assert receiver.received == []


# --- failures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 400, 404, 429, 500, 503])
def test_any_status_but_2xx_is_tried_again_later(status: int) -> None:
    with local_receiver() as receiver:
        receiver.status = status
        receiver.headers = {"Location": "http://127.0.0.1:1/elsewhere"}
        _queue(WebhookEndpointFactory.create(url=receiver.url), "{}")
        before = timezone.now()
        assert deliver_due_webhooks() == 0
    (row,) = _deliveries()
    assert len(receiver.received) == 1
    assert (row["attempts"], row["last_status"], row["last_error"], row["delivered_at"]) == (
        1,
        status,
        f"HTTP {status}",
        None,
    )
    assert timedelta(seconds=1) <= row["due_at"] - before <= timedelta(seconds=3)


def test_one_bad_event_does_not_hold_up_the_others() -> None:
    with local_receiver() as receiver:
        receiver.statuses = [500]
        endpoint = WebhookEndpointFactory.create(url=receiver.url)
        _queue(endpoint, "bad", "good", "good")
        assert deliver_due_webhooks() == 2
        _make_all_due()
        assert deliver_due_webhooks() == 1
    assert [received.body for received in receiver.received] == [b"bad", b"good", b"good", b"bad"]


def test_an_outage_costs_one_attempt_a_run_and_ends_in_delivery() -> None:
    with local_receiver() as receiver:
        port = int(receiver.url.split(":")[2].split("/")[0])
    endpoint = WebhookEndpointFactory.create(url=f"http://127.0.0.1:{port}/hook?for=us")
    _queue(endpoint, "1", "2", "3")
    assert deliver_due_webhooks(seconds_max=0.5) == 0
    first, second, third = _deliveries()
    assert first["attempts"] == 1
    assert first["last_status"] is None
    assert "ConnectionRefusedError" in first["last_error"]
    assert [row["attempts"] for row in (second, third)] == [0, 0]
    assert all(row["due_at"] <= timezone.now() for row in (second, third))
    _make_all_due()
    with local_receiver(port) as receiver:
        assert deliver_due_webhooks() == 3
    assert {received.body for received in receiver.received} == {b"1", b"2", b"3"}


def test_after_the_last_attempt_it_is_given_up() -> None:
    with local_receiver() as receiver:
        receiver.status = 500
        _queue(WebhookEndpointFactory.create(url=receiver.url), "{}")
        for _ in range(ATTEMPTS_MAX + 2):
            deliver_due_webhooks()
            _make_all_due()
    (row,) = _deliveries()
    assert len(receiver.received) == ATTEMPTS_MAX
    assert (row["attempts"], row["due_at"], row["delivered_at"]) == (ATTEMPTS_MAX, None, None)


def test_a_slow_receiver_does_not_hold_up_the_others(settings: Any) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = 1
    with local_receiver() as slow, local_receiver() as quick:
        slow.delay_seconds = 1.5
        _queue(WebhookEndpointFactory.create(url=slow.url), *["slow"] * 100)
        for _ in range(5):
            _queue(WebhookEndpointFactory.create(url=quick.url), *["quick"] * 10)
        assert deliver_due_webhooks(seconds_max=0.7) == 50
    rows = WebhookDelivery.objects.filter(payload="slow")
    assert rows.filter(attempts=1, last_error="No answer in time.").count() == 1
    assert rows.filter(attempts=0, due_at__lte=timezone.now()).count() == 99


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
    ],
)
def test_a_trickling_receiver_is_cut_off(answer: bytes, settings: Any) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = 1
    with trickling_receiver(answer, every_seconds=0.05) as url:
        _queue(WebhookEndpointFactory.create(url=url), "{}")
        started = time.monotonic()
        assert deliver_due_webhooks(seconds_max=0.1) == 0
        assert 0.9 < time.monotonic() - started < 2
    (row,) = _deliveries()
    assert (row["attempts"], row["last_error"]) == (1, "No answer in time.")


@pytest.mark.parametrize(
    "answer", [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000]
)
def test_what_is_no_http_is_a_failure(answer: bytes) -> None:
    with trickling_receiver(answer[:3000], every_seconds=0) as url:
        _queue(WebhookEndpointFactory.create(url=url), "{}")
        assert deliver_due_webhooks(seconds_max=0.1) == 0
    (row,) = _deliveries()
    assert (row["attempts"], row["last_status"]) == (1, None)
    assert row["last_error"]


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    with local_receiver() as receiver:
        receiver.body = b"x" * 3_000_000
        _queue(WebhookEndpointFactory.create(url=receiver.url), "1", "2")
        assert deliver_due_webhooks() == 2
    assert len({received.connection for received in receiver.received}) == 2


def test_a_connection_that_the_receiver_closed_is_made_anew() -> None:
    with local_receiver() as receiver:
        receiver.headers = {"Connection": "close"}
        _queue(WebhookEndpointFactory.create(url=receiver.url), "1", "2")
        assert deliver_due_webhooks() == 2


# --- private addresses ------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nothing_is_sent_to_private_addresses(host: str, settings: Any) -> None:
    with local_receiver() as receiver:
        endpoint = WebhookEndpointFactory.create(url=receiver.url.replace("127.0.0.1", host))
        settings.WEBHOOK_ALLOW_PRIVATE = False
        _queue(endpoint, "{}")
        assert deliver_due_webhooks(seconds_max=0.3) == 0
    (row,) = _deliveries()
    assert receiver.received == []
    assert (row["attempts"], row["last_error"]) == (
        1,
        "Not sent to an address of a private network.",
    )


def test_an_unknown_host_is_a_failure() -> None:
    _queue(WebhookEndpointFactory.create(url="http://nowhere.invalid/"), "{}")
    deliver_due_webhooks(seconds_max=0.3)
    (row,) = _deliveries()
    assert row["attempts"] == 1
    assert "gaierror" in row["last_error"]


# --- claims, crashes, several workers ---------------------------------------------------------


def test_what_a_killed_worker_had_claimed_is_delivered_after_its_lease() -> None:
    with local_receiver() as receiver:
        _queue(WebhookEndpointFactory.create(url=receiver.url), "{}")
        now = timezone.now()
        claimed = claim_due_deliveries(
            now=now,
            leased_until=now + timedelta(seconds=0.5),
            busy=[],
            per_endpoint=50,
            total=50,
        )
        assert [one.payload for one in claimed] == ["{}"]  # and here the worker dies
        assert deliver_due_webhooks() == 0
        time.sleep(0.6)
        assert deliver_due_webhooks() == 1
    assert len(receiver.received) == 1


def test_a_late_failure_does_not_undo_a_deactivation() -> None:
    with local_receiver() as receiver:
        receiver.status, receiver.delay_seconds = 500, 0.3
        endpoint = WebhookEndpointFactory.create(url=receiver.url)
        _queue(endpoint, "{}")
        now = timezone.now()
        claim_due_deliveries(
            now=now, leased_until=now + timedelta(60), busy=[], per_endpoint=1, total=1
        )
        deactivate_webhook_endpoint(endpoint=endpoint)
        assert deliver_due_webhooks() == 0
    (row,) = _deliveries()
    assert row["due_at"] is None
    assert row["last_error"] == "The endpoint was deactivated."


@pytest.mark.django_db(transaction=True)
def test_several_workers_deliver_each_event_once() -> None:
    with local_receiver() as receiver:
        for _ in range(4):
            endpoint = WebhookEndpointFactory.create(url=receiver.url)
            _queue(endpoint, *[f"{endpoint.id} {number}" for number in range(100)])

        def work(_: int) -> int:
            try:
                return deliver_due_webhooks()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(work, range(4))) == 400
    assert len(receiver.received) == 400
    assert len({received.body for received in receiver.received}) == 400


@pytest.mark.django_db(transaction=True)
def test_only_one_run_is_at_work_unless_settings_say_otherwise(settings: Any) -> None:
    def try_slot(_: int) -> bool:
        try:
            with delivery_slot() as is_free:
                return is_free
        finally:
            connections.close_all()

    with delivery_slot() as is_free, ThreadPoolExecutor(1) as pool:
        assert is_free
        assert list(pool.map(try_slot, [0])) == [False]
        settings.WEBHOOK_RUNS_MAX = 2
        assert list(pool.map(try_slot, [0])) == [True]


def test_a_replayed_delivery_is_sent_again() -> None:
    with local_receiver() as receiver:
        _queue(WebhookEndpointFactory.create(url=receiver.url), "{}")
        deliver_due_webhooks()
        replay_webhook_delivery(delivery=WebhookDelivery.objects.get())
        assert deliver_due_webhooks() == 1
    assert len(receiver.received) == 2
    assert len({received.headers["webhook-id"] for received in receiver.received}) == 1


# --- tasks ------------------------------------------------------------------------------------


def test_however_many_nudges_queue_one_run(valkey: Any) -> None:
    for _ in range(20):
        nudge_webhooks()
    assert valkey.llen(key("celery:webhooks")) == 1
    with local_receiver() as receiver:
        _queue(WebhookEndpointFactory.create(url=receiver.url), "{}")
        deliver_webhooks()
    assert len(receiver.received) == 1
    nudge_webhooks()
    assert valkey.llen(key("celery:webhooks")) == 2


def test_the_task_waits_a_moment_for_more(valkey: Any) -> None:
    started = time.monotonic()
    deliver_webhooks()
    assert 1.9 < time.monotonic() - started < 4
    assert valkey.llen(key("celery:webhooks")) == 0
