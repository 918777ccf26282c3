"""What Valkey shows of the books, and that its loss costs nothing but time."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from common.valkey import get_client
from common.valkey_socket import ValkeySocket
from embedded.services import Services, temporary_services
from marketdata.selectors import get_instrument_spec
from marketdata.snapshots import BookSnapshot, book_key, read_snapshot
from orders.models import EngineShard, Order
from orders.selectors.books import get_book
from orders.streams import alive_key, command_stream
from orders.tests.engine.harness import BUY, SELL, Harness, make_account
from orders.tests.engine.invariants import check_all


def snapshot_of(harness: Harness) -> BookSnapshot | None:
    return read_snapshot(get_client(), shard=0, instrument_id=harness.instrument.id)


def turn_at_server(harness: Harness) -> None:
    """The turn in which the engine asks whether Valkey is the same (every other second)."""
    harness.engine._next_server = 0.0
    harness.engine.turn()


# --- snapshots ----------------------------------------------------------------------------------


def test_the_book_is_there_when_the_answer_is(harness: Harness) -> None:
    account = make_account()
    stop = threading.Event()

    def turn() -> None:
        while not stop.is_set():
            harness.engine.turn()

    thread = threading.Thread(target=turn, daemon=True)
    thread.start()
    try:
        for price in range(1, 21):
            order = harness.place_command(account, BUY, 1, price)
            harness.send(order)
            harness.answers(order)
            snapshot = snapshot_of(harness)
            assert snapshot is not None and snapshot.bids[0] == (price, 1, 1)
    finally:
        stop.set()
        thread.join()


def test_the_levels_are_those_of_the_database(harness: Harness) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    orders = [harness.place_command(buyer, BUY, 1 + i % 3, 900 + i % 60) for i in range(150)]
    orders += [harness.place_command(seller, SELL, 1 + i % 2, 1_000 + i % 7) for i in range(40)]
    harness.carry_out(*orders)
    harness.place(buyer, BUY, 10, 1_001)
    harness.carry_out(*[harness.cancel_command(buyer, o.command_id) for o in orders[:20:3]])
    spec = get_instrument_spec("ACME")
    published = get_book(spec, 50)
    get_client().delete(book_key(0, harness.instrument.id))
    assert snapshot_of(harness) is None
    assert published == get_book(spec, 50)
    assert (len(published.bids), len(published.asks)) == (50, 6)


def test_a_start_publishes_every_book(harness: Harness) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    harness.place(seller, SELL, 3, 1_000)
    harness.place(buyer, BUY, 1, 1_000)
    before = snapshot_of(harness)
    get_client().delete(book_key(0, harness.instrument.id))
    harness.restart()
    assert snapshot_of(harness) == before == BookSnapshot(None, 1_000, [], [(1_000, 2, 1)])


def test_a_batch_that_could_not_be_told_is_shown_at_the_next_turn(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = ValkeySocket.send

    def cut_off(self: Any, commands: Any) -> None:
        if any(command[0] == "PUBLISH" for command in commands):
            raise redis.ConnectionError("cut off")
        send(self, commands)

    order = harness.place_command(make_account(), BUY, 1, 1_000)
    harness.send(order)
    with monkeypatch.context() as patch:
        patch.setattr(ValkeySocket, "send", cut_off)
        harness.engine.turn()
    assert Order.objects.get().status == "OPEN"
    assert snapshot_of(harness) == BookSnapshot(None, None, [], [])
    harness.engine.turn()
    assert snapshot_of(harness) == BookSnapshot(None, None, [(1_000, 1, 1)], [])


# --- a loss of Valkey ---------------------------------------------------------------------------


def forget_everything(client: "redis.Redis", prefix: str) -> None:
    """As FLUSHALL does, for our own keys: the server goes on under the same run_id."""
    for name in client.scan_iter(match=f"{prefix}*", count=1000):
        client.delete(name)


def test_a_flushed_server_is_filled_again(harness: Harness, settings: Any) -> None:
    account = make_account()
    harness.place(account, BUY, 3, 1_000)
    before = snapshot_of(harness)
    forget_everything(harness.client, settings.REDIS_PREFIX)
    assert snapshot_of(harness) is None
    turn_at_server(harness)
    assert snapshot_of(harness) == before
    assert harness.place(account, BUY, 1, 1_000).status == "OPEN"
    check_all(harness.engine)


def test_after_a_loss_no_id_at_or_below_the_checkpoint_is_given(
    harness: Harness, settings: Any
) -> None:
    harness.place(make_account(), BUY, 3, 1_000)
    checkpoint = EngineShard.objects.get().last_id
    forget_everything(harness.client, settings.REDIS_PREFIX)
    turn_at_server(harness)
    for stream_id in ("1-1", checkpoint):
        with pytest.raises(redis.ResponseError):
            harness.client.xadd(command_stream(0), {"c": b""}, id=stream_id)


def test_commands_that_came_before_the_loss_was_seen_are_carried_out(
    harness: Harness, settings: Any
) -> None:
    account = make_account()
    harness.place(account, BUY, 3, 1_000)
    forget_everything(harness.client, settings.REDIS_PREFIX)
    order = harness.place_command(account, BUY, 1, 1_000)
    harness.send(order)
    turn_at_server(harness)
    assert harness.answers(order)[0].status == "OPEN"


def test_a_checkpoint_ahead_of_the_clock_holds_nobody_up(harness: Harness) -> None:
    """The clock of Valkey went back: its next ids must still be above the checkpoint."""
    account = make_account()
    EngineShard.objects.update(last_id="9999999999999-5")
    harness.restart()
    order = harness.place_command(account, BUY, 1, 1_000)
    assert harness.carry_out(order)[0].status == "OPEN"
    assert EngineShard.objects.get().last_id == "9999999999999-6"


@pytest.fixture
def own_valkey(settings: Any) -> Iterator[Services]:
    """A Valkey of the test's own, to be killed, frozen and started again."""
    with temporary_services(postgres=False) as services:
        settings.REDIS_URL = services.redis_url
        get_client.cache_clear()
        yield services
    get_client.cache_clear()


