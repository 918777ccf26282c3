"""Batches that follow each other: the next one is planned while the last is written."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest
from django.db import connection

from common.database import database_dsn
from common.ids import new_uuid
from ledger.models import LedgerAccount
from marketdata.snapshots import read_snapshot
from orders.commands import ResetVenue
from orders.models import Order
from orders.tests.engine.harness import (
    BUY,
    REPLY_TO,
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


@pytest.fixture(autouse=True)
def _batches_of_two(settings: Any) -> None:
    settings.ENGINE_BATCH_MAX = 2


def test_batches_in_a_row_are_carried_out_told_and_shown(harness: Harness) -> None:
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "1000")
    asks = [harness.place_command(seller, SELL, 1, 1_000 + n) for n in range(5)]
    bids = [harness.place_command(buyer, BUY, 2, 1_003) for _ in range(2)]
    cancel = harness.cancel_command(seller, asks[4].command_id)
    harness.send(*asks, *bids, cancel)
    for _ in range(4):
        harness.turn()

    outcomes = harness.answers(*asks, *bids, cancel)
    assert [outcome.status for outcome in outcomes[:5]] == ["OPEN"] * 5
    assert [outcome.status for outcome in outcomes[5:7]] == ["FILLED"] * 2
    assert outcomes[7].result == "canceled"
    paid = Decimal("10.00") + Decimal("10.01") + Decimal("10.02") + Decimal("10.03")
    assert balance(buyer, "USD") == (1000 - paid, 0)
    snapshot = read_snapshot(harness.client, shard=0, instrument_id=harness.instrument.id)
    assert snapshot is not None and (snapshot.bids, snapshot.asks) == ([], [])
    check_all(harness.engine)


def test_what_is_committed_is_told_though_the_next_batch_never_comes(harness: Harness) -> None:
    seller = make_account()
    orders = [harness.place_command(seller, SELL, 1, 1_000 + n) for n in range(3)]
    harness.send(*orders)
    harness.turn()
    harness.engine.close()

    assert [o.status for o in harness.answers(*orders[:2])] == ["OPEN", "OPEN"]
    assert Order.objects.count() == 2


def test_a_batch_that_cannot_be_planned_does_no_harm_to_the_one_before(harness: Harness) -> None:
    seller = make_account()
    orders = [harness.place_command(seller, SELL, 1, 1_000 + n) for n in range(3)]
    poison = msgspec.structs.replace(orders[2], command_id=new_uuid().bytes, side=7)
    harness.send(*orders[:2], poison, orders[2])
    harness.turn()
    assert Order.objects.count() == 2
    harness.turn()

    assert [o.status for o in harness.answers(*orders)] == ["OPEN"] * 3
    assert harness.answers(poison)[0].code == "engine_error"
    check_all(harness.engine)


def test_what_expires_after_the_plan_lets_a_taker_reach_further(
    timed: Harness, clock: Clock
) -> None:
    buyer = make_account("PREFUNDED", name="B")
    fund(buyer, "USD", "100")
    near, far = make_account(name="N"), make_account(name="F")
    until = clock.now + SECOND
    asks = [
        timed.place_command(near, SELL, 1, 1_000, valid_until=until),
        timed.place_command(far, SELL, 1, 1_001),
    ]
    bid = timed.place_command(buyer, BUY, 1, 1_001)
    timed.send(*asks, bid)
    timed.turn()
    clock.now = until
    timed.turn()

    assert timed.answers(bid)[0].status == "FILLED"
    assert (stored(asks[0]).status, stored(asks[1]).status) == ("EXPIRED", "FILLED")
    check_all(timed.engine)


def test_a_batch_planned_on_one_that_failed_is_planned_anew(
    harness: Harness,
) -> None:
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "100")
    # The ask cannot be stored, so the bid that was planned to meet it meets nothing.
    ask = harness.place_command(seller, SELL, 1, 1_000, client_order_id="a\0b")
    other = harness.place_command(seller, SELL, 1, 2_000)
    bid = harness.place_command(buyer, BUY, 1, 1_000)
    harness.send(ask, other, bid)
    for _ in range(3):
        harness.turn()

    assert harness.answers(ask)[0].code == "engine_error"
    assert [o.status for o in harness.answers(other, bid)] == ["OPEN", "OPEN"]
    check_all(harness.engine)


def test_the_next_batch_begins_behind_the_commit_of_the_last(harness: Harness) -> None:
    seller = make_account()
    first = harness.place(seller, SELL, 1, 999)
    orders = [harness.place_command(seller, SELL, 1, 1_000 + n) for n in range(3)]
    harness.send(*orders)
    harness.turn()

    assert harness.engine.pipeline.has_begun
    row_id = LedgerAccount.objects.get(trading_account=seller, asset__code="ACME").id
    with psycopg.connect(database_dsn()) as service, pytest.raises(psycopg.errors.LockNotAvailable):
        service.execute(
            "SELECT 1 FROM ledger_ledgeraccount WHERE id = %s FOR NO KEY UPDATE NOWAIT", [row_id]
        )
    harness.turn()
    assert [o.status for o in harness.answers(*orders)] == ["OPEN"] * 3
    assert stored(first).status == "OPEN"
    check_all(harness.engine)


@contextmanager
def refusing_at_commit(client_order_id: str) -> Iterator[None]:
    """COMMIT fails, after everything was written, where there is an order of that id."""
    with connection.cursor() as cursor:
        cursor.execute(f"""
            CREATE FUNCTION refuse_bad() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'bad' USING ERRCODE = 'check_violation'; END $$;
            CREATE CONSTRAINT TRIGGER refuse_bad AFTER INSERT ON orders_order
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            WHEN (NEW.client_order_id = '{client_order_id}') EXECUTE FUNCTION refuse_bad()
        """)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER refuse_bad ON orders_order; DROP FUNCTION refuse_bad()")


def test_a_commit_that_fails_takes_the_batch_that_has_begun_behind_it_along(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "100")
    for account, side in ((buyer, BUY), (seller, SELL)):  # their ledger accounts are there
        harness.cancel(account, harness.place(account, side, 1, 1_000).command_id)
    with refusing_at_commit("bad"):
        ask = harness.place_command(seller, SELL, 1, 1_000)
        bad = harness.place_command(seller, SELL, 1, 1_001, client_order_id="bad")
        bid = harness.place_command(buyer, BUY, 2, 1_001)
        harness.send(ask, bad, bid)
        harness.turn()
        assert "a batch of 2 failed" in caplog.text
        assert bid.command_id not in harness.outcomes
        harness.turn()

    outcomes = harness.answers(ask, bad, bid)
    assert outcomes[0].status == "OPEN"
    assert outcomes[1].code == "engine_error"
    assert (outcomes[2].status, outcomes[2].filled_lots) == ("PARTIALLY_FILLED", 1)
    check_all(harness.engine)


def test_a_reset_that_follows_leaves_no_answer_behind(harness: Harness) -> None:
    seller = make_account()
    orders = [harness.place_command(seller, SELL, 1, 1_000 + n) for n in range(2)]
    reset = ResetVenue(new_uuid().bytes, REPLY_TO)
    harness.send(*orders, reset)
    harness.turn()
    harness.turn()

    assert [o.status for o in harness.answers(*orders)] == ["OPEN", "OPEN"]
    assert harness.answers(reset)[0].result == "done"
    assert not Order.objects.exists()


def test_a_reset_that_is_sent_again_is_answered_at_once(harness: Harness) -> None:
    seller = make_account()
    reset = ResetVenue(new_uuid().bytes, REPLY_TO)
    harness.carry_out(reset)
    harness.outcomes.clear()
    orders = [harness.place_command(seller, SELL, 1, 1_000 + n) for n in range(2)]
    harness.send(*orders, reset)
    harness.turn()
    harness.turn()

    assert [o.status for o in harness.answers(*orders)] == ["OPEN", "OPEN"]
    assert harness.answers(reset)[0].result == "done"
    assert Order.objects.count() == 2


def test_what_is_committed_is_told_though_the_batch_read_ahead_is_lost(harness: Harness) -> None:
    seller = make_account()
    orders = [harness.place_command(seller, SELL, 1, 1_000 + n) for n in range(3)]
    harness.send(*orders)
    harness.turn()
    harness.client.flushdb()
    harness.engine.pipeline._drop_following()  # as after an error of Valkey
    harness.turn()

    assert [o.status for o in harness.answers(*orders[:2])] == ["OPEN", "OPEN"]
    assert Order.objects.count() == 2
    check_all(harness.engine)


def test_what_is_committed_is_told_while_the_next_batch_waits_for_an_account_that_is_being_made(
    harness: Harness,
) -> None:
    seller, newcomer = make_account(name="S"), make_account(name="N")
    orders = [harness.place_command(seller, SELL, 1, 1_000 + n) for n in range(2)]
    late = harness.place_command(newcomer, SELL, 1, 1_000)
    harness.send(*orders, late)
    harness.turn()
    with psycopg.connect(database_dsn()) as service:
        service.execute(
            "INSERT INTO ledger_ledgeraccount (trading_account_id, asset_id, kind)"
            " VALUES (%s, %s, 'SECURITY')",
            [newcomer.id, harness.instrument.base_asset_id],
        )
        engine = threading.Thread(target=harness.engine.turn)
        engine.start()
        outcomes = harness.answers(*orders)
        assert engine.is_alive()
        service.rollback()
        engine.join()

    assert [o.status for o in (*outcomes, *harness.answers(late))] == ["OPEN"] * 3
    check_all(harness.engine)


def test_rows_are_locked_for_only_one_wait_for_a_silent_valkey(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    seller = make_account()
    orders = [harness.place_command(seller, SELL, 1, 1_000 + n) for n in range(6)]
    harness.send(*orders)
    harness.turn()
    assert harness.engine.pipeline.has_begun
    harness.client.client_pause(2_500)
    harness.engine.turn()

    assert caplog.text.count("cannot be read ahead") == 1
    assert "answers of a batch not published" in caplog.text
    assert Order.objects.count() == 4
    assert not harness.engine.pipeline.has_begun
    while Order.objects.count() < 6:
        harness.turn()
    assert [o.status for o in harness.answers(*orders[4:])] == ["OPEN"] * 2
    check_all(harness.engine)
