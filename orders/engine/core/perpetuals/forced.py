"""Trades that nobody ordered: what liquidations and the insurance fund close. Pure.

They have a venue of their own, FORCED, and make no market price: last prices and marks stay.
"""

from orders.engine.core.batch import BatchChanges, BatchContext
from orders.engine.core.lifecycle import OrderLifecycle
from orders.engine.core.perpetuals.dealing import order_without_id
from orders.engine.core.perpetuals.positions import LivePosition
from orders.engine.core.perpetuals.settlement import count_open, settle_forced, settle_match
from orders.engine.core.settlement import next_event
from orders.engine.core.state import LiveOrder, ShardState
from orders.matching.types import OrderType, Side, TimeInForce
from orders.types import FORCED


class ForcedTrading:
    """Closes positions in one batch, on the book or against another account."""

    def __init__(
        self,
        state: ShardState,
        context: BatchContext,
        changes: BatchChanges,
        orders: OrderLifecycle,
    ) -> None:
        self._state = state
        self._context = context
        self._changes = changes
        self._orders = orders

    def closing_order(self, position: LivePosition, lots: int, limit: int) -> LiveOrder:
        """An order that closes lots of a position at `limit` or better, and never rests."""
        order_id, sequence = next_event(self._state, self._changes.batch_time)
        return LiveOrder(
            order_id=order_id,
            account_id=position.account_id,
            broker_id=self._context.brokers.get(position.account_id, b""),
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
            created_at=self._changes.batch_time,
            maker_rate=0,
            taker_rate=0,
        )

    def match(self, order: LiveOrder) -> None:
        """Trade all of a closing order on the book, which has that much to offer.

        The makers that it meets have been looked at: they can carry it.
        """
        state, changes, rules = self._state, self._changes, order.instrument
        count_open(order, state, changes)
        changes.other_orders[FORCED].append(order)
        for execution in state.matcher.place(rules.instrument_id, order):
            trade = settle_match(order, execution, state, self._context, changes)
            changes.other_trades[FORCED].append(trade)
            self._orders.fill_maker(execution.maker, execution.maker_remaining)  # type: ignore[arg-type]
            self._orders.tell_brokers(
                trade, order, execution.maker_remaining, execution.taker_remaining
            )
        assert not order.remaining, "what was counted in the book is there"
        order.status = "FILLED"
        changes.touched_instruments.add(rules.instrument_id)

    def trade(self, position: LivePosition, other_id: int, lots: int, price: int) -> None:
        """Close lots of a position against another account, off the book and without fees."""
        is_sell = position.quantity > 0
        closing, other = (
            order_without_id(
                position.instrument,
                account_id=account_id,
                broker_id=self._context.brokers.get(account_id, b""),
                side=Side.SELL if is_selling else Side.BUY,
                lots=lots,
                created_at=self._changes.batch_time,
            )
            for account_id, is_selling in ((position.account_id, is_sell), (other_id, not is_sell))
        )
        trade = settle_forced(closing, other, price, self._state, self._context, self._changes)
        self._changes.other_trades[FORCED].append(trade)
