"""Positions survive what batches do not: failures, restarts, resets."""

from decimal import Decimal as D
from typing import Any

import pytest
from django.db import connection

from common.postgres_arrays import bigints
from margin.models import Position
from marketdata.models import MarkPrice
from orders.commands import AnyCommand, ResetVenue
from orders.engine.transaction import writing
from orders.models import Order
from orders.tests.engine.harness import BUY, REPLY_TO, SELL, Harness, make_account
from orders.tests.engine.invariants import describe
from orders.tests.engine.margin import (
    check_with_margin,
    make_trader,
    mark_command,
    position_of,
    set_mark,
)


def test_a_batch_that_cannot_be_stored_leaves_positions_as_they_were(futures: Harness) -> None:
    maker, taker = make_trader("9000"), make_trader("9000")
    futures.place(maker, SELL, 300, 5_000_000)
    futures.place(taker, BUY, 100, 5_000_000)
    before = describe(futures.engine.state)
    commands: list[AnyCommand] = [
        futures.place_command(taker, BUY, 100, 5_000_000),
        mark_command(futures, 51_000),
        futures.place_command(make_trader("9000"), BUY, 10, 4_000_000, client_order_id="x" * 200),
    ]
    futures.send(*commands)
    futures.turn()

    # The poison alone is refused; the others went through when they were tried again.
    assert futures.answers(commands[2])[0].code == "engine_error"
    assert position_of(taker, futures.instrument)[0] == D("0.02")
    assert Position.objects.count() == 2
    assert describe(futures.engine.state) != before
    check_with_margin(futures)


def test_a_statement_that_fails_rolls_memory_back(
    futures: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, taker = make_trader("9000"), make_trader("9000")
    futures.place(maker, SELL, 300, 5_000_000)
    before = describe(futures.engine.state)
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE margin_position ADD CONSTRAINT nobody_buys CHECK (quantity <= 0) NOT VALID"
        )
    try:
        command = futures.place_command(taker, BUY, 100, 5_000_000)
        futures.send(command)
        futures.turn()
        assert futures.answers(command)[0].code == "engine_error"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE margin_position DROP CONSTRAINT nobody_buys")

    assert describe(futures.engine.state) == before
    assert Position.objects.count() == 1
    check_with_margin(futures)


def test_a_row_that_another_engine_has_changed_is_not_overwritten(futures: Harness) -> None:
    trader = make_trader("9000")
    futures.place(trader, BUY, 100, 5_000_000)
    Position.objects.update(version=7)
    command = futures.place_command(trader, BUY, 100, 5_000_000)
    futures.send(command)
    futures.turn()

    assert futures.answers(command)[0].code == "engine_error"
    assert Position.objects.get().version == 7
    # It was read again on the way.
    assert futures.place(trader, BUY, 100, 5_000_000).status == "OPEN"
    assert Position.objects.get().version == 8


def test_a_reset_forgets_positions_and_marks(futures: Harness, settings: Any) -> None:
    settings.RESET_HOOK = ""
    futures.place(make_trader("9000"), BUY, 100, 5_000_000)
    futures.carry_out(ResetVenue(b"r" * 16, REPLY_TO))

    state = futures.engine.state
    assert not Position.objects.exists() and not MarkPrice.objects.exists()
    assert (state.positions.by_owner, state.positions.marks) == ({}, {})


def test_after_a_reset_the_demo_has_its_mark_again(futures: Harness, settings: Any) -> None:
    settings.DEMO = True
    set_mark(futures, 51_000)
    futures.carry_out(ResetVenue(b"r" * 16, REPLY_TO))

    assert [mark.price for mark in MarkPrice.objects.all()] == [50_000]
    assert futures.place(make_trader("9000"), BUY, 100, 5_000_000).status == "OPEN"
    check_with_margin(futures)


def test_orders_of_other_kinds_write_no_reserves(harness: Harness) -> None:
    harness.place(make_account(), BUY, 1, 1_000)
    orders = list(harness.engine.state.live_orders.values())
    columns = writing._changing_columns(orders, None, has_positions=False)
    assert (columns["count"], columns["reserves"]) == (1, bigints([]))
    assert Order.objects.get().margin_reserve == 0
