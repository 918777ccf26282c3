"""Liquidates an account. Pure."""

from orders.commands import LiquidateAccount
from orders.engine.core.batch import Batch
from orders.engine.core.handlers.base import Handled, ResultHandler
from orders.engine.core.lock_plan import LockPlanner
from orders.engine.core.perpetuals.liquidation import liquidate
from orders.engine.core.state import ShardState


class LiquidateAccountHandler(ResultHandler[LiquidateAccount]):
    """A liquidation needs the collateral of the account, of the insurance fund, and of whoever
    has orders that it may meet."""

    def plan_locks(self, command: LiquidateAccount, planner: LockPlanner) -> None:
        super().plan_locks(command, planner)
        plan, state = planner.plan, planner.state
        account_id, asset_id = command.account_id, command.asset_id
        owner, fund = (account_id, asset_id), (command.fund_account_id, asset_id)
        plan.accounts.add(account_id)
        plan.margin_rows |= {owner, fund}
        plan.funds.add(fund)
        trading = set(planner.extra_owners)
        for position in state.positions.of_owner(owner):
            planner.add_instrument(position.instrument)
            trading |= planner.owners_met(position)
        plan.accounts |= trading
        plan.margin_rows |= {(other_id, asset_id) for other_id in trading}
        plan.margin_takers |= {account_id, command.fund_account_id} | trading

    def add_books(self, command: LiquidateAccount, state: ShardState, books: set[int]) -> None:
        owner = (command.account_id, command.asset_id)
        books.update(state.positions.by_owner.get(owner, ()))

    def run(self, command: LiquidateAccount, batch: Batch) -> Handled:
        return liquidate(command, batch), None
