"""What a batch needs before it runs, from the handlers of its commands. Pure."""

from orders.engine.core.batch import Received
from orders.engine.core.handlers.registry import HANDLERS
from orders.engine.core.lock_plan import LockPlan, LockPlanner
from orders.engine.core.state import LiveOrder, ShardState


def plan_locks(
    state: ShardState, received: list[Received], due: list[LiveOrder], extra_owners: set[int]
) -> LockPlan:
    """Collect what the batch can touch.

    `due`: orders that are still in their books and expire first; `extra_owners`: those that an
    earlier try ran into.
    """
    planner = LockPlanner(state, extra_owners)
    for item in received:
        command = item.command
        HANDLERS[command.__class__].plan_locks(command, planner)
    return planner.finish(due)


def books_touched(received: list[Received], state: ShardState) -> set[int]:
    """The books that these commands may change."""
    books: set[int] = set()
    for item in received:
        command = item.command
        HANDLERS[command.__class__].add_books(command, state, books)
    return books


def unknown_instruments(received: list[Received], state: ShardState) -> set[int]:
    """The instruments that these commands name and that were listed since."""
    known, unknown = state.instruments, set()
    for item in received:
        command = item.command
        instrument_id = HANDLERS[command.__class__].instrument_of(command)
        if instrument_id is not None and instrument_id not in known:
            unknown.add(instrument_id)
    return unknown


def runs_alone(received: Received) -> bool:
    """Whether a command is no part of a batch, but is executed between two."""
    return HANDLERS[received.command.__class__].runs_alone
