"""Cancels an order for whoever it belongs to. Pure."""

from orders.commands import CancelOrder
from orders.engine.core.batch import Batch
from orders.engine.core.handlers.base import Handled, ResultHandler
from orders.engine.core.lifecycle import cancel_order, find_order
from orders.engine.core.lock_plan import LockPlanner
from orders.engine.core.state import ShardState
from orders.types import Reason, Result


class CancelOrderHandler(ResultHandler[CancelOrder]):
    """A cancel needs what its order holds from; the owner of a closed one is looked up."""

    def plan_locks(self, command: CancelOrder, planner: LockPlanner) -> None:
        super().plan_locks(command, planner)
        order = planner.state.live_orders.get(command.order_id)
        if order is None:
            planner.plan.closed_orders.append(command.order_id)
        else:
            planner.closing.append(order)

    def add_books(self, command: CancelOrder, state: ShardState, books: set[int]) -> None:
        order = state.live_orders.get(command.order_id)
        if order is not None:
            books.add(order.instrument.instrument_id)

    def run(self, command: CancelOrder, batch: Batch) -> Handled:
        return _cancel(command, batch), None


def _cancel(command: CancelOrder, batch: Batch) -> Result:
    order = find_order(command.order_id, batch)
    if order is not None:
        owner = (order.broker_id, order.account_id)
    else:
        stored = batch.context.closed_orders.get(command.order_id)
        if stored is None:
            return Result.UNKNOWN_ORDER
        owner = stored
    broker_id, account_id = owner
    if broker_id != command.broker_id or command.account_id not in (None, account_id):
        return Result.FORBIDDEN
    if order is None or not order.is_resting:
        return Result.NOT_OPEN
    cancel_order(order, Reason(command.reason), batch)
    return Result.CANCELED
