"""A server that is stopped and answers nothing: requests end in time, and probes say so."""

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psutil
import pytest

from embedded.trial import TrialVenue
from tests.faults import facts
from tests.recovery.clients import Clients

_PROBE_SECONDS = 2.0
# Requests wait for a thread, then for an answer, then for a new connection.
_REQUEST_SECONDS = 20.0
_STALL_SECONDS = 30.0
# On a throttled machine.
_SLACK_SECONDS = 1.0


class _Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    document: Any
    seconds: float


def _get(venue: TrialVenue, path: str, key: str = "") -> _Reply:
    connection = http.client.HTTPConnection("127.0.0.1", venue.port, timeout=60)
    began = time.monotonic()
    try:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    document = json.loads(body) if body.startswith(b"{") else body
    headers = {name.lower(): value for name, value in response.getheaders()}
    return _Reply(response.status, headers, document, time.monotonic() - began)


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    """Stop a process and its children, as a disk that hangs does; at the end they go on."""
    parent = psutil.Process(pid)
    processes = [parent, *parent.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            try:
                process.send_signal(signal.SIGCONT)
            except psutil.NoSuchProcess:
                continue


@contextmanager
def _patrol(venue: TrialVenue) -> Iterator[None]:
    """See that the probes answer in time all the while: /livez with 200, the others with 503."""
    stopping, findings = threading.Event(), list[str]()

    def look() -> None:
        while not stopping.wait(0.2):
            for path, status in (("/livez", 200), ("/readyz", 503), ("/health", 503)):
                reply = _get(venue, path)
                if reply.status != status or reply.seconds > _PROBE_SECONDS + _SLACK_SECONDS:
                    findings.append(f"{path}: {reply.status} after {reply.seconds:.1f} s")

    time.sleep(1.0)  # what was found a moment before the stall is reported for a moment
    threads = [threading.Thread(target=look, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    assert findings == []


def _ask_all_at_once(venue: TrialVenue, key: str, paths: list[str]) -> list[_Reply]:
    replies: list[_Reply] = []
    threads = [
        threading.Thread(target=lambda path=path: replies.append(_get(venue, path, key)))
        for path in paths
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == len(paths)
    return replies


@pytest.fixture
def healed(venue: TrialVenue) -> Iterator[None]:
    """The venue is healthy again afterwards."""
    yield
    venue.wait_until_healthy()


def test_a_stalled_database(venue: TrialVenue, key: str, clients: Clients, healed: None) -> None:
    order_id = "00000000-0000-7000-8000-000000000000"
    paths = [
        *["/api/v1/orders", "/balance", f"/orders/{order_id}", "/api/v1/fills"] * 4,
        *["/stocks/STEADY/price?trades=2", "/api/v1/accounts", "/admin/"] * 4,
    ]
    with _stopped(venue.supervisor.pid_of("postgres")):
        with _patrol(venue):
            for _ in range(2):
                replies = _ask_all_at_once(venue, key, paths)
                slowest = max(reply.seconds for reply in replies)
                assert slowest < _REQUEST_SECONDS, f"{slowest:.1f} s"
                refused = [reply for reply in replies if reply.status >= 500]
                assert len(refused) >= len(paths) / 2
                assert {reply.status for reply in refused} == {503}
                assert all("retry-after" in reply.headers for reply in refused)
            document = _get(venue, "/health").document
        assert document["database"] == {"status": "gone"}
        assert document["cache"]["status"] == "ok"

    resumed = time.monotonic()
    took = clients.wait_until_all_served_after(resumed)
    assert took < _STALL_SECONDS, f"{took:.1f} s: {clients.refusals()[-5:]}"


def test_a_stalled_valkey(venue: TrialVenue, key: str, clients: Clients, healed: None) -> None:
    paths = ["/stocks/STEADY/book", "/api/v1/orders", "/balance"] * 4
    with _stopped(venue.supervisor.pid_of("valkey")):
        with _patrol(venue):
            replies = _ask_all_at_once(venue, key, paths)
            slowest = max(reply.seconds for reply in replies)
            assert slowest < _REQUEST_SECONDS, f"{slowest:.1f} s"
            assert {reply.status for reply in replies} == {200}, "the database has it all"
            document = _get(venue, "/health").document
        assert document["cache"] == {"status": "gone"}
        assert document["database"]["status"] == "ok"

    resumed = time.monotonic()
    took = clients.wait_until_all_served_after(resumed)
    assert took < _STALL_SECONDS, f"{took:.1f} s: {clients.refusals()[-5:]}"


def test_a_stopped_engine_is_reported(venue: TrialVenue, clients: Clients, healed: None) -> None:
    pid, _ = facts.leader(venue)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert venue.supervisor.wait_until(lambda: _get(venue, "/readyz").status == 503, seconds=10)
        assert _get(venue, "/livez").status == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    clients.wait_until_all_served_after(time.monotonic())
