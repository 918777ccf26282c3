"""Whatever arrives: memory is the database, money adds up, and the same batches do the same."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings

from orders.commands import AnyCommand
from orders.tests.engine.harness import Clock, Harness, Venue
from orders.tests.engine.invariants import check_all, check_shown_books
from orders.tests.engine.plans import STEP, Batch, World, make_world, plans

_numbers = itertools.count()
_RESULTS = {
    "orders": """
        SELECT id, status, reason, filled_quantity, hold_amount, maker_fee, taker_fee, sequence,
               client_order_id, valid_until, created_at, updated_at
          FROM orders_order ORDER BY sequence, id
    """,
    "trades": "SELECT * FROM orders_trade ORDER BY sequence",
    "postings": """
        SELECT p.entry_id, a.trading_account_id, a.kind, p.asset_id, p.amount, p.balance_after
          FROM ledger_posting p JOIN ledger_ledgeraccount a ON a.id = p.ledger_account_id
          JOIN ledger_journalentry e ON e.id = p.entry_id WHERE e.kind = 'TRADE'
         ORDER BY p.entry_id, a.trading_account_id, a.kind, p.asset_id
    """,
    "commands": "SELECT * FROM orders_enginecommand ORDER BY id",
    "nets": "SELECT broker_id, shard, asset_id, net_amount FROM orders_brokernet ORDER BY 1, 2, 3",
}
_FORGET = """
TRUNCATE orders_orderkey, orders_orderrefusal, orders_dealresult, orders_trade, orders_order,
         orders_brokernet, orders_enginecommand,
         ledger_posting, ledger_entrysource, ledger_journalentry, ledger_ledgeraccount,
         orders_engineshard CASCADE
"""


@pytest.fixture
def clock() -> Clock:
    return Clock(1_800_000_000 * STEP)


@pytest.fixture
def timed(venue: Venue, clock: Clock) -> Iterator[Harness]:
    driver = Harness(venue.instrument, clock=clock)
    yield driver
    driver.stop()


def examples(count: int) -> settings:
    """The same examples in every run, as many as there is time for."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def results() -> dict[str, list[Any]]:
    """All that the engine wrote, row by row."""
    with connection.cursor() as cursor:
        found = {}
        for name, query in _RESULTS.items():
            cursor.execute(query)
            found[name] = cursor.fetchall()
        return found


def begin_anew(harness: Harness, world: World) -> None:
    """An empty venue with a fresh engine; accounts and instruments stay."""
    harness.engine.close()
    with connection.cursor() as cursor:
        cursor.execute(_FORGET)
    world.fund()
    harness.restart()


def run(harness: Harness, clock: Clock, world: World, batch: Batch) -> list[AnyCommand]:
    """Carry out one batch of a plan; its commands."""
    clock.now += batch.steps * STEP
    if batch.restarts:
        harness.restart()
    commands = world.commands(harness, batch)
    harness.carry_out(*commands)
    return commands


@examples(8)
@given(plan=plans)
def test_books_orders_and_ledger_agree_after_every_batch(
    timed: Harness, clock: Clock, plan: list[Batch]
) -> None:
    world = make_world(next(_numbers))
    world.fund()
    for batch in plan:
        run(timed, clock, world, batch)
        check_all(timed.engine)
        check_shown_books(timed.engine)


@examples(3)
@given(plan=plans)
def test_the_same_batches_do_the_same_on_a_fresh_engine(
    timed: Harness, clock: Clock, plan: list[Batch]
) -> None:
    """Also when it is started anew between any two of them: nothing lives in memory alone."""
    world = make_world(next(_numbers))
    begin_anew(timed, world)
    sent = [(run(timed, clock, world, batch), clock.now) for batch in plan]
    expected = results()
    begin_anew(timed, world)
    for commands, clock.now in sent:
        timed.carry_out(*commands)
        timed.restart()
    assert results() == expected
