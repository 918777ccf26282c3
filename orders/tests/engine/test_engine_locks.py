"""The engine and others at the same rows: it waits, tries again, and loses nothing."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection

from common.database import database_dsn
from ledger.models import LedgerAccount
from orders.models import EngineShard, Order
from orders.tests.engine.harness import BUY, SELL, Harness, balance, fund, make_account, stored
from orders.tests.engine.invariants import check_all

LOCK_ROW = "SELECT id FROM ledger_ledgeraccount WHERE id = %s FOR UPDATE"


@contextmanager
def another_session() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_dsn(), autocommit=True) as session:
        yield session


def row_of(account: Any, asset: str) -> int:
    return LedgerAccount.objects.get(trading_account=account, asset__code=asset).id


def in_the_background(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def wait_until_blocked(session: psycopg.Connection[Any], backend: int) -> None:
    """Until that backend waits for a lock."""
    query = "SELECT cardinality(pg_blocking_pids(%s))"
    deadline = time.monotonic() + 5
    while not session.execute(query, [backend]).fetchone()[0]:  # type: ignore[index]
        assert time.monotonic() < deadline, "it does not wait"
        time.sleep(0.005)


def test_a_held_row_is_waited_for_beyond_the_lock_timeout(harness: Harness) -> None:
    account = make_account("PREFUNDED")
    fund(account, "USD", "100")
    harness.place(account, BUY, 1, 1_000)
    engine_session = harness.engine._connection
    engine_session.execute("SET lock_timeout = '60ms'")
    order = harness.place_command(account, BUY, 2, 1_000)
    with another_session() as service:
        service.execute("BEGIN")
        service.execute(LOCK_ROW, [row_of(account, "USD")])

        def let_go() -> None:
            wait_until_blocked(service, harness.engine.backend_pid)
            time.sleep(0.1)
            service.execute("COMMIT")

        thread = in_the_background(let_go)
        outcome = harness.carry_out(order)[0]
        thread.join()
    assert outcome.status == "OPEN"
    assert balance(account, "USD")[1] == 30
    check_all(harness.engine)


def test_a_row_that_is_never_let_go_costs_only_its_own_orders(harness: Harness) -> None:
    account, other = make_account("PREFUNDED", name="A"), make_account(name="O")
    fund(account, "USD", "100")
    harness.engine._connection.execute("SET lock_timeout = '5ms'")
    good = harness.place_command(other, BUY, 1, 1_000)
    bad = harness.place_command(account, BUY, 1, 1_000)
    with another_session() as service:
        service.execute("BEGIN")
        service.execute(LOCK_ROW, [row_of(account, "USD")])
        outcomes = harness.carry_out(good, bad)
        service.execute("ROLLBACK")
    assert outcomes[0].status == "OPEN"
    assert outcomes[1].code == "account_locked"
    assert harness.carry_out(bad)[0].status == "OPEN"
    check_all(harness.engine)


def test_the_victim_of_a_deadlock_tries_again(harness: Harness) -> None:
    """The engine waits first, so after a second it is the one that finds the deadlock."""
    first, second = make_account("PREFUNDED", name="A"), make_account("PREFUNDED", name="B")
    for account in (first, second):
        fund(account, "USD", "100")
    low, high = sorted([row_of(first, "USD"), row_of(second, "USD")])
    orders = [harness.place_command(account, BUY, 1, 1_000) for account in (first, second)]
    with another_session() as service:
        service.execute("BEGIN")
        service.execute(LOCK_ROW, [high])

        def cross() -> None:
            with another_session() as watcher:
                wait_until_blocked(watcher, harness.engine.backend_pid)
            service.execute(LOCK_ROW, [low])
            service.execute("COMMIT")

        thread = in_the_background(cross)
        outcomes = harness.carry_out(*orders)
        thread.join()
    assert [outcome.status for outcome in outcomes] == ["OPEN", "OPEN"]
    check_all(harness.engine)


def test_orders_grow_old_while_they_wait_for_a_row(harness: Harness) -> None:
    account, other = make_account("PREFUNDED", name="A"), make_account(name="O")
    fund(account, "USD", "100")
    impatient = harness.place_command(account, BUY, 1, 1_000, window_ms=100)
    patient = harness.place_command(other, BUY, 1, 1_000)
    with another_session() as service:
        service.execute("BEGIN")
        service.execute(LOCK_ROW, [row_of(account, "USD")])

        def let_go() -> None:
            wait_until_blocked(service, harness.engine.backend_pid)
            time.sleep(0.15)
            service.execute("COMMIT")

        thread = in_the_background(let_go)
        outcomes = harness.carry_out(impatient, patient)
        thread.join()
    assert [outcome.status for outcome in outcomes] == ["REJECTED", "OPEN"]
    assert stored(impatient).reason == "deadline_exceeded"


def test_a_row_that_was_not_foreseen_is_locked_at_the_second_try(harness: Harness) -> None:
    """Its id is remembered, but somebody has made the row anew meanwhile."""
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "ACME", "1")
    harness.place(seller, SELL, 2, 1_000)
    harness.cancel(seller, harness.place(seller, BUY, 1, 10).command_id)
    old_id = row_of(seller, "USD")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ledger_ledgeraccount WHERE id = %s", [old_id])
    fund(buyer, "USD", "100")
    taker = harness.place(buyer, BUY, 1, 1_000)
    assert taker.status == "FILLED"
    assert row_of(seller, "USD") != old_id
    assert balance(seller, "USD") == (10, 0)
    check_all(harness.engine)


def test_a_lost_connection_ends_the_engine_and_loses_nothing(harness: Harness) -> None:
    account = make_account()
    first = harness.place(account, BUY, 1, 1_000)
    second = harness.place_command(account, BUY, 2, 1_000)
    with another_session() as service:
        service.execute("SELECT pg_terminate_backend(%s)", [harness.engine.backend_pid])
    harness.send(second)
    with pytest.raises(psycopg.OperationalError):
        for _ in range(3):
            harness.turn()
    harness.restart()
    harness.turn()
    assert harness.answers(second)[0].status == "OPEN"
    assert [o.id.bytes for o in Order.objects.order_by("sequence")] == [
        first.command_id,
        second.command_id,
    ]
    assert EngineShard.objects.get().starts == 0
    check_all(harness.engine)
