"""Fills an order for a perpetual at the mark, on the dealer's account. Pure."""

from orders.commands import DealPerpetual
from orders.engine.core.batch import Batch, TradeRow
from orders.engine.core.handlers.place_order import OrderHandler
from orders.engine.core.lifecycle import queue_trade_webhook
from orders.engine.core.lock_plan import LockPlanner
from orders.engine.core.perpetuals.margin_checks import check_deal
from orders.engine.core.perpetuals.off_book import dealer_leg
from orders.engine.core.perpetuals.settlement import settle_deal
from orders.engine.core.risk import Refusal
from orders.engine.core.state import LiveOrder
from orders.types import DEALER


class DealPerpetualHandler(OrderHandler[DealPerpetual]):
    """A dealer trade needs both collaterals, and no book."""

    venue = DEALER

    def _plan_trade(self, command: DealPerpetual, planner: LockPlanner) -> None:
        plan, rules = planner.plan, planner.state.instruments[command.instrument_id]
        if rules.perpetual is None:
            return
        planner.add_instrument(rules)
        plan.margin_takers.add(command.account_id)
        for account_id in (command.account_id, command.dealer_account_id):
            plan.margin_rows.add((account_id, rules.quote_asset_id))

    def _can_be_stored(self, command: DealPerpetual, batch: Batch) -> bool:
        if not super()._can_be_stored(command, batch):
            return False
        return batch.state.instruments[command.instrument_id].perpetual is not None

    def _check(self, order: LiveOrder, batch: Batch) -> Refusal | None:
        return check_deal(order, batch)

    def _fill(self, order: LiveOrder, command: DealPerpetual, batch: Batch) -> list[TradeRow]:
        trade = settle_deal(order, dealer_leg(order, command), batch)
        order.status = "FILLED"
        _note_result(trade, order, batch)
        queue_trade_webhook(trade, order, 0, batch)
        return [trade]


def _note_result(trade: TradeRow, order: LiveOrder, batch: Batch) -> None:
    """Remember what the account has right after a deal, for the same request again."""
    rules = order.instrument
    owner = (order.account_id, rules.quote_asset_id)
    position = batch.state.positions.find(owner, rules.instrument_id)
    assert position is not None, "the deal has made it"
    collateral = batch.context.margin_row(*owner).posted
    result = (trade.trade_id, collateral, position.quantity * rules.lot)
    batch.changes.deal_results.append(result)
