"""Health checks of single processes, for containers: `python -m embedded.probe NAME`.

Exit code 0: it works. Django is not loaded, so that a check costs little. What is asked for is what
the process leaves behind when it works: an engine its heartbeat, a worker the time of its last run
of a task of its queue, beat the times of its tasks.
"""

import argparse
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence

import psycopg

_TIMEOUT_SECONDS = 3
# A heartbeat is written every second; a standby takes over after two.
_HEARTBEAT_SECONDS_MAX = 10
# A task of each worker's queue that always runs, and how long its last good run may be over.
_TASKS = {
    "worker-risk": ("orders.tasks.expire_due_orders", 60),
    "worker-money": ("ledger.tasks.expire_transfers", 120),
    "worker-webhooks": ("brokers.tasks.deliver_webhooks", 120),
    "worker-slow": ("exchange_project.tasks.purge_old_rows", 7_500),
}
# Beat stores what it has started every three minutes.
_STARTED_SECONDS_MAX = 420
_ENGINE = """
SELECT extract(epoch FROM now() - beat_at)::float8 FROM orders_engineheartbeat WHERE shard = %s
"""
_RUN = """
SELECT extract(epoch FROM now() - coalesce(succeeded_at, watched_since))::float8
  FROM exchange_project_taskrun WHERE task = %s
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
    except (psycopg.Error, OSError) as error:
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


def _probe_worker(asked: argparse.Namespace) -> str | None:
    task, seconds_max = _TASKS[asked.name]
    return _too_old(f"last run of {task}", _ask_database(_RUN, [task]), seconds_max)


def _ask_database(query: str, parameters: Sequence[int | str]) -> float | None:
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
    **dict.fromkeys(_TASKS, _probe_worker),
    "beat": _probe_beat,
}


if __name__ == "__main__":
    sys.exit(main())
