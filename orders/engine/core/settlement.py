"""From an execution to a trade of any kind: its id, the fees of both orders, its webhook. Pure."""

from uuid import UUID

from orders.calculations import fee_at_most, fee_on
from orders.engine.core.batch import TradeRow
from orders.engine.core.state import LiveOrder, ShardState
from orders.matching.types import Execution, Side
from orders.webhooks import trade_payload

_BUY = Side.BUY
_ZERO_SHARD_ID = (0x7 << 76) | (0x2 << 62)


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


def webhook_payload(
    trade: TradeRow, order: LiveOrder, remaining: int, batch_time: int, payload_format: str
) -> str:
    """The webhook body of a broker's half of a trade."""
    rules = order.instrument
    return trade_payload(
        payload_format=payload_format,
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
    total = _fee_in_role(order, order.taker_notional, order.taker_rate, order.maker_fee)
    fee = total - order.taker_fee
    order.taker_fee = total
    return fee


def _charge_maker(order: LiveOrder, notional: int) -> int:
    order.maker_notional += notional
    if not order.maker_rate:
        return 0
    total = _fee_in_role(order, order.maker_notional, order.maker_rate, order.taker_fee)
    fee = total - order.maker_fee
    order.maker_fee = total
    return fee


def _fee_in_role(order: LiveOrder, notional: int, rate: int, charged_in_other_role: int) -> int:
    """The fee of an order so far in one role.

    One that was part taker, part maker is rounded twice, so the second role is limited to what the
    first left of the largest fee on the whole notional so far, which is what the hold covers.
    """
    fee_unit = order.instrument.fee_unit
    fee = fee_on(notional, rate, fee_unit)
    if not charged_in_other_role:
        return fee
    whole = order.maker_notional + order.taker_notional
    limit = fee_at_most(whole, order.maker_rate, order.taker_rate, fee_unit)
    return min(fee, limit - charged_in_other_role)


def _event_id(batch_time: int, shard: int, sequence: int) -> bytes:
    """`common.ids.derived_uuid` as bytes."""
    number = batch_time // 1000 << 80 | _ZERO_SHARD_ID | shard << 64 | sequence
    return number.to_bytes(16)
