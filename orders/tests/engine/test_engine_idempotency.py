"""A command may arrive twice and acts once; who may cancel what, and what became of it."""

from uuid import UUID

import msgspec
import pytest
from django.conf import LazySettings

from orders.commands import CommandOutcome, DuplicateOutcome, ResetVenue
from orders.models import EngineCommand, Order, OrderKey, Trade
from orders.tests.engine.harness import (
    BUY,
    REPLY_TO,
    SELL,
    Harness,
    balance,
    change,
    fund,
    make_account,
    stored,
)
from orders.tests.engine.invariants import check_all

_replace = msgspec.structs.replace


# --- orders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrives", ["in one batch", "in two batches", "after a restart"])
def test_the_same_order_twice_is_one_order_and_one_trade(harness: Harness, arrives: str) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    harness.place(seller, SELL, 10, 1_000)
    order = harness.place_command(buyer, BUY, 4, 1_000)
    if arrives == "in one batch":
        harness.send(order)
    else:
        assert harness.carry_out(order)[0].status == "FILLED"
    if arrives == "after a restart":
        harness.restart()
    outcome = harness.carry_out(order)[0]

    assert outcome == DuplicateOutcome(order.command_id, order.command_id)
    assert Order.objects.filter(side="BUY").count() == 1
    assert Trade.objects.get().quantity == 4
    assert balance(buyer, "ACME") == (4, 0)
    check_all(harness.engine)


@pytest.mark.parametrize("arrives", ["in one batch", "in two batches", "after a restart"])
def test_the_same_client_order_id_is_the_first_order(harness: Harness, arrives: str) -> None:
    account, other = make_account(name="A"), make_account(name="O")
    first = harness.place_command(account, BUY, 4, 1_000, client_order_id="mine, {\"'\\}")
    second = harness.place_command(account, SELL, 9, 2_000, client_order_id="mine, {\"'\\}")
    others = harness.place_command(other, BUY, 1, 1_000, client_order_id="mine, {\"'\\}")
    if arrives == "in one batch":
        harness.send(first)
    else:
        harness.carry_out(first)
    if arrives == "after a restart":
        harness.restart()
    outcomes = harness.carry_out(second, others)

    assert outcomes[0] == DuplicateOutcome(second.command_id, first.command_id)
    assert outcomes[1].status == "OPEN"
    assert stored(first).client_order_id == "mine, {\"'\\}"
    assert set(OrderKey.objects.values_list("account_id", "order_id")) == {
        (account.id, UUID(bytes=first.command_id)),
        (other.id, UUID(bytes=others.command_id)),
    }
    check_all(harness.engine)


def test_a_refused_order_keeps_its_client_order_id(harness: Harness) -> None:
    account = make_account("PREFUNDED")
    first = harness.place(account, BUY, 4, 1_000, client_order_id="a")
    fund(account, "USD", "1000")
    again = harness.place(account, BUY, 4, 1_000, client_order_id="a")
    assert again == DuplicateOutcome(again.command_id, first.command_id)
    assert stored(first).status == "REJECTED"


def test_an_order_that_could_not_be_stored_may_be_sent_again(harness: Harness) -> None:
    account = make_account()
    order = harness.place_command(account, BUY, 4, 1_000, client_order_id="x" * 65)
    assert harness.carry_out(order)[0].code == "engine_error"
    assert harness.carry_out(_replace(order, client_order_id="x"))[0].status == "OPEN"


# --- cancels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrives", ["in one batch", "in two batches", "after a restart"])
def test_the_same_cancel_twice_has_one_result(harness: Harness, arrives: str) -> None:
    account = make_account("PREFUNDED")
    fund(account, "USD", "100")
    order = harness.place(account, BUY, 4, 1_000)
    cancel = harness.cancel_command(account, order.command_id)
    if arrives == "in one batch":
        harness.send(cancel)
    else:
        harness.carry_out(cancel)
    if arrives == "after a restart":
        harness.restart()

    assert harness.carry_out(cancel) == [CommandOutcome(cancel.command_id, "canceled")]
    assert EngineCommand.objects.get().result == "canceled"
    assert (stored(order).status, stored(order).reason) == ("CANCELED", "by_user")
    assert balance(account, "USD") == (100, 0)
    # Another cancel of the same order is a command of its own.
    assert harness.cancel(account, order.command_id) == "not_open"


