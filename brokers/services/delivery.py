"""Delivery of webhooks: at least once, oldest first, and no receiver holds up the others.

A run claims due deliveries in chunks of one endpoint, sends each chunk on a thread and writes the
results in sets. Threads only talk HTTP; the run alone talks to the database. What a killed run had
claimed is due again when its lease ends, so an event may arrive twice: `webhook-id` is the same.
"""

import contextlib
import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from brokers.bulk import (
    ClaimedDelivery,
    DeliveryResult,
    claim_due_deliveries,
    release_deliveries,
    store_delivery_results,
)
from brokers.calculations import retry_wait
from brokers.models import WebhookDelivery
from brokers.receivers import DeliveryFailed, Receiver

_log = logging.getLogger(__name__)

SENDERS = 32
SENDERS_PER_ENDPOINT = 8
CHUNK = 50
# A chunk that takes longer gives back what it has not tried, so that its thread is free again.
CHUNK_SECONDS_MAX = 1.0
# After a failure to connect, the endpoint's other deliveries wait this long for the next attempt.
REST_SECONDS = 5.0
# Longer than a chunk can take, so that nobody else sends what we are sending.
LEASE = timedelta(seconds=60)
_POLL_SECONDS = 0.2
# The first key of the advisory locks of runs; `slot` is the second.
_SLOT_LOCKS = 0x7765626B


@dataclass(slots=True)
class _Lane:
    """An endpoint in this run: how many threads send to it, and its idle connections."""

    senders: int = 0
    senders_max: int = 1
    rests_until: float = 0.0
    idle: list[Receiver] = field(default_factory=list)

    def is_busy(self, now: float) -> bool:
        return self.senders >= self.senders_max or now < self.rests_until


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Deliveries of one endpoint that one thread sends, one after the other."""

    endpoint_id: UUID
    receiver: Receiver
    leased_until: datetime
    deliveries: list[ClaimedDelivery]


@dataclass(frozen=True, slots=True)
class _Sent:
    """What became of a chunk. `is_away`: the receiver could not be reached."""

    chunk: _Chunk
    results: list[DeliveryResult]
    untried: list[int]
    is_away: bool


def deliver_due_webhooks(*, seconds_max: float = 20.0, linger_seconds: float = 0.0) -> int:
    """Deliver until nothing is due, for `seconds_max` at most; returns how many were delivered.

    With `linger_seconds` it waits that long for more, which spares a start for each event.
    """
    run = _Run(stop_at=time.monotonic() + seconds_max, linger_seconds=linger_seconds)
    with ThreadPoolExecutor(SENDERS, thread_name_prefix="webhook") as pool:
        try:
            run.drain(pool)
        finally:
            run.finish()
    return run.delivered


@contextlib.contextmanager
def delivery_slot() -> Iterator[bool]:
    """Hold one of the WEBHOOK_RUNS_MAX places of a run; yields False where all are taken.

    A place is an advisory lock of the session, so a killed worker's is free at once.
    """
    slot = next((one for one in range(settings.WEBHOOK_RUNS_MAX) if _take_slot(one)), None)
    try:
        yield slot is not None
    finally:
        if slot is not None:
            _free_slot(slot)


def has_due_deliveries() -> bool:
    """Whether there is something to deliver now."""
    due = WebhookDelivery.objects.filter(due_at__lte=timezone.now(), endpoint__is_active=True)
    return due.exists()


def _take_slot(slot: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_SLOT_LOCKS, slot])
        return bool(cursor.fetchone()[0])


def _free_slot(slot: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_SLOT_LOCKS, slot])


class _Run:
    """One run: claims, sends, writes. Not shared between threads."""

    def __init__(self, *, stop_at: float, linger_seconds: float) -> None:
        self.delivered = 0
        self._stop_at = stop_at
        self._linger_seconds = linger_seconds
        self._idle_since: float | None = None
        self._lanes: defaultdict[UUID, _Lane] = defaultdict(_Lane)
        self._sending: set[Future[_Sent]] = set()

    def drain(self, pool: ThreadPoolExecutor) -> None:
        """Claim and send until nothing is due or the time is up."""
        while time.monotonic() < self._stop_at:
            chunks = self._claim()
            for chunk in chunks:
                self._sending.add(pool.submit(_send_chunk, chunk))
            if not (chunks or self._sending or self._may_linger()):
                return
            self._collect(timeout=0 if chunks else _POLL_SECONDS)

    def finish(self) -> None:
        """Write what is still being sent, and close all connections."""
        while self._sending:
            self._collect(timeout=None)
        for lane in self._lanes.values():
            for receiver in lane.idle:
                receiver.close()

    def _may_linger(self) -> bool:
        now = time.monotonic()
        if self._idle_since is None:
            self._idle_since = now
        return now - self._idle_since < self._linger_seconds

    def _claim(self) -> list[_Chunk]:
        free = SENDERS - len(self._sending)
        if free <= 0:
            return []
        monotonic, now = time.monotonic(), timezone.now()
        leased_until = now + LEASE
        claimed = claim_due_deliveries(
            now=now,
            leased_until=leased_until,
            busy=[key for key, lane in self._lanes.items() if lane.is_busy(monotonic)],
            per_endpoint=CHUNK,
            total=free * CHUNK,
        )
        by_endpoint: defaultdict[UUID, list[ClaimedDelivery]] = defaultdict(list)
        for delivery in claimed:
            by_endpoint[delivery.endpoint_id].append(delivery)
        if claimed:
            self._idle_since = None
        return [
            self._make_chunk(endpoint_id, deliveries, leased_until)
            for endpoint_id, deliveries in by_endpoint.items()
        ]

    def _make_chunk(
        self, endpoint_id: UUID, deliveries: list[ClaimedDelivery], leased_until: datetime
    ) -> _Chunk:
        lane = self._lanes[endpoint_id]
        lane.senders += 1
        receiver = lane.idle.pop() if lane.idle else None
        if receiver is None or receiver.url != deliveries[0].url:
            receiver = Receiver(
                deliveries[0].url,
                timeout_seconds=settings.WEBHOOK_TIMEOUT_SECONDS,
                allow_private=settings.WEBHOOK_ALLOW_PRIVATE,
            )
        return _Chunk(endpoint_id, receiver, leased_until, deliveries)

    def _collect(self, *, timeout: float | None) -> None:
        """Write the results of the chunks that are through."""
        if not self._sending:
            time.sleep(timeout or 0)
            return
        done, self._sending = wait(self._sending, timeout, FIRST_COMPLETED)
        finished = [future.result() for future in done]
        results = [result for sent in finished for result in sent.results]
        if results:
            store_delivery_results(results)
            self.delivered += sum(result.delivered_at is not None for result in results)
        for sent in finished:
            self._take_back(sent)

    def _take_back(self, sent: _Sent) -> None:
        """Free the lane; a receiver that is quick gets more threads, one that is away a rest."""
        lane = self._lanes[sent.chunk.endpoint_id]
        lane.senders -= 1
        lane.idle.append(sent.chunk.receiver)
        lane.senders_max = 1 if sent.untried or sent.is_away else SENDERS_PER_ENDPOINT
        if sent.is_away:
            lane.rests_until = time.monotonic() + REST_SECONDS
        if sent.untried:
            release_deliveries(
                sent.untried, leased_until=sent.chunk.leased_until, due_at=timezone.now()
            )


def _send_chunk(chunk: _Chunk) -> _Sent:
    """Send deliveries until one cannot reach the receiver or the chunk's time is up."""
    stop_at = time.monotonic() + CHUNK_SECONDS_MAX
    results: list[DeliveryResult] = []
    is_away = False
    for delivery in chunk.deliveries:
        if is_away or (results and time.monotonic() > stop_at):
            break
        result = _send(delivery, chunk)
        results.append(result)
        is_away = result.last_status is None
    untried = [delivery.id for delivery in chunk.deliveries[len(results) :]]
    return _Sent(chunk, results, untried, is_away)


