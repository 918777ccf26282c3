"""Halves of trades that no order stands for: the dealer's, and those of liquidations. Pure."""

from orders.commands import DealPerpetual
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.state import LiveOrder
from orders.matching.types import OrderType, Side, TimeInForce


def dealer_order(order: LiveOrder, command: DealPerpetual) -> LiveOrder:
    """The dealer's side of an order that it fills."""
    return order_without_id(
        order.instrument,
        account_id=command.dealer_account_id,
        broker_id=command.dealer_broker_id,
        side=Side.SELL if order.side == Side.BUY else Side.BUY,
        lots=order.quantity,
        created_at=order.created_at,
    )


def order_without_id(
    rules: InstrumentRules,
    *,
    account_id: int,
    broker_id: bytes,
    side: Side,
    lots: int,
    created_at: int,
) -> LiveOrder:
    """One half of a trade that is stored without an order, and pays no fees."""
    return LiveOrder(
        order_id=b"",
        account_id=account_id,
        broker_id=broker_id,
        instrument=rules,
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        price=None,
        quantity=lots,
        remaining=lots,
        sequence=0,
        valid_until=None,
        client_order_id=None,
        created_at=created_at,
        maker_rate=0,
        taker_rate=0,
    )
