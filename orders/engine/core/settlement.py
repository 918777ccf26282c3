"""From an execution to money: fees, postings, holds, the broker's net, the webhook's words. Pure.

A trade's entry has the id of the trade. Cash: buyer −(notional + fee), seller +(notional − fee),
the fee account + both fees; asset: buyer + quantity, seller − quantity.
"""

from uuid import UUID

from ledger.batch import LedgerRow
from orders.calculations import fee_on
from orders.engine.core.batch import Batch, BatchChanges, BatchContext, TradeRow
from orders.engine.core.state import LiveOrder, ShardState
from orders.matching.types import Execution, Side
from orders.webhooks import trade_payload

_BUY = Side.BUY
_ZERO_SHARD_ID = (0x7 << 76) | (0x2 << 62)


def settle(taker: LiveOrder, execution: Execution, batch: Batch) -> TradeRow:
    """Book one execution: both orders' fees, the maker's hold, one entry, one trade.

    The taker's hold is lowered by `shrink_taker_hold` after its last execution.
    """
    maker: LiveOrder = execution.maker  # type: ignore[assignment]
    context, changes, rules = batch.context, batch.changes, taker.instrument
    trade = make_trade(taker, execution, batch.state, changes.batch_time)
    buyer_cash = context.row(trade.buy.account_id, rules.quote_asset_id)
    seller_asset = context.row(trade.sell.account_id, rules.base_asset_id)
    _post(trade, rules.lot, buyer_cash, seller_asset, context, changes)
    if maker.hold:
        if trade.taker_is_buyer:
            _free_spent(maker, seller_asset, trade.notional + trade.sell_fee, changes)
        else:
            _free_spent(maker, buyer_cash, trade.notional + trade.buy_fee, changes)
    _count_net(trade, changes)
    changes.trades.append(trade)
    return trade


def make_trade(
    taker: LiveOrder, execution: Execution, state: ShardState, batch_time: int
) -> TradeRow:
    """The trade of one execution, with its id and the fees that it adds to both orders."""
    maker: LiveOrder = execution.maker  # type: ignore[assignment]
    notional = execution.price * execution.quantity * taker.instrument.factor
    taker_fee = _charge_taker(taker, notional)
    maker_fee = _charge_maker(maker, notional)
    taker_is_buyer = taker.side == _BUY
    if taker_is_buyer:
        buy, sell, buy_fee, sell_fee = taker, maker, taker_fee, maker_fee
    else:
        buy, sell, buy_fee, sell_fee = maker, taker, maker_fee, taker_fee
    trade_id, sequence = next_event(state, batch_time)
    return TradeRow(
        trade_id,
        buy,
        sell,
        execution.price,
        execution.quantity,
        notional,
        buy_fee,
        sell_fee,
        taker_is_buyer,
        sequence,
    )


def next_event(state: ShardState, batch_time: int) -> tuple[bytes, int]:
    """The id and the sequence of the shard's next event."""
    sequence = state.next_sequence
    state.next_sequence = sequence + 1
    return _event_id(batch_time, state.shard, sequence), sequence


def release_hold(order: LiveOrder, batch: Batch) -> None:
    """Free what is still set aside for an order that is closed."""
    if order.hold:
        row = batch.context.row(order.account_id, order.paying_asset_id)
        _lower_hold(order, row, 0, batch.changes)


def take_hold(order: LiveOrder, batch: Batch) -> None:
    """Set aside what an accepted order may cost, where its balance has a limit."""
    row = batch.context.row(order.account_id, order.paying_asset_id)
    if row.limit is not None:
        order.hold = order.hold_needed()
        batch.changes.ledger.set_hold(row, order.hold)


def shrink_taker_hold(order: LiveOrder, batch: Batch) -> None:
    """Lower the hold of an order that has just been matched to what its rest needs."""
    if order.hold:
        row = batch.context.row(order.account_id, order.paying_asset_id)
        _free_spent(order, row, order.taker_notional + order.taker_fee, batch.changes)


def webhook_payload(trade: TradeRow, order: LiveOrder, remaining: int, batch_time: int) -> str:
    """The body that tells a broker of its half of a trade: prices in whole cents."""
    rules = order.instrument
    return trade_payload(
        trade_id=UUID(bytes=trade.trade_id),
        order_id=UUID(bytes=order.id_bytes),
        symbol=rules.symbol,
        is_buy=order.side == _BUY,
        price=trade.price * rules.tick,
        quantity=trade.quantity * rules.lot,
        remaining=remaining * rules.lot,
        executed_at=batch_time,
    )


def _charge_taker(order: LiveOrder, notional: int) -> int:
    order.taker_notional += notional
    if not order.taker_rate:
        return 0
    total = fee_on(order.taker_notional, order.taker_rate, order.instrument.fee_unit)
    fee = total - order.taker_fee
    order.taker_fee = total
    return fee


def _charge_maker(order: LiveOrder, notional: int) -> int:
    order.maker_notional += notional
    if not order.maker_rate:
        return 0
    total = fee_on(order.maker_notional, order.maker_rate, order.instrument.fee_unit)
    fee = total - order.maker_fee
    order.maker_fee = total
    return fee


def _post(
    trade: TradeRow,
    lot: int,
    buyer_cash: LedgerRow,
    seller_asset: LedgerRow,
    context: BatchContext,
    changes: BatchChanges,
) -> None:
    rules = trade.buy.instrument
    notional, quantity = trade.notional, trade.quantity * lot
    lines = [
        (buyer_cash, -notional - trade.buy_fee),
        (context.row(trade.sell.account_id, rules.quote_asset_id), notional - trade.sell_fee),
        (context.row(trade.buy.account_id, rules.base_asset_id), quantity),
        (seller_asset, -quantity),
    ]
    fees = trade.buy_fee + trade.sell_fee
    if fees:
        lines.append((context.fee_rows[rules.quote_asset_id], fees))
    changes.ledger.post(trade.trade_id, "TRADE", "trade", trade.trade_id, lines)


def _free_spent(order: LiveOrder, row: LedgerRow, spent: int, changes: BatchChanges) -> None:
    """Lower a hold after `spent` money was paid out of it (a buy), or securities (a sell).

    What a buy holds afterwards is what the rest needs, but never more than what it held less what
    it paid: fees are rounded fill by fill, and the account may have nothing else.
    """
    needed = order.hold_needed()
    if order.side == _BUY:
        needed = min(needed, order.hold - spent)
    _lower_hold(order, row, needed, changes)


def _lower_hold(order: LiveOrder, row: LedgerRow, hold: int, changes: BatchChanges) -> None:
    if hold != order.hold:
        changes.ledger.set_hold(row, hold - order.hold)
        order.hold = hold


def _count_net(trade: TradeRow, changes: BatchChanges) -> None:
    nets, asset_id = changes.broker_nets, trade.buy.instrument.quote_asset_id
    buyer, seller = (trade.buy.broker_id, asset_id), (trade.sell.broker_id, asset_id)
    nets[buyer] = nets.get(buyer, 0) - trade.notional
    nets[seller] = nets.get(seller, 0) + trade.notional


def _event_id(batch_time: int, shard: int, sequence: int) -> bytes:
    """`common.ids.derived_uuid` as bytes."""
    number = batch_time // 1000 << 80 | _ZERO_SHARD_ID | shard << 64 | sequence
    return number.to_bytes(16)
