"""Reduces what the insurance fund holds of a perpetual. Pure."""

from orders.commands import ReduceFund
from orders.engine.core.batch import Batch
from orders.engine.core.handlers.base import Handled, ResultHandler
from orders.engine.core.lock_plan import LockPlanner
from orders.engine.core.perpetuals.insurance_fund import reduce_fund
from orders.engine.core.state import ShardState


class ReduceFundHandler(ResultHandler[ReduceFund]):
    """It needs the collateral of the fund, and of those whose orders it may meet."""

    def plan_locks(self, command: ReduceFund, planner: LockPlanner) -> None:
        super().plan_locks(command, planner)
        plan, state = planner.plan, planner.state
        rules = state.instruments.get(command.instrument_id)
        if rules is None or rules.perpetual is None:
            return
        asset_id, fund_id = rules.quote_asset_id, command.fund_account_id
        position = state.positions.find((fund_id, asset_id), rules.instrument_id)
        if position is None or not position.quantity:
            return
        planner.add_instrument(rules)
        plan.funds.add((fund_id, asset_id))
        trading = {fund_id} | planner.extra_owners | planner.owners_met(position)
        plan.accounts |= trading
        plan.margin_rows |= {(account_id, asset_id) for account_id in trading}
        plan.margin_takers |= trading

    def add_books(self, command: ReduceFund, state: ShardState, books: set[int]) -> None:
        if command.instrument_id in state.instruments:
            books.add(command.instrument_id)

    def run(self, command: ReduceFund, batch: Batch) -> Handled:
        return reduce_fund(command, batch), None
