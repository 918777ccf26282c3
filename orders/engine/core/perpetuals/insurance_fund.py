"""How the insurance fund gets rid of the positions that it took over. Pure.

It closes on the book what the book takes at the mark or better, so that it never loses by it.
"""

from orders.commands import ReduceFund
from orders.engine.core.batch import Batch
from orders.engine.core.perpetuals.margin_checks import cancel_undercollateralized_makers
from orders.engine.core.perpetuals.off_book import closing_order, match_closing_order
from orders.types import Result


def reduce_fund(command: ReduceFund, batch: Batch) -> Result:
    """Close as much of the fund's position as is offered at the mark or better.

    Raises:
        LockPlanMiss: it meets an order whose collateral is not locked.
    """
    state = batch.state
    rules = state.instruments.get(command.instrument_id)
    if rules is None or rules.perpetual is None:
        return Result.UNKNOWN_INSTRUMENT
    owner = (command.fund_account_id, rules.quote_asset_id)
    position = state.positions.find(owner, rules.instrument_id)
    if position is None or not position.quantity or owner not in batch.context.margin_rows:
        return Result.NOT_NEEDED
    mark = state.positions.mark_of(rules)
    if rules.perpetual.is_stale(mark, batch.changes.batch_time):
        return Result.MARK_PRICE_STALE
    if not rules.is_trading:
        return Result.INSTRUMENT_NOT_TRADING
    book, is_done = state.matcher.books[rules.instrument_id], False
    while position.quantity:
        probe = closing_order(position, abs(position.quantity), mark.price, batch)
        offered = sum(order.remaining for order, _price in book.crossed(probe))
        lots = min(abs(position.quantity), offered)
        if not lots:
            break
        order = closing_order(position, lots, mark.price, batch)
        if not cancel_undercollateralized_makers(order, batch):
            match_closing_order(order, batch)
            is_done = True
    return Result.DONE if is_done else Result.NOT_NEEDED
