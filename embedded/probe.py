"""Health checks of single processes, for containers: `python -m embedded.probe NAME`.

Exit code 0: it works. Django is not loaded, so that a check costs little. What is asked for is what
the process leaves behind when it works: an engine its heartbeat, a worker the time of its last
sweep, beat the times of its tasks.
"""

import argparse
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import psycopg
import redis

_TIMEOUT_SECONDS = 3
# A heartbeat is written every second; a standby takes over after two.
_HEARTBEAT_SECONDS_MAX = 10
# Orders are swept every five seconds, unless a slow task holds the worker up.
_SWEEP_SECONDS_MAX = 60
# Beat stores what it has started every three minutes.
_STARTED_SECONDS_MAX = 420
_ENGINE = """
SELECT extract(epoch FROM now() - beat_at)::float8 FROM orders_engineheartbeat WHERE shard = %s
"""
_BEAT = """
SELECT extract(epoch FROM now() - max(last_run_at))::float8 FROM django_celery_beat_periodictask
"""


def main(arguments: list[str] | None = None) -> str | None:
    """Check the process that the arguments name; return what is wrong with it."""
    parser = argparse.ArgumentParser(prog="python -m embedded.probe")
    parser.add_argument("name", choices=sorted(_PROBES))
    parser.add_argument("--shard", type=int, default=0)
    parser.add_argument("--url", default="http://127.0.0.1:8000/health")
    asked = parser.parse_args(arguments)
    try:
        return _PROBES[asked.name](asked)
    except (psycopg.Error, redis.RedisError, OSError) as error:
        return f"{asked.name}: {error}"


def _probe_web(asked: argparse.Namespace) -> str | None:
    """The venue as web sees it: 503 while an engine is missing."""
    status = _status_of(asked.url)
    return None if status == 200 else f"{asked.url} answers {status}"


def _probe_django(asked: argparse.Namespace) -> str | None:
    """Whether it answers at all: what is missing elsewhere is not its fault."""
    status = _status_of(asked.url)
    return None if status in (200, 503) else f"{asked.url} answers {status}"


def _status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def _probe_engine(asked: argparse.Namespace) -> str | None:
    """The shard has a leader: this engine, or the one that this engine stands by for."""
    age = _ask_database(_ENGINE, [asked.shard])
    return _too_old("last heartbeat", age, _HEARTBEAT_SECONDS_MAX)


def _probe_beat(_asked: argparse.Namespace) -> str | None:
    return _too_old("last task that was started", _ask_database(_BEAT, []), _STARTED_SECONDS_MAX)


def _probe_worker(_asked: argparse.Namespace) -> str | None:
    client = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=_TIMEOUT_SECONDS)
    swept_at = client.get(f"{os.environ.get('REDIS_PREFIX', 'bourse:')}worker:swept_at")
    age = None if swept_at is None else time.time() - float(swept_at)  # type: ignore[arg-type]
    return _too_old("last sweep", age, _SWEEP_SECONDS_MAX)


def _ask_database(query: str, parameters: list[int]) -> float | None:
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, connect_timeout=_TIMEOUT_SECONDS) as connection:
        connection.execute(f"SET statement_timeout = {_TIMEOUT_SECONDS * 1000}")
        row = connection.execute(query.encode(), parameters).fetchone()
    return None if row is None else row[0]


def _too_old(what: str, age: float | None, seconds_max: int) -> str | None:
    if age is None:
        return f"no {what}"
    return None if age <= seconds_max else f"{what} {age:.0f} seconds ago"


_PROBES: dict[str, Callable[[argparse.Namespace], str | None]] = {
    "web": _probe_web,
    "django": _probe_django,
    "engine": _probe_engine,
    "worker": _probe_worker,
    "beat": _probe_beat,
}


if __name__ == "__main__":
    sys.exit(main())
