"""Deadlines, expiry and the time of batches, which never runs back."""

from datetime import UTC, datetime

import pytest

from common.instants import from_microseconds, to_microseconds
from marketdata.snapshots import read_snapshot
from orders.commands import encode
from orders.models import EngineCommand, EngineShard, Order, Trade
from orders.streams import COMMAND_FIELD, command_stream
from orders.tests.engine.harness import (
    BUY,
    SELL,
    Clock,
    Harness,
    balance,
    fund,
    make_account,
    stored,
)
from orders.tests.engine.invariants import check_all

SECOND = 1_000_000


# --- deadlines ------------------------------------------------------------------------------------


def send_aged(harness: Harness, age_ms: int, *commands: object) -> None:
    """Put commands in an empty stream as if they had come `age_ms` ago."""
    seconds, micros = harness.client.time()
    stream_id = f"{seconds * 1000 + micros // 1000 - age_ms}-1"
    for command in commands:
        harness.client.xadd(command_stream(0), {COMMAND_FIELD: encode(command)}, id=stream_id)


def test_an_order_older_than_its_window_is_refused(harness: Harness) -> None:
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "100")
    order = harness.place_command(buyer, BUY, 1, 1_000, window_ms=5_000, client_order_id="late")
    send_aged(harness, 6_000, order)
    harness.place(seller, SELL, 1, 1_000)

    assert harness.answers(order)[0].reason == "deadline_exceeded"
    assert (stored(order).status, stored(order).reason) == ("REJECTED", "deadline_exceeded")
    assert balance(buyer, "USD") == (100, 0)
    assert not Trade.objects.exists()


def test_an_order_within_its_window_trades(harness: Harness) -> None:
    order = harness.place_command(make_account(), BUY, 1, 1_000, window_ms=60_000)
    send_aged(harness, 6_000, order)
    harness.turn()
    assert harness.answers(order)[0].status == "OPEN"


def test_a_cancel_has_no_deadline(harness: Harness) -> None:
    account = make_account()
    order = harness.place_command(account, BUY, 1, 1_000, window_ms=60_000_000)
    send_aged(harness, 3_600_000, order)
    harness.turn()
    cancel = harness.cancel_command(account, order.command_id)
    send_aged(harness, 3_500_000, cancel)
    harness.turn()
    assert harness.answers(cancel)[0].result == "canceled"


# --- expiry ---------------------------------------------------------------------------------------


def test_a_due_order_expires_before_the_first_command(timed: Harness, clock: Clock) -> None:
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "100")
    due = timed.place(buyer, BUY, 2, 1_000, valid_until=clock.now + SECOND)
    later = timed.place(buyer, BUY, 2, 900, valid_until=clock.now + SECOND + 1)
    clock.now += SECOND - 1
    assert timed.place(seller, SELL, 1, 1_000).status == "FILLED"
    clock.now += 1
    taker = timed.place(seller, SELL, 5, 500)

    # The due one, whose valid_until is now, did not trade; the one a microsecond later did.
    assert (taker.status, taker.filled_lots) == ("PARTIALLY_FILLED", 2)
    assert (stored(due).status, stored(due).reason) == ("EXPIRED", "valid_until_passed")
    assert (stored(due).filled_quantity, stored(due).hold_amount) == (1, 0)
    assert stored(later).status == "FILLED"
    assert balance(buyer, "USD") == (100 - 10 - 10, 0)
    assert stored(due).updated_at == from_microseconds(clock.now)
    check_all(timed.engine)


def test_the_idle_engine_expires_by_itself(harness: Harness) -> None:
    account = make_account()
    order = harness.place(account, BUY, 1, 1_000, valid_until=harness.clock() + 50_000)
    snapshot = read_snapshot(harness.client, shard=0, instrument_id=harness.instrument.id)
    assert snapshot is not None and snapshot.next_expiry_at == stored_until(order.command_id)
    # One turn waits for the due time, not for the whole idle tick.
    harness.turn()
    if stored(order).status == "OPEN":
        harness.turn()
    assert stored(order).status == "EXPIRED"
    assert EngineShard.objects.get().batch_time < stored_until(order.command_id) + 150_000
    snapshot = read_snapshot(harness.client, shard=0, instrument_id=harness.instrument.id)
    assert snapshot is not None and (snapshot.bids, snapshot.next_expiry_at) == ([], None)


def stored_until(order_id: bytes) -> int:
    valid_until = Order.objects.get(id=order_id.hex()).valid_until
    assert valid_until is not None
    return to_microseconds(valid_until)


def test_an_order_that_comes_past_its_time_is_stored_expired(timed: Harness, clock: Clock) -> None:
    seller, buyer = make_account(name="S"), make_account("PREFUNDED", name="B")
    fund(buyer, "USD", "100")
    timed.place(seller, SELL, 1, 1_000)
    order = timed.place(buyer, BUY, 1, 1_000, valid_until=clock.now)
    assert (order.status, order.filled_lots) == ("EXPIRED", 0)
    assert (stored(order).status, stored(order).hold_amount) == ("EXPIRED", 0)
    assert order.reason == stored(order).reason == "valid_until_passed"
    assert timed.cancel(buyer, order.command_id) == "not_open"
    check_all(timed.engine)


def test_a_start_expires_what_fell_due_meanwhile(timed: Harness, clock: Clock) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    due = timed.place(buyer, BUY, 2, 1_000, valid_until=clock.now + SECOND)
    stays = timed.place(buyer, BUY, 2, 900)
    clock.now += 2 * SECOND
    timed.restart()
    assert timed.place(seller, SELL, 2, 800).filled_lots == 2
    assert (stored(due).status, stored(stays).status) == ("EXPIRED", "FILLED")
    check_all(timed.engine)


def test_the_sweep_is_answered_when_all_is_expired(timed: Harness, clock: Clock) -> None:
    order = timed.place(make_account(), BUY, 2, 1_000, valid_until=clock.now + SECOND)
    clock.now += SECOND
    assert timed.expire() == "done"
    assert stored(order).status == "EXPIRED"
    assert EngineCommand.objects.get().kind == "expire"


@pytest.mark.parametrize("until", ["9999-12-31T23:59:59.999999", "2400-02-29T12:00:00.000001"])
def test_a_far_end_is_kept_to_the_microsecond(timed: Harness, until: str) -> None:
    moment = datetime.fromisoformat(until).replace(tzinfo=UTC)
    order = timed.place(make_account(), BUY, 2, 1_000, valid_until=to_microseconds(moment))
    assert stored(order).valid_until == moment
    check_all(timed.engine)


# --- the time of batches --------------------------------------------------------------------------


def test_time_never_runs_back(timed: Harness, clock: Clock) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    timed.place(buyer, BUY, 1, 1_000)
    timed.place(seller, SELL, 1, 1_000)
    first = clock.now
    clock.now -= 3_600 * SECOND
    timed.place(buyer, BUY, 1, 1_000)
    timed.restart()
    timed.place(seller, SELL, 1, 1_000)

    assert EngineShard.objects.get().batch_time == first
    trades = list(Trade.objects.order_by("sequence"))
    assert trades[0].executed_at == trades[1].executed_at
    assert trades[0].id < trades[1].id
    clock.now = first + 5
    timed.place(buyer, BUY, 1, 1_000)
    assert EngineShard.objects.get().batch_time == first + 5
