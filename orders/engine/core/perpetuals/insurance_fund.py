"""How the insurance fund gets rid of the positions that it took over. Pure.

It closes on the book what the book takes at the mark or better, so that it never loses by it.
"""

from orders.commands import ReduceFund
from orders.engine.core.batch import BatchChanges, BatchContext
from orders.engine.core.lifecycle import OrderLifecycle
from orders.engine.core.perpetuals.forced import ForcedTrading
from orders.engine.core.state import ShardState
from orders.types import Result


def reduce_fund(
    command: ReduceFund,
    state: ShardState,
    context: BatchContext,
    changes: BatchChanges,
    orders: OrderLifecycle,
) -> Result:
    """Close as much of the fund's position as is offered at the mark or better.

    Raises:
        LockPlanMiss: it meets an order whose collateral is not locked.
    """
    rules = state.instruments.get(command.instrument_id)
    if rules is None or rules.perpetual is None:
        return Result.UNKNOWN_INSTRUMENT
    owner = (command.fund_account_id, rules.quote_asset_id)
    position = state.positions.find(owner, rules.instrument_id)
    if position is None or not position.quantity or owner not in context.margin_rows:
        return Result.NOT_NEEDED
    mark = state.positions.marks[rules.instrument_id]
    if rules.perpetual.is_stale(mark, changes.batch_time):
        return Result.MARK_PRICE_STALE
    if not rules.is_trading:
        return Result.INSTRUMENT_NOT_TRADING
    trading = ForcedTrading(state, context, changes, orders)
    book, is_done = state.matcher.books[rules.instrument_id], False
    while position.quantity:
        probe = trading.closing_order(position, abs(position.quantity), mark.price)
        offered = sum(order.remaining for order, _price in book.crossed(probe))
        lots = min(abs(position.quantity), offered)
        if not lots:
            break
        order = trading.closing_order(position, lots, mark.price)
        if not orders.cancel_unable_makers(order):
            trading.match(order)
            is_done = True
    return Result.DONE if is_done else Result.NOT_NEEDED
