"""What orders and trades of perpetuals do to positions and collateral. Pure.

A trade's entry has the id of the trade: the profit or loss that each side realizes goes from the
clearing account to its collateral, fees from collateral to the fee account; no asset moves. So the
clearing account and the cost of all positions sum to zero.
"""

from ledger.batch import LedgerRow
from margin.calculations import apply_fill, loss_reserve
from orders.engine.core.batch import Batch, BatchChanges, TradeRow
from orders.engine.core.positions import LivePosition
from orders.engine.core.settlement import make_trade
from orders.engine.core.state import LiveOrder, ShardState
from orders.matching.types import Execution, Side
from orders.types import DEALER

_BUY = Side.BUY


def add_open_order(order: LiveOrder, batch: Batch) -> None:
    """Count an accepted order as open, with what it would lose by the present mark."""
    rules = order.instrument
    assert order.price is not None, "every order for a perpetual has a worst price"
    mark = batch.state.positions.mark_of(rules).price
    order.reserve_per_lot = loss_reserve(order.side == _BUY, order.price, mark, 1, rules.factor)
    _add_open(_position(order, batch.state), order, order.remaining, batch.changes)


def remove_open_order(order: LiveOrder, batch: Batch) -> None:
    """Count the rest of an order as open no more."""
    _add_open(_position(order, batch.state), order, -order.remaining, batch.changes)
    order.reserve_per_lot = 0


def settle_perpetual(taker: LiveOrder, execution: Execution, batch: Batch) -> TradeRow:
    """Book one execution of the book: fees, both positions, one entry, one trade."""
    trade = settle_match(taker, execution, batch)
    batch.changes.trades.append(trade)
    return trade


def settle_match(taker: LiveOrder, execution: Execution, batch: Batch) -> TradeRow:
    """As `settle_perpetual`; the caller keeps the trade."""
    trade = make_trade(taker, execution, batch.state, batch.changes.batch_time)
    for order in (trade.buy, trade.sell):
        _add_open(_position(order, batch.state), order, -trade.quantity, batch.changes)
    _settle_positions(trade, batch)
    return trade


def settle_deal(order: LiveOrder, dealer: LiveOrder, batch: Batch) -> TradeRow:
    """Fill all of an order at the mark price, against the dealer's position."""
    price = batch.state.positions.mark_of(order.instrument).price
    trade = settle_off_book(order, dealer, price, batch)
    batch.changes.other_trades[DEALER].append(trade)
    return trade


def settle_off_book(order: LiveOrder, other: LiveOrder, price: int, batch: Batch) -> TradeRow:
    """Fill all of an order off the book, at a price in ticks; the caller keeps the trade."""
    execution = Execution(other, price, order.remaining, 0, 0)
    order.remaining = 0
    trade = make_trade(order, execution, batch.state, batch.changes.batch_time)
    _settle_positions(trade, batch)
    return trade


def _settle_positions(trade: TradeRow, batch: Batch) -> None:
    context, changes, rules = batch.context, batch.changes, trade.buy.instrument
    asset_id = rules.quote_asset_id
    realized = 0
    lines: list[tuple[LedgerRow, int]] = []
    for order, lots, fee in (
        (trade.buy, trade.quantity, trade.buy_fee),
        (trade.sell, -trade.quantity, trade.sell_fee),
    ):
        position = _position(order, batch.state)
        filled = apply_fill(
            position.quantity, position.cost_basis, lots, trade.notional, rules.fee_unit
        )
        position.quantity, position.cost_basis = filled.quantity, filled.cost_basis
        position.realized_pnl += filled.realized_pnl
        changes.touch(position)
        realized += filled.realized_pnl
        lines.append((context.margin_row(order.account_id, asset_id), filled.realized_pnl - fee))
    lines.append((context.clearing_rows[asset_id], -realized))
    lines.append((context.fee_rows[asset_id], trade.buy_fee + trade.sell_fee))
    changes.ledger.post(trade.trade_id, "TRADE", "trade", trade.trade_id, lines)


def _position(order: LiveOrder, state: ShardState) -> LivePosition:
    """The position that the order changes, made with the first one."""
    rules = order.instrument
    owner = (order.account_id, rules.quote_asset_id)
    position = state.positions.find(owner, rules.instrument_id)
    if position is None:
        position = LivePosition(order.account_id, rules)
        state.positions.put(position)
    return position


def _add_open(position: LivePosition, order: LiveOrder, lots: int, changes: BatchChanges) -> None:
    if order.side == _BUY:
        position.open_buy += lots
    else:
        position.open_sell += lots
    position.loss_reserve += order.reserve_per_lot * lots
    changes.touch(position)
