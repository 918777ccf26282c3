"""Set-based SQL of webhooks: events in, due deliveries out, results back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from common.postgres_arrays import texts, uuids

_QUEUE = """
    INSERT INTO brokers_webhookdelivery (endpoint_id, event, payload, created_at, due_at, attempts)
    SELECT endpoint.id, queued.event, queued.payload, queued.created_at, queued.created_at, 0
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
         WITH ORDINALITY AS queued (broker_id, event, payload, created_at, payload_format, place)
    JOIN brokers_webhookendpoint AS endpoint
      ON endpoint.broker_id = queued.broker_id AND endpoint.is_active
     AND queued.payload_format IN ('', endpoint.payload_format)
    ORDER BY queued.place
"""

# An index range for each endpoint, so that the backlog of one costs the others nothing.
_CLAIM = """
    WITH due AS (
        SELECT delivery.id, delivery.due_at
        FROM (SELECT id FROM brokers_webhookendpoint
              WHERE is_active AND id <> ALL(%(busy)s::uuid[]) ORDER BY random()) AS endpoint
        CROSS JOIN LATERAL (
            SELECT id, due_at FROM brokers_webhookdelivery
            WHERE endpoint_id = endpoint.id AND due_at <= %(now)s
            ORDER BY due_at, id
            LIMIT %(per_endpoint)s
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS delivery
        LIMIT %(total)s
    ), claimed AS (
        UPDATE brokers_webhookdelivery AS delivery SET due_at = %(leased_until)s
        FROM due WHERE delivery.id = due.id
        RETURNING delivery.id, delivery.endpoint_id, delivery.payload, delivery.attempts,
                  due.due_at AS was_due_at
    )
    SELECT claimed.id, claimed.endpoint_id, endpoint.url, claimed.payload, claimed.attempts
    FROM claimed JOIN brokers_webhookendpoint AS endpoint ON endpoint.id = claimed.endpoint_id
    ORDER BY claimed.was_due_at, claimed.id
"""

# A failure counts only while the claim is ours; that something was delivered is true in any case.
_STORE = """
    UPDATE brokers_webhookdelivery AS delivery
    SET attempts = result.attempts, due_at = result.due_at, delivered_at = result.delivered_at,
        last_status = result.last_status, last_error = result.last_error
    FROM unnest(%s::bigint[], %s::timestamptz[], %s::int[], %s::timestamptz[], %s::timestamptz[],
                %s::int[], %s::text[])
         AS result (id, leased_until, attempts, due_at, delivered_at, last_status, last_error)
    WHERE delivery.id = result.id
      AND (delivery.due_at = result.leased_until OR result.delivered_at IS NOT NULL)
"""

_RELEASE = """
    UPDATE brokers_webhookdelivery SET due_at = %s WHERE id = ANY(%s) AND due_at = %s
"""


class WebhookEvent(NamedTuple):
    """An event for a broker: for all its endpoints, or those of one format."""

    broker_id: bytes
    event: str
    payload: str
    created_at: datetime
    payload_format: str = ""


class ClaimedDelivery(NamedTuple):
    """A due delivery that this process alone may send until its lease ends."""

    id: int
    endpoint_id: UUID
    url: str
    payload: str
    attempts: int


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What an attempt left behind; `due_at` and `delivered_at` are both empty when given up."""

    id: int
    leased_until: datetime
    attempts: int
    due_at: datetime | None
    delivered_at: datetime | None
    last_status: int | None
    last_error: str


def queue_webhook_events(executor: Any, events: Sequence[WebhookEvent]) -> None:
    """Write a delivery for each event and active endpoint that it is for.

    `executor` is a psycopg connection or cursor in the transaction of the event; nothing is read,
    so it may be in a pipeline. The payload is sent as it is, byte for byte.
    """
    if not events:
        return
    brokers, names, payloads, times, formats = zip(*events, strict=True)
    instants = texts(time.isoformat() for time in times)
    executor.execute(_QUEUE, [uuids(brokers), list(names), list(payloads), instants, list(formats)])


def claim_due_deliveries(
    *,
    now: datetime,
    leased_until: datetime,
    busy: Collection[UUID],
    per_endpoint: int,
    total: int,
) -> list[ClaimedDelivery]:
    """Claim the oldest due deliveries of each endpoint that is not `busy`, oldest first.

    A claim moves `due_at` to the end of its lease: what a killed worker had claimed is due again
    then. Workers never claim the same row.
    """
    parameters: dict[str, Any] = {
        "now": now,
        "leased_until": leased_until,
        "busy": list(busy),
        "per_endpoint": per_endpoint,
        "total": total,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [ClaimedDelivery(*row) for row in cursor.fetchall()]


def store_delivery_results(results: Sequence[DeliveryResult]) -> None:
    """Write what became of claimed deliveries."""
    columns: list[Any] = [
        [result.id for result in results],
        [result.leased_until for result in results],
        [result.attempts for result in results],
        [result.due_at for result in results],
        [result.delivered_at for result in results],
        [result.last_status for result in results],
        [result.last_error for result in results],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_STORE, columns)


def release_deliveries(ids: list[int], *, leased_until: datetime, due_at: datetime) -> None:
    """Give claimed deliveries back that nobody has tried to send."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [due_at, ids, leased_until])
