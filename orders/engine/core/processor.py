"""Runs the commands of a batch in memory: commands in, changes and answers out. Pure.

No clock and no I/O: the batch time, the loaded rows and the age of each command are inputs, so the
same batch on the same state gives the same changes, byte for byte.
"""

from collections.abc import Callable

from orders.commands import ENGINE_ERROR, ErrorOutcome
from orders.engine.core.batch import Batch, BatchChanges, Received
from orders.engine.core.handlers.registry import HANDLERS
from orders.engine.core.lifecycle import close_order
from orders.engine.core.state import LiveOrder
from orders.types import Reason

# Commands of a long batch that are executed before what they did is handed on; fewer at first,
# since PostgreSQL has nothing to write until then.
PART = 300
FIRST_PART = 50


def run_batch(
    batch: Batch,
    received: list[Received],
    expired: list[LiveOrder],
    waited_ms: int = 0,
    *,
    after_part: Callable[[], None],
) -> None:
    """Close what has expired, then execute the commands in their order.

    `waited_ms`: how much older the commands have become since they were read. `after_part` is
    called after each part of a long batch, except the last.

    Raises:
        LockPlanMiss: the batch needs a row that was not locked; the state must be rebuilt.
    """
    for order in expired:
        close_order(order, "EXPIRED", Reason.VALID_UNTIL_PASSED.value, batch)
    part_end = FIRST_PART
    for index, item in enumerate(received):
        if index == part_end:
            after_part()
            part_end += PART
        command = item.command
        HANDLERS[command.__class__].execute(command, item.age_ms + waited_ms, batch)


def refuse(received: Received, changes: BatchChanges, code: str = ENGINE_ERROR) -> None:
    """Answer a command that cannot be executed; nothing of it is written."""
    command = received.command
    changes.answer(command.reply_to, ErrorOutcome(command.command_id, code))
