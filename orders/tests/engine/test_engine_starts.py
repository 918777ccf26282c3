"""Starts: a start is the recovery, and deaths at one command are not repeated for ever."""

from decimal import Decimal
from typing import Any

import pytest

from marketdata.snapshots import read_snapshot
from orders.commands import DuplicateOutcome, ErrorOutcome
from orders.engine.process.leadership import COMING_BACK_MS
from orders.engine.process.publisher import Publisher
from orders.models import EngineShard, Order, Trade
from orders.streams import alive_key
from orders.tests.engine.harness import (
    BUY,
    SELL,
    Harness,
    Venue,
    change,
    fund,
    make_account,
    stored,
)
from orders.tests.engine.invariants import check_all


def starts() -> int:
    return EngineShard.objects.get(shard=0).starts


def die_with(harness: Harness, *commands: Any) -> None:
    """The engine dies before it has carried out what is in the stream."""
    harness.send(*commands)
    harness.engine.close()


# --- which start it is --------------------------------------------------------------------------


def test_starts_are_counted_until_the_first_commit(harness: Harness) -> None:
    assert starts() == 1
    order = harness.place_command(make_account(), BUY, 1, 1_000)
    die_with(harness, order)
    harness.restart()
    assert starts() == 2
    harness.turn()
    assert harness.answers(order)[0].status == "OPEN"
    assert starts() == 0
    harness.restart()
    assert starts() == 1


def test_the_second_start_takes_one_command_at_a_time(harness: Harness) -> None:
    account = make_account()
    orders = [harness.place_command(account, BUY, 1, 1_000 + i) for i in range(3)]
    die_with(harness, *orders)
    harness.restart()
    for done in (1, 2, 3):
        harness.turn()
        assert Order.objects.count() == done
    # What came after the start is a batch again.
    assert len(harness.carry_out(*[harness.place_command(account, BUY, 1, 5)] * 2)) == 2
    assert [o.status for o in harness.answers(*orders)] == ["OPEN"] * 3


def test_after_the_third_death_the_first_command_is_refused(harness: Harness) -> None:
    account = make_account()
    deadly = harness.place_command(account, BUY, 1, 1_000)
    innocent = harness.place_command(account, BUY, 2, 1_000)
    die_with(harness, deadly, innocent)
    for expected in (2, 3, 4):
        harness.restart()
        assert starts() == expected
    harness.turn()
    assert harness.answers(deadly) == [ErrorOutcome(deadly.command_id, "engine_error")]
    assert starts() == 0
    harness.turn()
    assert harness.answers(innocent)[0].status == "OPEN"
    assert Order.objects.get().id.bytes == innocent.command_id
    check_all(harness.engine)


def test_quiet_starts_blame_no_command(harness: Harness) -> None:
    for _ in range(5):
        harness.restart()
    orders = [harness.place_command(make_account(), BUY, 1, 1_000) for _ in range(2)]
    die_with(harness, *orders)
    harness.restart()
    assert starts() == 2
    harness.turn()
    harness.turn()
    assert [o.status for o in harness.answers(*orders)] == ["OPEN", "OPEN"]


# --- deaths at awkward moments ------------------------------------------------------------------


class Killed(BaseException):
    """The end of the process, as nothing in it can catch."""


def test_a_death_between_commit_and_answer(
    harness: Harness, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise Killed

    buyer, seller = make_account(name="B"), make_account(name="S")
    harness.place(seller, SELL, 10, 1_000)
    order = harness.place_command(buyer, BUY, 4, 1_000)
    cancel = harness.cancel_command(buyer, order.command_id)
    harness.send(order, cancel)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Publisher, "publish_committed", die)
        harness.turn()
    harness.restart()
    harness.turn()

    # Nobody was told and nothing is done twice; who asks again hears of it.
    assert not {order.command_id, cancel.command_id} & harness.outcomes.keys()
    assert Trade.objects.get().quantity == 4
    outcomes = harness.carry_out(order, cancel)
    assert outcomes[0] == DuplicateOutcome(order.command_id, order.command_id)
    assert outcomes[1].result == "not_open"
    snapshot = read_snapshot(harness.client, shard=0, instrument_id=venue.instrument.id)
    assert snapshot is not None
    assert (snapshot.asks, snapshot.last_price) == ([(1_000, 6, 1)], 1_000)
    check_all(harness.engine)


