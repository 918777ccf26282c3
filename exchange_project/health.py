"""`GET /health`: is what the venue needs there? For probes, load balancers and people.

503 when the database, Valkey or an engine is gone. A silent worker, late tasks, missing Django
processes and open alerts are reported and no reason for 503: orders trade all the same. `/readyz`
says in short whether orders can be taken, `/livez` only that this process answers.
"""

import logging
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.api.latency import api_latency
from common.valkey import get_client
from exchange_project.background.runs import list_task_states
from exchange_project.classic import operations
from ledger.selectors import count_open_critical_alerts
from marketdata.pricing import list_service_states
from orders.gateway.admission import get_shard_status
from orders.streams import worker_key, wrong_clock_key

logger = logging.getLogger(__name__)

_OK, _GONE = "ok", "gone"
_CONNECT_SECONDS = 0.5
# A server that answers later is gone, and probes wait two seconds for all of the document.
_DATABASE_SECONDS = 0.8
LIVE = {"status": _OK}
_ENGINE_TIMES = """
SELECT s.shard, (extract(epoch FROM clock_timestamp() - b.beat_at) * 1000)::bigint,
       greatest(0, s.batch_time / 1000 - (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
  FROM orders_engineshard s JOIN orders_engineheartbeat b USING (shard)
"""
# The sweep of orders runs every five seconds.
_WORKER_SILENT_SECONDS = 20


class HealthView(APIView):
    """State of database, cache, engines, queue and worker, and this process's latency figures."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    @operations.health
    def get(self, request: Request) -> Response:
        document = health_document()
        response = Response(document, status=200 if document["status"] == _OK else 503)
        response["Cache-Control"] = "no-store"
        return response


class ReadyView(APIView):
    """Whether orders can be taken."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    @operations.ready
    def get(self, request: Request) -> Response:
        status = health_document()["status"]
        response = Response({"status": status}, status=200 if status == _OK else 503)
        response["Cache-Control"] = "no-store"
        return response


class LiveView(APIView):
    """That this process answers."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    @operations.live
    def get(self, request: Request) -> Response:
        response = Response(LIVE)
        response["Cache-Control"] = "no-store"
        return response


def health_document(document: dict[str, Any] | None = None) -> dict[str, Any]:
    """The state of the venue; `status` is `ok` when all that is needed is there.

    `document` is filled part by part, for who cannot wait for all of it; until the end all that is
    needed counts as gone in it. A server that does not answer is asked once.
    """
    document = document if document is not None else {}
    gone = {"status": _GONE}
    document.update(
        {"status": _GONE, "database": gone, "cache": gone, "engine": [], "queue_lag": 0}
    )
    document["latency"] = api_latency.summary()
    document["django"] = _state_of("Django processes", _ask_django)
    document["cache"] = cache = _state_of("cache", _ask_cache)
    has_cache = cache["status"] == _OK
    document["engine"] = engines = [
        _engine(shard, has_cache=has_cache) for shard in range(settings.ENGINE_SHARDS)
    ]
    document["queue_lag"] = sum(engine.get("queue_lag", 0) for engine in engines)
    document["worker"] = _state_of("worker", _ask_worker) if has_cache else gone
    document["database"] = database = _state_of("database", _ask_database)
    has_database = database["status"] == _OK
    if has_database:
        _add_engine_times(engines)
    document["tasks"] = _state_of("background tasks", _ask_tasks) if has_database else gone
    document["alerts"] = _state_of("alerts", _ask_alerts) if has_database else gone
    document["price_services"] = (
        _state_of("price services", _ask_price_services) if has_cache else gone
    )
    if all(part["status"] == _OK for part in (database, cache, *engines)):
        document["status"] = _OK
    return document


def _state_of(name: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `ask` tells, with a status; one that does not answer is gone."""
    started = time.perf_counter_ns()
    try:
        facts = ask()
    except (DatabaseError, InterfaceError, redis.RedisError, OSError) as error:
        logger.warning("health: the %s does not answer: %s", name, error)
        return {"status": _GONE}
    return {"status": _OK, "answered_us": (time.perf_counter_ns() - started) // 1000, **facts}


def _ask_database() -> dict[str, Any]:
    connection.ensure_connection()
    connection.connection.limit(_DATABASE_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {}


def _ask_cache() -> dict[str, Any]:
    get_client().ping()
    return {}


def _ask_django() -> dict[str, Any]:
    """Whether the processes behind the front listen; orders do not need them."""
    address: str = settings.DJANGO_URL
    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_CONNECT_SECONDS)
            connection.connect(address.removeprefix("unix://"))
        return {}
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port or 80), _CONNECT_SECONDS):
        return {}


def _ask_worker() -> dict[str, Any]:
    last_sweep = get_client().get(worker_key())
    if last_sweep is None:
        return {"status": "silent"}
    age = int(time.time()) - int(last_sweep)
    return {
        "status": _OK if age <= _WORKER_SILENT_SECONDS else "silent",
        "last_sweep_age_seconds": age,
    }


def _ask_tasks() -> dict[str, Any]:
    """The age of each background task's last good run; orders trade without any of them."""
    states = list_task_states()
    is_late = any(one.is_late for one in states)
    is_paused = any(one.is_paused for one in states)
    return {
        "status": "late" if is_late else "paused" if is_paused else _OK,
        "tasks": [
            {
                "name": one.task.name,
                "queue": one.task.queue,
                "age_seconds": one.age_seconds,
                "late_after_seconds": one.task.late_after_seconds,
                "is_late": one.is_late,
                "is_paused": one.is_paused,
            }
            for one in states
        ],
    }


def _ask_alerts() -> dict[str, Any]:
    """How many alerts want a look at once; what they say is for staff alone."""
    return {"open_critical_count": count_open_critical_alerts()}


def _ask_price_services() -> dict[str, Any]:
    """How each price service has been lately; none of them is needed for orders."""
    states = list_service_states()
    has_open = any(state.breaker == "open" for state in states)
    return {
        "status": "degraded" if has_open else _OK,
        "services": [asdict(state) for state in states],
    }


def _engine(shard: int, *, has_cache: bool) -> dict[str, Any]:
    """Whether the engine of a shard lives, its epoch, what waits for it; its times come later."""
    facts: dict[str, Any] = {
        "shard": shard,
        "status": _GONE,
        "epoch": None,
        "heartbeat_age_ms": None,
        "time_ahead_ms": None,
    }
    if not has_cache:
        return facts
    try:
        state = get_shard_status(shard)
        wrong_clock = get_client().get(wrong_clock_key(shard))
    except redis.RedisError:
        return facts
    if state.epoch is not None:
        facts["status"] = _OK
    if wrong_clock is not None:
        facts["wrong_clock"] = _text(wrong_clock)
    return {**facts, "epoch": state.epoch, "queue_lag": state.backlog}


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _add_engine_times(engines: Sequence[dict[str, Any]]) -> None:
    """The age of each engine's beat, and how far its batches are ahead of the database's clock."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_ENGINE_TIMES)
            times = {shard: (age, ahead) for shard, age, ahead in cursor.fetchall()}
    except (DatabaseError, InterfaceError) as error:
        logger.warning("health: the times of the engines are not known: %s", error)
        return
    for engine in engines:
        engine["heartbeat_age_ms"], engine["time_ahead_ms"] = times.get(
            engine["shard"], (None, None)
        )
