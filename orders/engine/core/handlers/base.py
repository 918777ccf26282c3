"""What a handler of commands is. Pure."""

from typing import Generic, TypeAlias, TypeVar

from orders.commands import Command, CommandOutcome, kind_of
from orders.engine.core.batch import Batch
from orders.engine.core.lock_plan import LockPlanner
from orders.engine.core.state import ShardState
from orders.types import RETRYABLE_RESULTS, Result

C = TypeVar("C", bound=Command)

# What became of a command, and what its refusal was about, in units.
Handled: TypeAlias = tuple[Result, dict[str, int] | None]


class Handler(Generic[C]):
    """What the engine knows of a kind of command: what it needs, may change and does.

    Handlers keep no state: one serves all batches.
    """

    # Whether it is no part of a batch: the pipeline executes it between two.
    runs_alone = False

    def instrument_of(self, command: C) -> int | None:
        """The instrument that must be known, if any: it is loaded if it was listed since."""
        return None

    def plan_locks(self, command: C, planner: LockPlanner) -> None:
        """Add to the plan what the command can touch."""
        raise NotImplementedError

    def add_books(self, command: C, state: ShardState, books: set[int]) -> None:
        """Add the books that the command may change; none, unless it is overridden."""

    def execute(self, command: C, age_ms: int, batch: Batch) -> None:
        """Run the command in memory, and queue its answer.

        Raises:
            LockPlanMiss: it needs a row that was not locked; the state must be rebuilt.
        """
        raise NotImplementedError


class ResultHandler(Handler[C]):
    """Of a command that is no order: its result is stored, and repeated to whoever repeats it."""

    def plan_locks(self, command: C, planner: LockPlanner) -> None:
        planner.plan.commands.append(command.command_id)

    def execute(self, command: C, age_ms: int, batch: Batch) -> None:
        known, facts = batch.context.known_commands, None
        result = known.get(command.command_id)
        if result is None:
            outcome, facts = self.run(command, batch)
            result = outcome.value
            if outcome not in RETRYABLE_RESULTS:
                known[command.command_id] = result
                batch.changes.commands.append((command.command_id, kind_of(command), result))
        batch.changes.answer(command.reply_to, CommandOutcome(command.command_id, result, facts))

    def run(self, command: C, batch: Batch) -> Handled:
        """Do what the command asks for. Raises as `execute` does."""
        raise NotImplementedError
