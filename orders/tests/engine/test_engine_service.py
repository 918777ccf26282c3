"""Engines of one process, one after the other: after a lost connection, and without a database."""

import gc
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import psycopg
import pytest

from common.database import database_dsn
from embedded.services import temporary_services
from orders.engine.process import service as engine_service
from orders.engine.process.launcher import Launcher
from orders.engine.process.runner import Engine
from orders.engine.process.service import EngineService
from orders.models import EngineHeartbeat

pytestmark = pytest.mark.django_db(transaction=True)


def _wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not come true in time"
        time.sleep(0.02)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """The engines that services make."""
    engines: list[Engine] = []

    class _Noted(Engine):
        def __init__(self, *args, **options) -> None:
            super().__init__(*args, **options)
            engines.append(self)

    monkeypatch.setattr(engine_service, "Engine", _Noted)
    return engines


@pytest.fixture
def running(made: list[Engine], valkey: object) -> Iterator[EngineService]:
    """A service in a thread, whose engine leads."""
    service = EngineService(database_dsn(), 0)
    thread = threading.Thread(target=service.run, daemon=True)
    thread.start()
    _wait_for(EngineHeartbeat.objects.exists)
    yield service
    service.stopping.set()
    thread.join(10)
    assert not thread.is_alive()


def test_an_engine_without_its_backend_is_followed_by_one_of_the_next_epoch(
    running: EngineService, made: list[Engine]
) -> None:
    [first] = made
    held, epoch = weakref.ref(first), first.state.epoch
    with psycopg.connect(database_dsn(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [first.backend_pid])
    del first

    _wait_for(lambda: len(made) == 2 and made[1].state.epoch == epoch + 1)
    made.pop(0)
    gc.collect()
    assert held() is None, "its books are still held"


def test_an_engine_that_lost_its_lead_stands_by(running: EngineService, made: list[Engine]) -> None:
    with psycopg.connect(database_dsn(), autocommit=True) as other:
        other.execute("UPDATE orders_engineshard SET epoch = epoch + 5 WHERE shard = 0")

    _wait_for(lambda: len(made) == 2 and made[1].state.epoch > 6)


def test_without_a_database_it_waits_and_stops_when_told(
    made: list[Engine], caplog: pytest.LogCaptureFixture
) -> None:
    with temporary_services(valkey=False) as services:
        dsn = services.database_url
    service = EngineService(dsn, 0)
    thread = threading.Thread(target=service.run, daemon=True)
    thread.start()
    _wait_for(lambda: "waiting for the database" in caplog.text)
    service.stopping.set()
    thread.join(5)
    assert not thread.is_alive()
    assert made == []


def _launch(run: Callable[[], None], stopping: threading.Event) -> int:
    """The exit code of a launcher in a process of its own."""
    pid = os.fork()
    if not pid:
        os._exit(Launcher(run, stopping).launch())
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def test_a_child_that_is_killed_is_replaced_and_an_error_ends_the_launcher(tmp_path) -> None:
    starts = tmp_path / "starts"

    def run() -> None:
        with starts.open("a") as file:
            file.write(f"{os.getpid()}\n")
        if len(starts.read_text().splitlines()) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError("a fault of the program")

    assert _launch(run, threading.Event()) == 1
    first, second = starts.read_text().splitlines()
    assert first != second


def test_a_signal_to_stop_reaches_the_child(tmp_path) -> None:
    stopping, ended = threading.Event(), tmp_path / "ended"

    def run() -> None:
        os.kill(os.getppid(), signal.SIGTERM)
        if stopping.wait(10):
            ended.touch()

    assert _launch(run, stopping) == 0
    assert ended.exists()


def test_a_child_ends_with_its_launcher(tmp_path) -> None:
    stopping, ended = threading.Event(), tmp_path / "ended"

    def run() -> None:
        os.kill(os.getppid(), signal.SIGKILL)
        if stopping.wait(10):
            ended.touch()

    assert _launch(run, stopping) == -signal.SIGKILL
    _wait_for(ended.exists)
