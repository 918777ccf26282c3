"""Sets the mark price of a perpetual. Pure."""

from orders.commands import SetMarkPrice
from orders.engine.core.batch import Batch
from orders.engine.core.handlers.base import Handled, ResultHandler
from orders.engine.core.lock_plan import LockPlanner
from orders.engine.core.perpetuals.marks import set_mark
from orders.engine.core.state import ShardState


class SetMarkPriceHandler(ResultHandler[SetMarkPrice]):
    """A mark needs the rules of its instrument, and is shown with the book."""

    def instrument_of(self, command: SetMarkPrice) -> int:
        return command.instrument_id

    def plan_locks(self, command: SetMarkPrice, planner: LockPlanner) -> None:
        super().plan_locks(command, planner)
        if command.instrument_id in planner.state.instruments:
            planner.plan.instruments.add(command.instrument_id)

    def add_books(self, command: SetMarkPrice, state: ShardState, books: set[int]) -> None:
        books.add(command.instrument_id)

    def run(self, command: SetMarkPrice, batch: Batch) -> Handled:
        return set_mark(command, batch)
