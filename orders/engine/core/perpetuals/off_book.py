"""Trades off the book, or that no client ordered: of the dealer, of liquidations. Pure.

What liquidations and the insurance fund close has a venue of its own, FORCED, and makes no market
price: last prices and marks stay.
"""

from orders.commands import DealPerpetual
from orders.engine.core.batch import Batch
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.lifecycle import fill_maker, queue_trade_webhooks
from orders.engine.core.perpetuals.settlement import add_open_order, settle_match, settle_off_book
from orders.engine.core.positions import LivePosition
from orders.engine.core.settlement import next_event
from orders.engine.core.state import LiveOrder
from orders.matching.types import OrderType, Side, TimeInForce
from orders.types import FORCED


def dealer_leg(order: LiveOrder, command: DealPerpetual) -> LiveOrder:
    """The dealer's side of an order that it fills."""
    return counterparty_leg(
        order.instrument,
        account_id=command.dealer_account_id,
        broker_id=command.dealer_broker_id,
        side=Side.SELL if order.side == Side.BUY else Side.BUY,
        lots=order.quantity,
        created_at=order.created_at,
    )


def counterparty_leg(
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


def closing_order(position: LivePosition, lots: int, limit: int, batch: Batch) -> LiveOrder:
    """An order that closes lots of a position at `limit` or better, and never rests."""
    order_id, sequence = next_event(batch.state, batch.changes.batch_time)
    return LiveOrder(
        order_id=order_id,
        account_id=position.account_id,
        broker_id=batch.context.brokers.get(position.account_id, b""),
        instrument=position.instrument,
        side=Side.SELL if position.quantity > 0 else Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.IOC,
        price=limit,
        quantity=lots,
        remaining=lots,
        sequence=sequence,
        valid_until=None,
        client_order_id=None,
        created_at=batch.changes.batch_time,
        maker_rate=0,
        taker_rate=0,
    )


def match_closing_order(order: LiveOrder, batch: Batch) -> None:
    """Trade all of a closing order on the book, which has that much to offer.

    The makers that it meets have been looked at: they can carry it.
    """
    changes, instrument_id = batch.changes, order.instrument.instrument_id
    add_open_order(order, batch)
    changes.other_orders[FORCED].append(order)
    for execution in batch.state.matcher.place(instrument_id, order):
        trade = settle_match(order, execution, batch)
        changes.other_trades[FORCED].append(trade)
        fill_maker(execution.maker, execution.maker_remaining, batch)  # type: ignore[arg-type]
        queue_trade_webhooks(
            trade, order, execution.maker_remaining, execution.taker_remaining, batch
        )
    assert not order.remaining, "what was counted in the book is there"
    order.status = "FILLED"
    changes.touched_instruments.add(instrument_id)


def close_against(
    position: LivePosition, other_id: int, lots: int, price: int, batch: Batch
) -> None:
    """Close lots of a position against another account, off the book and without fees."""
    is_sell = position.quantity > 0
    closing, other = (
        counterparty_leg(
            position.instrument,
            account_id=account_id,
            broker_id=batch.context.brokers.get(account_id, b""),
            side=Side.SELL if is_selling else Side.BUY,
            lots=lots,
            created_at=batch.changes.batch_time,
        )
        for account_id, is_selling in ((position.account_id, is_sell), (other_id, not is_sell))
    )
    trade = settle_off_book(closing, other, price, batch)
    batch.changes.other_trades[FORCED].append(trade)
