"""Matches an order with its book, and rests what is left. Pure."""

from orders.commands import PlaceOrder
from orders.engine.core.batch import Batch, TradeRow
from orders.engine.core.handlers.orders import OrderHandler
from orders.engine.core.lifecycle import fill_maker, queue_trade_webhooks
from orders.engine.core.lock_plan import LockPlanner
from orders.engine.core.risk import Refusal
from orders.engine.core.state import LiveOrder, ShardState
from orders.matching.types import OrderType
from orders.types import Reason


class PlaceOrderHandler(OrderHandler[PlaceOrder]):
    """An order needs what it pays with, and if it can trade, both balances and those of makers."""

    def _plan_trade(self, command: PlaceOrder, planner: LockPlanner) -> None:
        planner.add_arriving(command)

    def _check(self, order: LiveOrder, batch: Batch) -> Refusal | None:
        return order.instrument.kind.check(order, batch)

    def _fill(self, order: LiveOrder, command: PlaceOrder, batch: Batch) -> list[TradeRow]:
        state, changes, rules = batch.state, batch.changes, order.instrument
        instrument_id, kind = rules.instrument_id, rules.kind
        kind.accept(order, batch)
        settle = kind.settle
        trades = []
        for execution in state.matcher.place(instrument_id, order):
            trade = settle(order, execution, batch)
            trades.append(trade)
            fill_maker(execution.maker, execution.maker_remaining, batch)  # type: ignore[arg-type]
            queue_trade_webhooks(
                trade, order, execution.maker_remaining, execution.taker_remaining, batch
            )
        if trades:
            kind.shrink_hold(order, batch)
            _note_last_price(instrument_id, trades, state)
            changes.touched_instruments.add(instrument_id)
        if order.is_resting:
            order.status = "PARTIALLY_FILLED" if trades else "OPEN"
            state.live_orders[order.id_bytes] = order
            changes.touched_instruments.add(instrument_id)
        elif order.remaining:
            order.status, order.reason = "CANCELED", _why_not_rested(order).value
            kind.close(order, batch)
        else:
            order.status = "FILLED"
        return trades


def _note_last_price(instrument_id: int, trades: list[TradeRow], state: ShardState) -> None:
    """The price that bands lie around; an account's trade with itself makes none."""
    for trade in reversed(trades):
        if trade.buy.account_id != trade.sell.account_id:
            state.last_prices[instrument_id] = trade.price
            return


def _why_not_rested(order: LiveOrder) -> Reason:
    """Why the rest of an order ends: a limit may have had orders beyond it, a market order none."""
    is_market = order.order_type == OrderType.MARKET
    return Reason.NO_LIQUIDITY if is_market else Reason.IMMEDIATE_OR_CANCEL
