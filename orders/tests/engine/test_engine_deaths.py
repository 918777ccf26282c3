"""The engine dies at every single step of its work; nothing is lost, and nothing is done twice."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from common.ids import new_uuid
from common.postgres_pipeline import StatementPipeline
from common.valkey_socket import ValkeySocket
from ledger.models import Alert
from ledger.services import raise_alert
from ledger.types import AlertSeverity
from orders.commands import ResetVenue
from orders.models import EngineCommand, Order
from orders.streams import command_stream
from orders.tests.engine.harness import (
    BUY,
    REPLY_TO,
    SELL,
    Harness,
    balance,
    fund,
    make_account,
    stored,
)
from orders.tests.engine.invariants import check_all


class Killed(BaseException):
    """The end of the process, as nothing in it can catch."""


@contextmanager
def dying_at_step(
    number: int, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """Kills the engine before its statement or Valkey call of this number; lists the steps."""
    steps: list[str] = []
    connection = harness.engine._connection
    execute = psycopg.Connection.execute
    send = StatementPipeline.execute
    send_to_valkey = ValkeySocket.send

    def step(name: str) -> None:
        steps.append(name)
        if len(steps) == number:
            raise Killed

    def counted_execute(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        if self is connection:
            step(" ".join(str(query).split())[:40])
        return execute(self, query, *args, **options)

    def counted_send(self: Any, query: str, *args: Any) -> Any:
        step(" ".join(query.split())[:40])
        return send(self, query, *args)

    def counted_call(self: Any, commands: Any) -> None:
        step("Valkey")
        send_to_valkey(self, commands)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "execute", counted_execute)
        patch.setattr(StatementPipeline, "execute", counted_send)
        patch.setattr(ValkeySocket, "send", counted_call)
        yield steps


def turn_and_die(number: int, harness: Harness, monkeypatch: pytest.MonkeyPatch) -> bool:
    """One turn that dies at a step, and a new start; False when the turn has fewer steps."""
    died = False
    with dying_at_step(number, harness, monkeypatch):
        try:
            harness.engine.turn()
        except Killed:
            died = True
    harness.restart()
    return died


def turn_until(is_done: Callable[[], bool], harness: Harness) -> None:
    deadline = time.monotonic() + 5
    while not is_done():
        assert time.monotonic() < deadline, "not carried out"
        harness.engine.turn()


def test_every_command_acts_once_wherever_the_engine_dies(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer, seller = make_account("PREFUNDED", name="B"), make_account("PREFUNDED", name="S")
    fund(buyer, "USD", "100000")
    fund(seller, "ACME", "1000")
    died, number = True, 0
    while died:
        number += 1
        canceled = harness.place_command(buyer, BUY, 1, 500)
        harness.carry_out(canceled, harness.place_command(seller, SELL, 3, 1_000))
        limit = harness.place_command(buyer, BUY, 2, 1_000, client_order_id=f"c{number}")
        cancel = harness.cancel_command(buyer, canceled.command_id)
        market = harness.place_command(buyer, BUY, 1)
        harness.send(limit, cancel, market)
        died = turn_and_die(number, harness, monkeypatch)
        turn_until(Order.objects.filter(id=market.command_id.hex()).exists, harness)

        assert {stored(limit).status, stored(market).status} == {"FILLED"}
        assert EngineCommand.objects.get(id=cancel.command_id.hex()).result == "canceled"
        assert balance(buyer, "ACME") == (3 * number, 0)
        assert balance(seller, "USD") == (30 * number, 0)
        check_all(harness.engine)
    assert number > 10


def test_a_reset_is_done_where_its_engine_dies(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RESET_HOOK = ""
    account = make_account()
    with dying_at_step(0, harness, monkeypatch) as steps:
        harness.carry_out(ResetVenue(new_uuid().bytes, REPLY_TO))
    commit = steps.index("COMMIT") + 1
    for number in (commit - 1, commit, commit + 1, len(steps)):
        harness.place(account, BUY, 1, 500)
        reset = ResetVenue(new_uuid().bytes, REPLY_TO)
        after = harness.place_command(account, BUY, 2, 500)
        harness.send(reset, after)
        assert turn_and_die(number, harness, monkeypatch)
        turn_until(Order.objects.filter(id=after.command_id.hex()).exists, harness)

        assert Order.objects.get().id.bytes == after.command_id
        assert EngineCommand.objects.get().id.bytes == reset.command_id
    check_all(harness.engine)


_deaths: list[str] = []


def funding_hook() -> None:
    """A RESET_HOOK that leaves a trace; where a death is due, the engine dies at its beginning."""
    if _deaths:
        raise Killed(_deaths.pop())
    raise_alert(kind="funded", severity=AlertSeverity.WARNING, message="The hook has run")


def failing_hook() -> None:
    """A RESET_HOOK that fails."""
    raise RuntimeError("no money")


def test_a_reset_is_answered_when_its_hook_has_run(harness: Harness, settings: Any) -> None:
    """An engine that dies between the COMMIT that empties the venue and the hook begins again."""
    settings.RESET_HOOK = f"{__name__}.funding_hook"
    harness.place(make_account(), BUY, 1, 500)
    reset = ResetVenue(new_uuid().bytes, REPLY_TO)
    harness.send(reset)
    _deaths.append("before the hook")

    with pytest.raises(Killed):
        harness.turn()
    assert not Order.objects.exists()
    assert not EngineCommand.objects.exists()
    harness.restart()
    turn_until(EngineCommand.objects.filter(id=reset.command_id.hex()).exists, harness)

    assert Alert.objects.get().kind == "funded"
    assert harness.answers(reset)[0].result == "done"
    check_all(harness.engine)


def test_a_reset_whose_hook_fails_is_no_success(harness: Harness, settings: Any) -> None:
    settings.RESET_HOOK = f"{__name__}.failing_hook"
    reset = ResetVenue(new_uuid().bytes, REPLY_TO)
    assert harness.carry_out(reset)[0].code == "engine_error"
    assert not EngineCommand.objects.exists()
    assert harness.place(make_account(), BUY, 1, 500).status == "OPEN"
    check_all(harness.engine)


@pytest.mark.parametrize("kind", ["list", "string"])
def test_a_key_that_is_no_stream_is_moved_aside(harness: Harness, kind: str) -> None:
    stream = command_stream(0)
    harness.client.delete(stream)
    if kind == "list":
        harness.client.rpush(stream, "stranger")
    else:
        harness.client.set(stream, "stranger")
    turn_until(lambda: harness.client.type(stream) == b"none", harness)

    assert harness.client.exists(f"{stream}:{kind}")
    assert harness.place(make_account(), BUY, 1, 500).status == "OPEN"