def test_a_death_in_the_middle_of_a_transaction(harness: Harness) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    ask = harness.place(seller, SELL, 10, 1_000)
    harness.engine._connection.execute("BEGIN")
    harness.engine._connection.execute("UPDATE orders_order SET filled_quantity = 7")
    order = harness.place_command(buyer, BUY, 4, 1_000)
    harness.send(order)
    harness.restart()
    harness.turn()
    assert harness.answers(order)[0].status == "FILLED"
    assert stored(ask).filled_quantity == 4
    check_all(harness.engine)


def test_an_end_takes_the_sign_of_life_down(harness: Harness) -> None:
    assert harness.client.get(alive_key(0)) == b"1"
    harness.engine.stopping.set()
    harness.engine.close()
    assert not harness.client.exists(alive_key(0))


def test_an_engine_that_starts_over_is_not_missed_for_a_second(harness: Harness) -> None:
    harness.engine.close()
    assert 0 < harness.client.pttl(alive_key(0)) <= COMING_BACK_MS


def test_answers_for_nobody_hurt_nobody(harness: Harness) -> None:
    """The web process that asked is gone; its channel has no listener."""
    account = make_account()
    orders = [
        harness.place_command(account, BUY, 1, 1_000, reply_to="long gone"),
        harness.place_command(account, BUY, 1, 1_000, reply_to=""),
        harness.place_command(account, BUY, 1, 1_000, reply_to="odd {name}\n\0 *"),
        harness.place_command(account, BUY, 1, 1_000),
    ]
    harness.send(*orders)
    harness.turn()
    assert harness.answers(orders[-1])[0].status == "OPEN"
    assert [stored(order).status for order in orders] == ["OPEN"] * 4


# --- what a start reads --------------------------------------------------------------------------

_REMEMBERED = (
    "account_id",
    "broker_id",
    "client_order_id",
    "created_at",
    "hold",
    "maker_fee",
    "maker_notional",
    "maker_rate",
    "price",
    "quantity",
    "remaining",
    "reserve_per_lot",
    "sequence",
    "side",
    "status",
    "taker_fee",
    "taker_notional",
    "taker_rate",
    "time_in_force",
    "valid_until",
)


def test_amounts_beyond_64_bits_come_back_as_they_were(harness: Harness) -> None:
    """What the buy holds, and what it has paid so far, are more than a bigint of units."""
    buyer, seller = make_account("PREFUNDED", name="Buyer"), make_account(name="Seller")
    change(harness.instrument, maker_fee_rate=Decimal("0.001"), taker_fee_rate=Decimal("0.002"))
    fund(buyer, "USD", "900000000000000")
    buy = harness.place_command(buyer, BUY, 50_000, 1_000_000_000_000, client_order_id="large")
    harness.carry_out(buy)
    for _ in range(3):
        harness.place(seller, SELL, 8, 999_999_999_999)
    harness.place(seller, SELL, 7, 1_000_000_000_007, valid_until=harness.clock() + 3_600_000_000)
    before = {
        order_id: {name: getattr(order, name) for name in _REMEMBERED}
        for order_id, order in harness.engine.state.live_orders.items()
    }
    harness.restart()

    live = harness.engine.state.live_orders
    assert {
        order_id: {name: getattr(order, name) for name in _REMEMBERED}
        for order_id, order in live.items()
    } == before
    restored = live[buy.command_id]
    assert restored.hold > 1 << 64
    assert restored.maker_notional == 24 * 999_999_999_999 * 10**6 > 1 << 64
    assert (restored.client_order_id, restored.remaining) == ("large", 49_976)
    check_all(harness.engine)
    assert harness.place(seller, SELL, 8, 1_000_000_000_000).status == "FILLED"
    check_all(harness.engine)