def _send(delivery: ClaimedDelivery, chunk: _Chunk) -> DeliveryResult:
    """One attempt; 2xx is success."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Bourse-Webhooks/1",
        "webhook-id": f"msg_{delivery.id}",
        "webhook-timestamp": str(int(time.time())),
    }
    status, problem = None, ""
    try:
        status = chunk.receiver.post(delivery.payload.encode(), headers)
        if not 200 <= status < 300:
            problem = f"HTTP {status}"
    except DeliveryFailed as error:
        problem = str(error)
    except Exception:  # a bug that one receiver brings out must not end the run of all
        _log.exception("webhook delivery %d failed unexpectedly", delivery.id)
        problem = "Unexpected error on our side."
    return _result_of(delivery, chunk, status, problem)


def _result_of(
    delivery: ClaimedDelivery, chunk: _Chunk, status: int | None, problem: str
) -> DeliveryResult:
    attempts = delivery.attempts + 1
    now = timezone.now()
    pause = retry_wait(attempts, jitter_percent=random.randint(0, 25)) if problem else None
    if problem and pause is None:
        _log.warning("webhook delivery %d given up after %d attempts", delivery.id, attempts)
    return DeliveryResult(
        id=delivery.id,
        leased_until=chunk.leased_until,
        attempts=attempts,
        due_at=now + pause if pause else None,
        delivered_at=None if problem else now,
        last_status=status,
        last_error=problem,
    )
