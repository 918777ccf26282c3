"""Each command has a handler, and what the handlers say of what commands need and change."""

from typing import get_args

import pytest

from orders.commands import (
    AnyCommand,
    CancelOrder,
    Command,
    DealPerpetual,
    ExpireDue,
    FixFunding,
    LiquidateAccount,
    PlaceOrder,
    ReduceFund,
    ResetVenue,
    SetMarkPrice,
    kind_of,
)
from orders.engine.core.batch import Received
from orders.engine.core.handlers.base import Handler
from orders.engine.core.handlers.registry import HANDLERS
from orders.engine.core.planning import (
    books_touched,
    plan_locks,
    runs_alone,
    unknown_instruments,
)
from orders.engine.core.state import ShardState

ID = bytes(15) + b"\x01"
_ORDER = (ID, "web", 5, bytes(16), 7, 1, 1, 1, 100, 3, None, "mine", 1_000)

COMMANDS = [
    (PlaceOrder(*_ORDER, request_key=b"k", request_fingerprint=b"f"), "place", {7}, {7}),
    (DealPerpetual(*_ORDER, dealer_account_id=6, dealer_broker_id=bytes(16)), "deal.2", {7}, {7}),
    (CancelOrder(ID, "web", ID, bytes(16), None), "cancel", set(), set()),
    (SetMarkPrice(ID, "web", 7, 100, "staff", 1, "staff", False), "mark", {7}, {7}),
    (LiquidateAccount(ID, "web", 5, 2, 6, "staff"), "liquidate", set(), set()),
    (ReduceFund(ID, "web", 7, 6), "reduce-fund", set(), set()),
    (FixFunding(ID, "web", 7, 1, 1, 1), "funding", {7}, set()),
    (ExpireDue(ID, "web"), "expire", set(), set()),
    (ResetVenue(ID, "web"), "reset", set(), set()),
]


def test_every_command_has_one_handler() -> None:
    assert set(get_args(AnyCommand)) == set(HANDLERS) == {type(c) for c, *_ in COMMANDS}


def test_no_handler_leaves_out_what_it_must_do() -> None:
    for command_type, handler in HANDLERS.items():
        if handler.runs_alone:
            assert command_type is ResetVenue
            continue
        for name in ("plan_locks", "execute"):
            assert getattr(type(handler), name) is not getattr(Handler, name), command_type


@pytest.mark.parametrize(("command", "kind", "instruments", "books"), COMMANDS)
def test_what_a_command_needs_where_the_shard_knows_nothing(
    command: Command, kind: str, instruments: set[int], books: set[int]
) -> None:
    """Nothing is planned for an instrument that is not known: it may be of another shard."""
    received, state = [Received("1-0", 0, command)], ShardState(0)  # type: ignore[arg-type]

    assert kind_of(command) == kind
    assert unknown_instruments(received, state) == instruments
    assert books_touched(received, state) == books
    assert runs_alone(received[0]) == isinstance(command, ResetVenue)
    if not runs_alone(received[0]):
        plan = plan_locks(state, received, [], set())
        assert (plan.instruments, plan.orders, plan.rows) == (set(), [], {})
        assert plan.commands == ([] if isinstance(command, PlaceOrder) else [ID])
        assert plan.closed_orders == ([ID] if isinstance(command, CancelOrder) else [])
        assert plan.margin_rows == (
            {(5, 2), (6, 2)} if isinstance(command, LiquidateAccount) else set()
        )
