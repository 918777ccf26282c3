"""Orders for perpetuals: they reserve margin, and change positions. Pure."""

from collections.abc import Iterable

from orders.engine.core.batch import Batch, TradeRow
from orders.engine.core.instrument_kind import InstrumentKind
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.lock_plan import LockPlan
from orders.engine.core.perpetuals.margin_checks import (
    cancel_undercollateralized_makers,
    check_perpetual,
)
from orders.engine.core.perpetuals.settlement import (
    add_open_order,
    remove_open_order,
    settle_perpetual,
)
from orders.engine.core.risk import Refusal
from orders.engine.core.state import LiveOrder
from orders.matching.types import Execution


class PerpetualKind(InstrumentKind):
    """One collateral for each account and quote asset carries all its positions and open orders."""

    def check(self, order: LiveOrder, batch: Batch) -> Refusal | None:
        return check_perpetual(order, batch)

    def accept(self, order: LiveOrder, batch: Batch) -> None:
        cancel_undercollateralized_makers(order, batch)
        add_open_order(order, batch)

    def settle(self, taker: LiveOrder, execution: Execution, batch: Batch) -> TradeRow:
        return settle_perpetual(taker, execution, batch)

    def shrink_hold(self, taker: LiveOrder, batch: Batch) -> None:
        """Each execution has lowered what is reserved."""

    def close(self, order: LiveOrder, batch: Batch) -> None:
        remove_open_order(order, batch)

    def plan_venue(self, rules: InstrumentRules, plan: LockPlan) -> None:
        plan.fee_assets.add(rules.quote_asset_id)
        plan.clearing_assets.add(rules.quote_asset_id)

    def plan_takers(self, account_ids: Iterable[int], plan: LockPlan) -> None:
        plan.margin_takers.update(account_ids)

    def plan_paying(
        self, account_id: int, side: int, rules: InstrumentRules, plan: LockPlan
    ) -> None:
        plan.margin_rows.add((account_id, rules.quote_asset_id))

    def plan_trading(self, account_id: int, rules: InstrumentRules, plan: LockPlan) -> None:
        plan.margin_rows.add((account_id, rules.quote_asset_id))

    def plan_closing(self, order: LiveOrder, plan: LockPlan) -> None:
        plan.margin_rows.add((order.account_id, order.instrument.quote_asset_id))


PERPETUAL = PerpetualKind()
