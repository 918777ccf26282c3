"""Engines whose clock differs from PostgreSQL's: they do not lead, and say so."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from common.database import database_dsn
from common.valkey import get_client
from ledger.models import Alert
from orders.engine.process import leadership
from orders.engine.process.clock import ClockWatch, ClockWrong
from orders.engine.process.runner import Engine, microseconds_now
from orders.engine.process.service import EngineService
from orders.models import EngineHeartbeat, EngineShard
from orders.streams import alive_key, wrong_clock_key
from orders.tests.engine.harness import BUY, Harness, make_account, stored

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = 1_000_000


def shifted(seconds: float) -> Callable[[], int]:
    """A clock that is ahead of the right one."""
    return lambda: microseconds_now() + int(seconds * SECOND)


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    """Engines to be closed at the end."""
    made: list[Engine] = []
    yield made
    for engine in made:
        engine.stopping.set()
        engine.close()


def make_engine(engines: list[Engine], clock: Callable[[], int]) -> Engine:
    engine = Engine(database_dsn(), 0, clock=clock, checks_clock=True)
    engines.append(engine)
    return engine


def leads_within(engine: Engine, seconds: float) -> bool:
    thread = threading.Thread(target=engine.lead, daemon=True)
    thread.start()
    thread.join(seconds)
    leads = not thread.is_alive()
    engine.stopping.set()
    thread.join(5)
    return leads


@pytest.mark.parametrize("seconds", [-3_600, -2.5, 2.5, 3_600])
def test_an_engine_with_a_wrong_clock_does_not_lead(
    valkey: object, engines: list[Engine], seconds: float
) -> None:
    assert not leads_within(make_engine(engines, shifted(seconds)), 1)

    assert not EngineShard.objects.exists()
    alert = Alert.objects.get()
    assert (alert.kind, alert.severity, alert.subject) == (
        "engine_clock_wrong",
        "CRITICAL",
        "shard 0",
    )
    assert f"{seconds:+.1f} s from that of PostgreSQL" in alert.message
    health = Client().get("/health")
    assert health.status_code == 503
    assert health.json()["engine"][0]["wrong_clock"] in alert.message
    assert health.json()["alerts"]["open_critical_count"] == 1


@pytest.mark.parametrize("seconds", [-1.5, 0, 1.5])
def test_one_whose_clock_is_nearly_right_does(
    valkey: object, engines: list[Engine], seconds: float
) -> None:
    assert leads_within(make_engine(engines, shifted(seconds)), 5)
    assert not Alert.objects.exists()


def test_a_standby_with_a_wrong_clock_leaves_a_silent_leader_alone(
    harness: Harness, engines: list[Engine]
) -> None:
    heartbeat = harness.engine._heartbeat
    assert heartbeat is not None
    heartbeat.stop()
    EngineHeartbeat.objects.update(beat_at="2000-01-01T00:00:00Z")
    assert not leads_within(make_engine(engines, shifted(10)), 0.6)
    assert harness.place(make_account(), BUY, 1, 1_000).status == "OPEN"


def test_a_leader_whose_clock_becomes_wrong_leads_no_longer(
    valkey: object, engines: list[Engine]
) -> None:
    offset = [0]
    engine = make_engine(engines, lambda: microseconds_now() + offset[0])
    assert engine.lead()
    engine.turn()
    offset[0] = 60 * SECOND
    started = time.monotonic()
    with pytest.raises(ClockWrong, match=r"\+60\.0 s"):
        while time.monotonic() - started < 10:
            engine.turn()
    assert EngineShard.objects.get().batch_time < microseconds_now() + 10 * SECOND


def test_the_lead_is_given_up_and_taken_again_when_the_clock_is_right(
    valkey: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one process: its sign of life goes, and comes back."""
    from orders.engine.process import runner, service

    offset = [0]

    def clock() -> int:
        return time.time_ns() // 1000 + offset[0]

    monkeypatch.setattr(
        service,
        "Engine",
        lambda dsn, shard, **options: runner.Engine(
            dsn, shard, clock=clock, checks_clock=True, **options
        ),
    )
    running = EngineService(database_dsn(), 0)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    client = get_client()
    try:
        _wait_for(lambda: client.exists(alive_key(0)) == 1)
        offset[0] = -30 * SECOND
        _wait_for(lambda: client.exists(alive_key(0)) == 0 and client.exists(wrong_clock_key(0)))
        offset[0] = 0
        _wait_for(lambda: client.get(alive_key(0)) == b"2")
    finally:
        running.stopping.set()
        thread.join(5)


def _wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not come true in time"
        time.sleep(0.02)


def test_a_time_of_batches_that_is_ahead_is_alerted(
    harness: Harness, engines: list[Engine], caplog: pytest.LogCaptureFixture
) -> None:
    order = harness.place(make_account(), BUY, 1, 1_000)
    harness.engine.close()
    ahead = microseconds_now() + 3_600 * SECOND
    EngineShard.objects.update(batch_time=ahead)

    engine = make_engine(engines, microseconds_now)
    assert engine.lead()

    assert "ahead" in caplog.text
    alert = Alert.objects.get()
    assert (alert.kind, alert.subject) == ("engine_time_ahead", "shard 0")
    assert list(engine.state.live_orders) == [order.command_id]
    health = Client().get("/health").json()
    assert 3_590_000 < health["engine"][0]["time_ahead_ms"] <= 3_600_000
    assert stored(order).status == "OPEN"


def test_a_slow_answer_is_no_wrong_clock(harness: Harness) -> None:
    """What PostgreSQL said lies between question and answer, however long that took."""
    times = iter([microseconds_now() - 20 * SECOND, microseconds_now() + 20 * SECOND])
    watch = ClockWatch(lambda: next(times), 0, harness.client, limit_seconds=2.0)
    with leadership.connect(database_dsn()) as connection:
        watch.check(connection)
