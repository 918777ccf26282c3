"""Fixes the funding of a perpetual. Pure."""

from orders.commands import FixFunding
from orders.engine.core.batch import Batch
from orders.engine.core.handlers.base import Handled, ResultHandler
from orders.engine.core.lock_plan import LockPlanner
from orders.engine.core.perpetuals.funding import fix_funding


class FixFundingHandler(ResultHandler[FixFunding]):
    """A funding needs to know until when its instrument is funded; it changes no book."""

    def instrument_of(self, command: FixFunding) -> int:
        return command.instrument_id

    def plan_locks(self, command: FixFunding, planner: LockPlanner) -> None:
        super().plan_locks(command, planner)
        if command.instrument_id in planner.state.instruments:
            planner.plan.instruments.add(command.instrument_id)
            planner.plan.funded.add(command.instrument_id)

    def run(self, command: FixFunding, batch: Batch) -> Handled:
        return fix_funding(command, batch), None
