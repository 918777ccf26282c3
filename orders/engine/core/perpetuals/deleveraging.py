"""Who gives up a position when the insurance fund cannot take one over. Pure.

By profit × leverage, the highest first (`margin.calculations.deleverage_score`).
"""

from margin.calculations import deleverage_score
from orders.engine.core.batch import Batch, LockPlanMiss
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.positions import LivePosition


def deleverage_queue(rules: InstrumentRules, *, is_long: bool, batch: Batch) -> list[LivePosition]:
    """The positions of one side, the highest gain by leverage first.

    The rank is kept for the batch, until somebody trades. What liquidations close keeps its place;
    the caller skips what is flat.

    Raises:
        LockPlanMiss: the collateral of some is not locked; it names all of them.
    """
    mark = batch.state.positions.mark_of(rules).price
    key = (rules.instrument_id, is_long, mark, batch.changes.ordered_trade_count)
    queue = batch.deleverage_ranks.get(key)
    if queue is None:
        queue = batch.deleverage_ranks[key] = _rank(rules, is_long, mark, batch)
    return queue


def _rank(rules: InstrumentRules, is_long: bool, mark: int, batch: Batch) -> list[LivePosition]:
    side = [
        position
        for position in batch.state.positions.of_instrument(rules.instrument_id)
        if (position.quantity > 0 if is_long else position.quantity < 0)
    ]
    locked = batch.context.margin_rows
    missing = [position.account_id for position in side if position.owner not in locked]
    if missing:
        raise LockPlanMiss(*missing)

    def rank(position: LivePosition) -> tuple[object, int]:
        margin = batch.margin_of(position.owner)
        return -deleverage_score(margin, position.exposure(mark)), position.account_id

    return sorted(side, key=rank)
