"""A Celery worker outlives Valkey."""

import http.client
import json
import os
import re
import signal
import time
from collections.abc import Iterator

import pytest

from embedded import venue as venue_processes
from embedded.trial import TrialVenue

_READY = re.compile(r"risk@\S+ ready")
_WORKER = "worker-risk"
_DEATHS = 2
_SECONDS_MAX = 60.0
# Longer than what used to end a worker after Valkey had died.
_QUIET_SECONDS = 25.0


@pytest.fixture
def worker(venue: TrialVenue) -> Iterator[None]:
    """A worker and beat beside the venue's other processes."""
    venue.wait_until_healthy()
    for spec in venue_processes.long_running(venue.options, venue.environ):
        if spec.name in (_WORKER, "beat"):
            venue.supervisor.add(spec)
    log = venue.supervisor.log_of(_WORKER)
    ready = venue.supervisor.wait_until(
        lambda: bool(_READY.search(log.read_text())), seconds=_SECONDS_MAX
    )
    assert ready, venue.tell()
    yield
    venue.wait_until_healthy()


def test_a_worker_outlives_valkey(venue: TrialVenue, worker: None) -> None:
    pid = venue.supervisor.pid_of(_WORKER)
    for _ in range(_DEATHS):
        os.kill(venue.supervisor.pid_of("valkey"), signal.SIGKILL)
        _wait(venue, _QUIET_SECONDS)

    assert venue.supervisor.pid_of(_WORKER) == pid, venue.tell()
    log = venue.supervisor.log_of(_WORKER).read_text()
    assert "AttributeError" not in log
    swept = venue.supervisor.wait_until(lambda: _worker_status(venue) == "ok", seconds=_SECONDS_MAX)
    assert swept, venue.tell()


def _wait(venue: TrialVenue, seconds: float) -> None:
    """Let time pass; the supervisor starts again what ends."""
    until = time.monotonic() + seconds
    venue.supervisor.wait_until(lambda: time.monotonic() > until, seconds=seconds + 1)


def _worker_status(venue: TrialVenue) -> str:

    connection = http.client.HTTPConnection("127.0.0.1", venue.port, timeout=5)
    try:
        connection.request("GET", "/health")
        status: str = json.loads(connection.getresponse().read())["worker"]["status"]
    finally:
        connection.close()
    return status
