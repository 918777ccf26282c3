"""One leader: who stands by, who takes over, and what a late leader cannot do any more."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection

from common.database import database_dsn
from marketdata.snapshots import BookSnapshot, read_snapshot, write_snapshots
from orders.engine.process import leadership
from orders.engine.process.runner import Engine
from orders.engine.transaction.locking import FenceLost
from orders.models import EngineHeartbeat, EngineShard, Order
from orders.streams import alive_key
from orders.tests.engine.harness import BUY, SELL, Harness, make_account, stored
from orders.tests.engine.invariants import check_all, check_memory


def fall_silent(engine: Engine) -> None:
    """As a process that is paused: neither beats nor turns; its connection stays."""
    heartbeat = engine._heartbeat
    assert heartbeat is not None
    heartbeat._stopped.set()
    heartbeat.join()


def age_heartbeat(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_engineheartbeat SET beat_at = beat_at - %s * interval '1 s'", [seconds]
        )


@contextmanager
def standby() -> Iterator[tuple[Engine, threading.Thread]]:
    """A second engine that tries to lead from the start of the block on."""
    engine = Engine(database_dsn(), 0)
    thread = threading.Thread(target=engine.lead, daemon=True)
    thread.start()
    try:
        yield engine, thread
    finally:
        engine.stopping.set()
        thread.join()
        engine.close()


def test_a_standby_waits_while_the_leader_lives(harness: Harness) -> None:
    with standby() as (_second, thread):
        thread.join(0.5)
        assert thread.is_alive()
        assert harness.place(make_account(), BUY, 1, 1_000).status == "OPEN"
        assert EngineShard.objects.get().epoch == 1
    assert harness.place(make_account(), BUY, 1, 1_000).status == "OPEN"


def test_a_standby_follows_a_leader_that_ends(harness: Harness) -> None:
    order = harness.place(make_account(), BUY, 1, 1_000)
    with standby() as (second, thread):
        harness.engine.close()
        thread.join(2)
        assert not thread.is_alive()
        assert second.state.epoch == EngineShard.objects.get().epoch == 2
        assert list(second.state.live_orders) == [order.command_id]
        assert harness.client.get(alive_key(0)) == b"2"
        check_memory(second.state)


def test_a_silent_leader_is_ended_and_replaced(harness: Harness) -> None:
    account = make_account()
    harness.place(account, BUY, 1, 1_000)
    waiting = harness.place_command(account, BUY, 2, 1_000)
    harness.send(waiting)
    fall_silent(harness.engine)
    began = time.monotonic()
    with standby() as (second, thread):
        thread.join(5)
        assert not thread.is_alive()
        assert time.monotonic() - began < 3
        second.turn()
        assert harness.answers(waiting)[0].status == "OPEN"

        # The old leader wakes up: its connection is gone, and nothing of it is written.
        with pytest.raises(psycopg.OperationalError):
            harness.engine.pipeline.expire_due()
        assert Order.objects.count() == 2
        assert EngineHeartbeat.objects.get().epoch == 2
        # It ends, and the sign of life of the new one stays.
        harness.engine.close()
        assert harness.client.get(alive_key(0)) == b"2"
        check_all(second)


def test_a_leader_that_is_paused_within_its_transaction_cannot_commit(harness: Harness) -> None:
    account = make_account()
    order = harness.place(account, BUY, 1, 1_000)
    old = harness.engine._connection
    old.execute("BEGIN")
    old.execute("SELECT 1 FROM orders_engineshard FOR NO KEY UPDATE")
    old.execute("UPDATE orders_order SET reason = 'by the old leader'")
    fall_silent(harness.engine)
    age_heartbeat(10)
    with standby() as (second, thread):
        thread.join(3)
        assert not thread.is_alive()
        with pytest.raises(psycopg.OperationalError):
            old.execute("COMMIT")
        assert stored(order).reason == ""
        check_all(second)


def test_a_leader_finds_out_also_while_nobody_sends_anything(harness: Harness) -> None:
    harness.turn()
    fall_silent(harness.engine)
    with standby() as (_second, thread):
        thread.join(5)
        assert not thread.is_alive()
        harness.engine._next_lead = 0.0
        with pytest.raises(psycopg.OperationalError):
            harness.engine.turn()


def test_a_later_epoch_ends_an_idle_leader(harness: Harness) -> None:
    harness.turn()
    EngineShard.objects.update(epoch=7)
    harness.engine._next_lead = 0.0
    with pytest.raises(FenceLost):
        harness.engine.turn()


def test_a_late_beat_leaves_the_sign_of_the_next_leader(harness: Harness) -> None:
    heartbeat = harness.engine._heartbeat
    assert heartbeat is not None
    harness.client.set(alive_key(0), 7)
    heartbeat._show_alive()
    assert harness.client.get(alive_key(0)) == b"7"
    harness.client.delete(alive_key(0))
    heartbeat._show_alive()
    assert harness.client.get(alive_key(0)) == b"1"
    assert 0 < harness.client.pttl(alive_key(0)) <= leadership.ALIVE_MS


def test_a_raised_epoch_fences_the_leader_off(harness: Harness) -> None:
    account = make_account()
    harness.place(account, BUY, 1, 1_000)
    EngineShard.objects.update(epoch=7)
    harness.send(harness.place_command(account, SELL, 1, 1_000))
    with pytest.raises(FenceLost):
        harness.turn()
    assert Order.objects.count() == 1
    harness.restart()
    assert EngineShard.objects.get().epoch == 8
    harness.turn()
    assert Order.objects.filter(status="FILLED").count() == 2


def test_a_moved_checkpoint_fences_the_leader_off(harness: Harness) -> None:
    account = make_account()
    harness.place(account, BUY, 1, 1_000)
    EngineShard.objects.update(last_id="5-5")
    with pytest.raises(FenceLost):
        harness.place(account, BUY, 1, 1_000)
    assert Order.objects.count() == 1


def test_every_write_is_fenced(harness: Harness) -> None:
    """Also those that begin without the locks of a batch: refusals, passing over, expiry."""
    due = harness.place(make_account(), BUY, 1, 1_000, valid_until=harness.clock() + 1_000_000)
    EngineShard.objects.update(epoch=7)
    before = EngineShard.objects.values().get()
    pipeline = harness.engine.pipeline
    pipeline._clock = lambda: due.created_at + 2_000_000
    for write in (pipeline.expire_due, lambda: pipeline.move_past("9999999999999-0")):
        with pytest.raises(FenceLost):
            write()
        harness.engine._connection.rollback()
    assert EngineShard.objects.values().get() == before
    assert stored(due).status == "OPEN"


def test_an_old_leader_cannot_overwrite_a_newer_snapshot(harness: Harness) -> None:
    client, book_id = harness.client, harness.instrument.id

    def write(epoch: int, sequence: int, price: int) -> int:
        snapshot = BookSnapshot(None, None, [(price, 1, 1)], [])
        write_snapshots(
            client, shard=0, epoch=epoch, number=sequence, snapshots=[(book_id, snapshot)]
        )
        stored_snapshot = read_snapshot(client, shard=0, instrument_id=book_id)
        assert stored_snapshot is not None
        return stored_snapshot.bids[0][0]

    assert write(5, 100, 1) == 1
    assert write(5, 99, 2) == 1
    assert write(5, 100, 3) == 3
    assert write(4, 999, 4) == 3
    assert write(6, 1, 5) == 5
    assert write(5, 101, 6) == 5


def test_loading_may_take_longer_than_a_turn(harness: Harness) -> None:
    """A leader that loads many orders is not taken for stuck; one whose loop stands still is."""
    beats = leadership.Heartbeat(database_dsn(), harness.client, 3, 1)
    beats._turned_at -= 2 * leadership.STUCK_SECONDS
    beats.start()
    deadline = time.monotonic() + 3
    while not EngineHeartbeat.objects.filter(shard=3).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    beats.serve()
    beats._turned_at -= 2 * leadership.STUCK_SECONDS
    first = EngineHeartbeat.objects.get(shard=3).beat_at
    time.sleep(leadership.BEAT_SECONDS + 0.2)
    last = EngineHeartbeat.objects.get(shard=3).beat_at
    beats.stop()
    # One beat may have been under way.
    assert (last - first).total_seconds() < leadership.BEAT_SECONDS


def test_more_of_a_batch_may_wait_in_the_engines_socket_than_in_others(db: None) -> None:
    def send_buffer(dsn_connection: psycopg.Connection[Any]) -> int:
        with socket.socket(fileno=os.dup(dsn_connection.fileno())) as channel:
            assert channel.family == socket.AF_UNIX
            return channel.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)

    with leadership.connect(database_dsn()) as own, psycopg.connect(database_dsn()) as other:
        assert send_buffer(own) > send_buffer(other)
        assert own.execute("SELECT 1").fetchone() == (1,)
