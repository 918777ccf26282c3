"""`GET /health`: is what the venue needs there? For probes, load balancers and people.

503 when the database, Valkey or an engine is gone. A silent worker, late tasks, missing Django
processes and open alerts are reported and no reason for 503: orders trade all the same.
"""

import logging
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F
from django.db.models.functions import Now
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
from orders.models import EngineHeartbeat
from orders.streams import worker_key

logger = logging.getLogger(__name__)

_OK, _GONE = "ok", "gone"
_CONNECT_SECONDS = 0.5
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


def health_document() -> dict[str, Any]:
    """The state of the venue; `status` is `ok` when all that is needed is there."""
    database = _state_of("database", _ask_database)
    cache = _state_of("cache", _ask_cache)
    engines = _engines()
    needed = [database, cache, *engines]
    return {
        "status": _OK if all(part["status"] == _OK for part in needed) else _GONE,
        "database": database,
        "cache": cache,
        "engine": engines,
        "queue_lag": sum(engine.get("queue_lag", 0) for engine in engines),
        "django": _state_of("Django processes", _ask_django),
        "worker": _state_of("worker", _ask_worker),
        "tasks": _state_of("background tasks", _ask_tasks),
        "alerts": _state_of("alerts", _ask_alerts),
        "price_services": _state_of("price services", _ask_price_services),
        "latency": api_latency.summary(),
    }


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


def _engines() -> list[dict[str, Any]]:
    """Every shard: whether its engine lives, its epoch, the age of its beat, what waits for it."""
    ages = _heartbeat_ages()
    return [_engine(shard, ages.get(shard)) for shard in range(settings.ENGINE_SHARDS)]


def _engine(shard: int, heartbeat_age_ms: int | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "shard": shard,
        "status": _GONE,
        "epoch": None,
        "heartbeat_age_ms": heartbeat_age_ms,
    }
    try:
        state = get_shard_status(shard)
    except redis.RedisError:
        return facts
    if state.epoch is not None:
        facts["status"] = _OK
    return {**facts, "epoch": state.epoch, "queue_lag": state.backlog}


def _heartbeat_ages() -> dict[int, int]:
    try:
        beats = EngineHeartbeat.objects.annotate(age=Now() - F("beat_at"))
        return {beat.shard: int(beat.age.total_seconds() * 1000) for beat in beats}
    except (DatabaseError, InterfaceError):
        return {}
