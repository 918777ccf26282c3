"""How long clients go without an order taken when a part of the venue is killed.

The bounds are three times what an otherwise idle machine has to keep, since those that run tests
are often throttled.
"""

import os
import signal
import time

import psutil
import psycopg

from embedded.trial import TrialVenue
from tests.faults import facts
from tests.recovery.clients import Clients

_SLACK = 3
_ENGINE_SECONDS = 2.0 * _SLACK
_WORKER_SECONDS = 1.0 * _SLACK
_MASTER_SECONDS = 3.0 * _SLACK
_DATABASE_SECONDS = 5.0 * _SLACK
# Orders that were on their way when something was killed may be taken up to then.
_LAST_TAKEN_SECONDS = 0.3
_SHUTDOWNS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"


def test_a_killed_engine(venue: TrialVenue, clients: Clients) -> None:
    pid, epoch = facts.leader(venue)
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)

    _assert_served_within(_ENGINE_SECONDS, clients, killed)
    assert facts.leader(venue)[1] > epoch


def test_a_killed_engine_with_its_launcher(venue: TrialVenue, clients: Clients) -> None:
    killed = time.monotonic()
    os.kill(venue.supervisor.pid_of("engine-0"), signal.SIGKILL)

    _assert_served_within(_ENGINE_SECONDS, clients, killed)


def test_a_killed_web_worker(venue: TrialVenue, clients: Clients) -> None:
    [worker, _] = psutil.Process(venue.supervisor.pid_of("web")).children()
    killed = time.monotonic()
    worker.kill()

    _assert_served_within(_WORKER_SECONDS, clients, killed)


def test_a_killed_web_master(venue: TrialVenue, clients: Clients) -> None:
    killed = time.monotonic()
    os.kill(venue.supervisor.pid_of("web"), signal.SIGKILL)

    _assert_served_within(_MASTER_SECONDS, clients, killed)


def test_a_killed_postmaster(venue: TrialVenue, clients: Clients) -> None:
    """Counted from when PostgreSQL accepts connections again."""
    engine = venue.supervisor.pid_of("engine-0")
    os.kill(venue.supervisor.pid_of("postgres"), signal.SIGKILL)
    accepted = _wait_until_it_accepts(venue)

    took = clients.wait_until_all_served_after(accepted)

    assert took < _DATABASE_SECONDS, f"{took:.2f} s: {clients.refusals()}"
    assert venue.supervisor.pid_of("engine-0") == engine, "it waits for the database"


def test_a_terminated_backend_of_the_engine(venue: TrialVenue, clients: Clients) -> None:
    terminated = time.monotonic()
    assert facts.ask(venue, _SHUTDOWNS, ["bourse engine"]) == [(True,)]

    _assert_served_within(_ENGINE_SECONDS, clients, terminated)


def _assert_served_within(seconds: float, clients: Clients, broken_at: float) -> None:
    clients.wait_until_all_served_after(broken_at + _LAST_TAKEN_SECONDS)
    gap = clients.longest_gap(broken_at)
    print(f"served again after {gap:.2f} s")
    assert gap < seconds, f"{gap:.2f} s: {clients.refusals()}"


def _wait_until_it_accepts(venue: TrialVenue) -> float:
    """Wait until PostgreSQL, which was killed, accepts connections; when that was."""

    def accepts() -> bool:
        try:
            psycopg.connect(venue.database_url, connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    assert venue.supervisor.wait_until(accepts, seconds=60), venue.tell()
    return time.monotonic()
