"""Who gives up a position when the insurance fund cannot take one over. Pure.

By profit × leverage, the highest first (`margin.calculations.deleverage_score`).
"""

from margin.calculations import deleverage_score, margin_state
from orders.engine.core.batch import BatchChanges, BatchContext, LockPlanMiss
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.perpetuals.positions import LivePosition
from orders.engine.core.state import ShardState
from orders.types import DEALER


class DeleverageQueue:
    """The two sides of each perpetual, ranked anew when somebody has traded meanwhile.

    What liquidations close keeps its place; whoever walks through skips what is flat.
    """

    def __init__(self, state: ShardState, context: BatchContext, changes: BatchChanges) -> None:
        self._state = state
        self._context = context
        self._changes = changes
        self._ranked: dict[tuple[int, ...], list[LivePosition]] = {}

    def ranked(self, rules: InstrumentRules, *, is_long: bool) -> list[LivePosition]:
        """The positions of one side, who gains most by leverage first.

        Raises:
            LockPlanMiss: the collateral of some is not locked; it names all of them.
        """
        mark = self._state.positions.marks[rules.instrument_id].price
        trades = len(self._changes.trades) + len(self._changes.other_trades.get(DEALER, ()))
        key = (rules.instrument_id, is_long, mark, trades)
        if key not in self._ranked:
            self._ranked[key] = self._rank(rules, is_long, mark)
        return self._ranked[key]

    def _rank(self, rules: InstrumentRules, is_long: bool, mark: int) -> list[LivePosition]:
        positions, rows = self._state.positions, self._context.margin_rows
        side = [
            position
            for position in positions.of_instrument(rules.instrument_id)
            if (position.quantity > 0 if is_long else position.quantity < 0)
        ]
        missing = [position.account_id for position in side if position.owner not in rows]
        if missing:
            raise LockPlanMiss(*missing)

        def rank(position: LivePosition) -> tuple[object, int]:
            collateral = rows[position.owner].posted
            margin = margin_state(collateral, positions.exposures(position.owner))
            return -deleverage_score(margin, position.exposure(mark)), position.account_id

        return sorted(side, key=rank)
