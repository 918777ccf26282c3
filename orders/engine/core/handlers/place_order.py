"""Matches an order with its book, and rests what is left. Pure."""

from orders.calculations import collar_bound
from orders.commands import PlaceOrder
from orders.engine.core.batch import Batch, BatchChanges, TradeRow
from orders.engine.core.handlers.orders import OrderHandler
from orders.engine.core.lifecycle import (
    cancel_stopped_makers,
    fill_maker,
    queue_trade_webhooks,
)
from orders.engine.core.lock_plan import LockPlanner
from orders.engine.core.perpetuals.margin_checks import (
    cancel_undercollateralized_makers,
    check_perpetual,
)
from orders.engine.core.perpetuals.settlement import count_closed, count_open, settle_perpetual
from orders.engine.core.risk import Refusal, check_instrument, check_limits, check_money
from orders.engine.core.settlement import settle, shrink_taker_hold, take_hold
from orders.engine.core.state import LiveOrder, ShardState
from orders.matching.types import OrderType, Side
from orders.types import Reason


class PlaceOrderHandler(OrderHandler[PlaceOrder]):
    """An order needs what it pays with, and if it can trade, both balances and those of makers."""

    def _plan_trade(self, command: PlaceOrder, planner: LockPlanner) -> None:
        planner.add_arriving(command)

    def _store(self, order: LiveOrder, changes: BatchChanges) -> None:
        changes.new_orders.append(order)

    def _check(self, order: LiveOrder, batch: Batch) -> Refusal | None:
        if order.instrument.is_perpetual:
            return check_perpetual(order, batch)
        last_price = batch.state.last_prices.get(order.instrument.instrument_id)
        refusal = check_instrument(order) or check_limits(order, last_price)
        if refusal is not None:
            return refusal
        if order.order_type == OrderType.MARKET and order.instrument.collar_rate is not None:
            _set_collar(order, batch.state)
        cancel_stopped_makers(order, batch)
        return check_money(order, batch)

    def _fill(self, order: LiveOrder, command: PlaceOrder, batch: Batch) -> list[TradeRow]:
        state, changes, rules = batch.state, batch.changes, order.instrument
        instrument_id = rules.instrument_id
        settle_one = settle
        if rules.is_perpetual:
            cancel_undercollateralized_makers(order, batch)
            count_open(order, batch)
            settle_one = settle_perpetual
        elif order.may_rest:
            take_hold(order, batch)
        trades = []
        for execution in state.matcher.place(instrument_id, order):
            trade = settle_one(order, execution, batch)
            trades.append(trade)
            fill_maker(execution.maker, execution.maker_remaining, batch)  # type: ignore[arg-type]
            queue_trade_webhooks(
                trade, order, execution.maker_remaining, execution.taker_remaining, batch
            )
        if trades:
            shrink_taker_hold(order, batch)
            _note_last_price(instrument_id, trades, state)
            changes.touched_instruments.add(instrument_id)
        if order.is_resting:
            order.status = "PARTIALLY_FILLED" if trades else "OPEN"
            state.live_orders[order.id_bytes] = order
            changes.touched_instruments.add(instrument_id)
        elif order.remaining:
            order.status, order.reason = "CANCELED", Reason.NO_LIQUIDITY.value
            if rules.is_perpetual:
                count_closed(order, batch)
        else:
            order.status = "FILLED"
        return trades


def _note_last_price(instrument_id: int, trades: list[TradeRow], state: ShardState) -> None:
    """The price that bands lie around; an account's trade with itself makes none."""
    for trade in reversed(trades):
        if trade.buy.account_id != trade.sell.account_id:
            state.last_prices[instrument_id] = trade.price
            return


def _set_collar(order: LiveOrder, state: ShardState) -> None:
    """Bound a market order to the collar around the best price of the other side."""
    rules = order.instrument
    book = state.matcher.books[rules.instrument_id]
    is_buy = order.side == Side.BUY
    best = book.best_ask if is_buy else book.best_bid
    if best is not None and rules.collar_rate is not None:
        order.price = collar_bound(best, rules.collar_rate, is_buy)