def test_a_cancel_in_the_batch_of_its_order(harness: Harness) -> None:
    account, other = make_account("PREFUNDED", name="A"), make_account(name="O")
    fund(account, "USD", "100")
    order = harness.place_command(account, BUY, 4, 1_000)
    taker = harness.place_command(other, SELL, 1, 1_000)
    cancels = [harness.cancel_command(account, order.command_id) for _ in range(2)]
    foreign = harness.cancel_command(other, order.command_id)
    outcomes = harness.carry_out(order, taker, *cancels, foreign)

    assert [o.result for o in outcomes[2:]] == ["canceled", "not_open", "forbidden"]
    assert (stored(order).status, stored(order).filled_quantity) == ("CANCELED", 1)
    assert balance(account, "USD") == (90, 0)
    check_all(harness.engine)


def test_what_its_own_batch_closed_is_not_open(harness: Harness) -> None:
    """Filled, canceled or expired by what came before in the same batch."""
    account, other = make_account(name="A"), make_account(name="O")
    filled = harness.place(account, BUY, 1, 1_000)
    canceled = harness.place(account, BUY, 1, 900)
    expiring = harness.place(account, BUY, 1, 800, valid_until=harness.clock() + 30_000)
    harness.send(
        harness.place_command(other, SELL, 1, 1_000),
        harness.cancel_command(account, canceled.command_id),
    )
    while harness.clock() < expiring.created_at + 60_000:
        pass
    cancels = [
        harness.cancel_command(account, order.command_id) for order in (filled, canceled, expiring)
    ]
    outcomes = harness.carry_out(*cancels, harness.cancel_command(other, filled.command_id))
    assert [o.result for o in outcomes] == ["not_open", "not_open", "not_open", "forbidden"]
    assert [stored(o).status for o in (filled, canceled, expiring)] == [
        "FILLED",
        "CANCELED",
        "EXPIRED",
    ]


def test_a_cancel_that_overtakes_its_order_finds_none(harness: Harness) -> None:
    account = make_account()
    order = harness.place_command(account, BUY, 4, 1_000)
    cancel = harness.cancel_command(account, order.command_id)
    outcomes = harness.carry_out(cancel, order)
    assert (outcomes[0].result, outcomes[1].status) == ("unknown_order", "OPEN")
    # It stays the answer to that command, and a new one finds the order.
    assert harness.carry_out(cancel)[0].result == "unknown_order"
    assert harness.cancel(account, order.command_id) == "canceled"


def test_nobody_cancels_for_another(harness: Harness) -> None:
    account, other = make_account(name="A"), make_account(name="O")
    sibling = type(account).objects.create(
        broker=account.broker, document_number="2", funding=account.funding
    )
    order = harness.place(account, BUY, 4, 1_000)
    assert harness.cancel(other, order.command_id) == "forbidden"
    assert harness.cancel(account, order.command_id, account_id=sibling.id) == "forbidden"
    assert harness.cancel(sibling, b"\0" * 16) == "unknown_order"
    assert stored(order).status == "OPEN"
    # A key of the whole broker, and one that is bound to the account itself.
    assert harness.cancel(sibling, order.command_id) == "canceled"
    second = harness.place(account, BUY, 4, 1_000)
    assert harness.cancel(account, second.command_id, account_id=account.id) == "canceled"
    # Also of an order that is closed.
    assert harness.cancel(other, order.command_id) == "forbidden"
    assert harness.cancel(account, order.command_id, account_id=sibling.id) == "forbidden"


def test_market_orders_and_refused_ones_are_not_open(harness: Harness) -> None:
    account = make_account()
    market = harness.place(account, BUY, 1)
    change(harness.instrument, state="HALTED")
    refused = harness.place(account, BUY, 1, 1_000)
    assert (market.status, refused.status) == ("CANCELED", "REJECTED")
    for outcome in (market, refused):
        assert harness.cancel(account, outcome.command_id) == "not_open"


# --- reset ----------------------------------------------------------------------------------------


def test_a_reset_that_comes_twice_empties_once(harness: Harness, settings: LazySettings) -> None:
    settings.RESET_HOOK = ""
    account = make_account()
    before = harness.place_command(account, BUY, 4, 1_000)
    reset = ResetVenue(UUID(int=7).bytes, REPLY_TO)
    after = harness.place_command(account, BUY, 5, 1_000)
    outcomes = harness.carry_out(before, reset, after, reset)
    assert outcomes[1] == outcomes[3] == CommandOutcome(reset.command_id, "done")
    assert Order.objects.get().id == UUID(bytes=after.command_id)
    assert harness.carry_out(reset)[0].result == "done"
    assert Order.objects.count() == 1
    check_all(harness.engine)
