"""One bad command, one held row, one death: the others go on, and nothing is half done."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.db import connection

from marketdata.models import Instrument
from orders.commands import ErrorOutcome, PlaceOrder
from orders.models import EngineShard, Order, Trade
from orders.streams import COMMAND_FIELD, command_stream
from orders.tests.engine.harness import BUY, SELL, Harness, Venue, fund, make_account, stored
from orders.tests.engine.invariants import check_all, describe

_replace = msgspec.structs.replace


def send_garbage(harness: Harness, count: int = 1) -> str:
    """Entries that are no commands; the id of the last."""
    for number in range(count):
        entry: Any = {b"other": b"x"} if number % 2 else {COMMAND_FIELD: b"\xc1garbage"}
        last_id: Any = harness.client.xadd(command_stream(0), entry)
    return str(last_id, "ascii")


def checkpoint() -> str:
    return EngineShard.objects.get(shard=0).last_id


# --- entries that are no commands ---------------------------------------------------------------


def test_garbage_at_the_end_is_passed_over_for_good(harness: Harness) -> None:
    order = harness.place_command(make_account(), BUY, 1, 1_000)
    harness.send(order)
    last_id = send_garbage(harness, 3)
    harness.turn()
    assert harness.answers(order)[0].status == "OPEN"
    harness.turn()

    assert checkpoint() == harness.engine.state.last_id == last_id
    assert harness.client.xlen(command_stream(0)) == 0


def test_more_garbage_than_a_batch_does_not_stall(harness: Harness, settings: Any) -> None:
    settings.ENGINE_BATCH_MAX = 2
    send_garbage(harness, 4)
    order = harness.place_command(make_account(), BUY, 1, 1_000)
    harness.send(order)
    for _ in range(3):
        harness.turn()

    assert harness.answers(order)[0].status == "OPEN"
    assert harness.client.xlen(command_stream(0)) == 0


# --- after the COMMIT ---------------------------------------------------------------------------


def test_a_batch_that_is_committed_does_not_fail_when_it_is_published(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    account = make_account()
    order = harness.place_command(account, BUY, 1, 1_000)
    with monkeypatch.context() as broken:
        broken.setattr(harness.engine._publisher, "compose", lambda *_: [(object(),)])
        harness.send(order)
        harness.turn()

    assert "publishing failed" in caplog.text
    assert stored(order).status == "OPEN"
    assert harness.place(account, BUY, 1, 1_001).status == "OPEN"
    check_all(harness.engine)


# --- a poisoned command -------------------------------------------------------------------------


def _other_shard(venue: Venue) -> Instrument:
    return _listed(venue, "ELSE", shard=1)


def _listed(venue: Venue, symbol: str, **fields: Any) -> Instrument:
    values = {
        "kind": "EQUITY", "tick_size": Decimal("0.01"), "lot_size": Decimal(1),
        "price_rule": "SELLER", "base_asset": venue.share, "quote_asset": venue.usd,
    }  # fmt: skip
    return Instrument.objects.create(symbol=symbol, **(values | fields))


Poison = Callable[[PlaceOrder, Venue], PlaceOrder]
POISONS: dict[str, Poison] = {
    "unknown account": lambda c, v: _replace(c, account_id=999_999_999),
    "account beyond bigint": lambda c, v: _replace(c, account_id=2**63),
    "unknown instrument": lambda c, v: _replace(c, instrument_id=999_999_999),
    "instrument of another shard": lambda c, v: _replace(c, instrument_id=_other_shard(v).id),
    "quantity beyond the column": lambda c, v: _replace(
        c,
        instrument_id=_listed(v, "HUGE", lot_size=Decimal(10**12)).id,
        quantity_lots=10**18,
    ),
    "NUL in client_order_id": lambda c, v: _replace(c, client_order_id="a\0b"),
    "client_order_id too long": lambda c, v: _replace(c, client_order_id="x" * 65),
    "no such side": lambda c, v: _replace(c, side=7),
    "side zero": lambda c, v: _replace(c, side=0),
    "no such type": lambda c, v: _replace(c, order_type=-1),
    "no such time in force": lambda c, v: _replace(c, time_in_force=9),
    "limit without a price": lambda c, v: _replace(c, price_ticks=None),
    "price zero": lambda c, v: _replace(c, price_ticks=0),
    "quantity zero": lambda c, v: _replace(c, quantity_lots=0),
    "quantity below zero": lambda c, v: _replace(c, quantity_lots=-3),
    "id of three bytes": lambda c, v: _replace(c, command_id=b"abc"),
    "id of zeros": lambda c, v: _replace(c, command_id=bytes(16)),
    "client_order_id of no letters": lambda c, v: _replace(c, client_order_id=""),
    "broker of three bytes": lambda c, v: _replace(c, broker_id=b"abc"),
    "valid until the year 10000": lambda c, v: _replace(c, valid_until=253_402_300_800_000_000),
    "valid until before 1970": lambda c, v: _replace(c, valid_until=-(2**62)),
}


def test_poisoned_commands_are_refused_alone(harness: Harness, venue: Venue) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    commands: list[PlaceOrder] = []
    poisoned: dict[bytes, str] = {}
    for number in range(25):
        commands.append(harness.place_command(seller, SELL, 2, 1_000 + number))
        commands.append(harness.place_command(buyer, BUY, 1, 1_000 + number))
    good_ids = [command.command_id for command in commands]
    for place, (name, spoil) in enumerate(POISONS.items()):
        poison = spoil(harness.place_command(buyer, BUY, 5, 1_030), venue)
        commands.insert(place * 3, poison)
        poisoned[poison.command_id] = name
    outcomes = harness.carry_out(*commands)

    refused = {o.command_id: o.code for o in outcomes if isinstance(o, ErrorOutcome)}
    assert refused == dict.fromkeys(poisoned, "engine_error")
    by_sequence = Order.objects.order_by("sequence").values_list("id", flat=True)
    assert [order_id.bytes for order_id in by_sequence] == good_ids
    assert sum(trade.quantity for trade in Trade.objects.all()) == 25
    assert checkpoint() == harness.engine.state.last_id
    assert harness.client.xlen(command_stream(0)) == 0
    check_all(harness.engine)


def test_an_order_of_an_account_that_does_not_exist_fails_no_batch(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    account = make_account()
    good = [harness.place_command(account, BUY, 1, 1_000 + n) for n in range(2)]
    unknown = harness.place_command(account, BUY, 1, 1_000, account_id=999_999_999)
    outcomes = harness.carry_out(good[0], unknown, good[1])

    assert outcomes[1] == ErrorOutcome(unknown.command_id, "engine_error")
    assert [outcomes[0].status, outcomes[2].status] == ["OPEN", "OPEN"]
    assert "failed" not in caplog.text


@pytest.mark.parametrize("name", ["NUL in client_order_id", "client_order_id too long"])
def test_the_connection_outlives_any_number_of_failures(
    harness: Harness, venue: Venue, name: str
) -> None:
    """A statement that a failed pipeline skipped is not taken for prepared."""
    account = make_account()
    for price in range(1, 12):
        poison = POISONS[name](harness.place_command(account, BUY, 5, 1_030), venue)
        good = harness.place_command(account, BUY, 1, price)
        outcomes = harness.carry_out(poison, good)
        assert outcomes[0] == ErrorOutcome(poison.command_id, "engine_error")
        assert outcomes[1].status == "OPEN"
    check_all(harness.engine)


def test_a_command_that_fails_at_commit_is_refused_alone(harness: Harness) -> None:
    """The constraint is checked by COMMIT itself, after everything was written."""
    account = make_account()
    with connection.cursor() as cursor:
        cursor.execute("""
            CREATE FUNCTION refuse_bad() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'bad' USING ERRCODE = 'check_violation'; END $$;
            CREATE CONSTRAINT TRIGGER refuse_bad AFTER INSERT ON orders_order
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            WHEN (NEW.client_order_id = 'bad') EXECUTE FUNCTION refuse_bad()
        """)
    try:
        good = [harness.place_command(account, BUY, 1, 1_000 + i) for i in range(5)]
        bad = harness.place_command(account, BUY, 1, 1_000, client_order_id="bad")
        outcomes = harness.carry_out(*good[:2], bad, *good[2:])
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER refuse_bad ON orders_order; DROP FUNCTION refuse_bad()")
    assert [outcome.status for outcome in outcomes if outcome.command_id != bad.command_id] == [
        "OPEN"
    ] * 5
    assert outcomes[2] == ErrorOutcome(bad.command_id, "engine_error")
    assert Order.objects.count() == 5
    check_all(harness.engine)


def test_a_batch_that_is_not_stored_leaves_no_trace_in_memory(harness: Harness) -> None:
    """Filled, partly filled, canceled in the middle of a queue, expired: all is as it was."""
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "1000")
    harness.place(buyer, BUY, 1, 500)
    harness.place(seller, SELL, 1, 500)
    queue = [harness.place_command(buyer, BUY, 2, 1_000) for _ in range(5)]
    soon = harness.place_command(buyer, BUY, 1, 990, valid_until=harness.clock() + 20_000)
    harness.carry_out(*queue, soon, harness.place_command(buyer, BUY, 3, 980))
    before = describe(harness.engine.state)
    while harness.clock() < before["next_expiry"]:
        pass
    harness.send(
        harness.cancel_command(buyer, queue[3].command_id),
        harness.place_command(seller, SELL, 5, 1_000),
        harness.place_command(buyer, BUY, 1, 1_000),
        harness.place_command(buyer, BUY, 1, 970),
        harness.place_command(seller, SELL, 9, 2_000),
        harness.place_command(seller, SELL, 1, 3_000, client_order_id="x" * 65),
    )
    received, _read_to = harness.engine._inbox.read(harness.engine.state.last_id, 100, 100)
    assert not harness.engine.pipeline._attempt(received)
    assert describe(harness.engine.state) == before
    check_all(harness.engine)
    harness.turn()
    assert Order.objects.filter(status="EXPIRED").count() == 1
    assert Order.objects.filter(status="FILLED").count() == 5
    check_all(harness.engine)


def test_a_poisoned_cancel_is_refused_alone(harness: Harness) -> None:
    account = make_account()
    order = harness.place_command(account, BUY, 1, 1_000)
    bad = harness.cancel_command(account, b"no id")
    good = harness.cancel_command(account, order.command_id)
    outcomes = harness.carry_out(order, bad, good)

    assert outcomes[1] == ErrorOutcome(bad.command_id, "engine_error")
    assert outcomes[2].result == "canceled"


def test_money_beyond_64_bits_does_not_end_the_engine(harness: Harness) -> None:
    """A refusal whose facts no integer of the protocol can tell is looked up by web."""
    rich, poor = make_account(), make_account("PREFUNDED", name="P")
    price, quantity = 10**8, 10**12
    giant = harness.place_command(rich, BUY, quantity, price)
    refused = harness.place_command(poor, BUY, quantity, price)
    filled = harness.place_command(rich, SELL, quantity, price)
    small = harness.place_command(rich, BUY, 1, 1)
    harness.send(giant, refused, filled, small)
    harness.turn()

    assert [o.status for o in harness.answers(giant, small)] == ["OPEN", "OPEN"]
    assert (stored(refused).status, stored(refused).reason) == ("REJECTED", "insufficient_funds")
    assert stored(filled).status == "FILLED"
    check_all(harness.engine)


def test_a_level_beyond_64_bits_does_not_end_the_engine(harness: Harness, venue: Venue) -> None:
    account = make_account()
    commands = [harness.place_command(account, BUY, 10**18, 1) for _ in range(20)]
    outcomes = harness.carry_out(*commands)
    assert {outcome.status for outcome in outcomes} == {"OPEN"}
    harness.restart()
    check_all(harness.engine)