def turn_until(harness: Harness, order: Any, status: str) -> None:
    """Turns without listening for answers, which may not come."""
    deadline = time.monotonic() + 10
    while not Order.objects.filter(id=order.command_id.hex(), status=status).exists():
        assert time.monotonic() < deadline, f"the order is not {status}"
        harness.engine.turn()


def test_the_engine_outlives_its_valkey(own_valkey: Services, harness: Harness) -> None:
    account = make_account()
    harness.place(account, BUY, 3, 1_000)
    ends = harness.place(account, BUY, 3, 990, valid_until=harness.clock() + 30_000)
    own_valkey.kill_valkey()
    turn_until(harness, ends, "EXPIRED")
    own_valkey.restart_valkey()
    turn_at_server(harness)
    assert snapshot_of(harness) == BookSnapshot(None, None, [(1_000, 3, 1)], [])
    order = harness.place_command(account, BUY, 1, 1_000)
    harness.send(order)
    turn_until(harness, order, "OPEN")
    check_all(harness.engine)


def test_a_frozen_valkey_does_not_hold_the_engine_up(
    own_valkey: Services, harness: Harness
) -> None:
    account = make_account()
    ends = harness.place(account, BUY, 3, 990, valid_until=harness.clock() + 100_000)
    order = harness.place_command(account, BUY, 1, 1_000)
    os.kill(own_valkey.pids["valkey"], signal.SIGSTOP)
    turn_until(harness, ends, "EXPIRED")
    os.kill(own_valkey.pids["valkey"], signal.SIGCONT)
    harness.send(order)
    turn_until(harness, order, "OPEN")
    turn_at_server(harness)
    assert snapshot_of(harness) == BookSnapshot(None, None, [(1_000, 1, 1)], [])
    deadline = time.monotonic() + 3
    while not harness.client.exists(alive_key(0)):
        assert time.monotonic() < deadline, "no sign of life"
        time.sleep(0.01)
