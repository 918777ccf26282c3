"""The dealer's half of a dealer trade. Pure."""

from orders.commands import DealPerpetual
from orders.engine.state import LiveOrder
from orders.matching.types import OrderType, Side, TimeInForce


def dealer_order(order: LiveOrder, command: DealPerpetual) -> LiveOrder:
    """The dealer's side of an order that it fills: no order of its own, so it has no id.

    It pays no fees.
    """
    return LiveOrder(
        order_id=b"",
        account_id=command.dealer_account_id,
        broker_id=command.dealer_broker_id,
        instrument=order.instrument,
        side=Side.SELL if order.side == Side.BUY else Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        price=None,
        quantity=order.quantity,
        remaining=0,
        sequence=0,
        valid_until=None,
        client_order_id=None,
        created_at=order.created_at,
        maker_rate=0,
        taker_rate=0,
    )
