"""What becomes of resting orders within a batch: filled as makers, or closed. Pure."""

from orders.engine.core.batch import BatchChanges, BatchContext, LockPlanMiss, TradeRow
from orders.engine.core.perpetuals.margin_checks import find_unable_makers
from orders.engine.core.perpetuals.settlement import count_closed
from orders.engine.core.settlement import release_hold, webhook_payload
from orders.engine.core.state import LiveOrder, ShardState
from orders.types import Reason
from orders.webhooks import TRADE_EXECUTED


class OrderLifecycle:
    """The orders of the shard as one batch changes them.

    `seen`: those that arrived or were closed in the batch; it may still ask for them.
    """

    def __init__(self, state: ShardState, context: BatchContext, changes: BatchChanges) -> None:
        self._state = state
        self._context = context
        self._changes = changes
        self.seen: dict[bytes, LiveOrder] = {}
        # Accounts that may not trade, with the reason: their orders are no makers any more.
        self._stopped = {id: reason for id, reason in context.accounts.items() if reason}
        # By instrument: its open orders by account, and how many had arrived in the batch by then.
        self._by_account: dict[int, tuple[dict[int, list[LiveOrder]], int]] = {}

    def find(self, order_id: bytes) -> LiveOrder | None:
        """The order, if it is open or the batch has met it."""
        return self._state.live_orders.get(order_id) or self.seen.get(order_id)

    def open_orders_of(self, account_id: int, instrument_id: int) -> list[LiveOrder]:
        """What an account has in a book; one walk through the book serves the whole batch."""
        known = self._by_account.get(instrument_id)
        if known is None:
            by_account: dict[int, list[LiveOrder]] = {}
            for order in self._state.matcher.books[instrument_id].orders():
                by_account.setdefault(order.account_id, []).append(order)  # type: ignore[arg-type]
            known = self._by_account[instrument_id] = (by_account, len(self._changes.new_orders))
        resting, arrived = known
        later = [
            order
            for order in self._changes.new_orders[arrived:]
            if order.account_id == account_id and order.instrument.instrument_id == instrument_id
        ]
        return [order for order in (*resting.get(account_id, ()), *later) if order.is_resting]

    def cancel(self, order: LiveOrder, reason: Reason) -> None:
        """Take an order out of its book, and end it."""
        self._state.matcher.books[order.instrument.instrument_id].cancel(order.order_id)
        self.close(order, "CANCELED", reason.value)

    def close(self, order: LiveOrder, status: str, reason: str) -> None:
        """End an order that has left its book."""
        order.status, order.reason = status, reason
        self._forget(order)
        if order.instrument.is_perpetual:
            count_closed(order, self._state, self._changes)
        else:
            release_hold(order, self._context, self._changes)
        self._mark_changed(order)
        self._changes.touched_instruments.add(order.instrument.instrument_id)

    def fill_maker(self, maker: LiveOrder, remaining: int) -> None:
        """A resting order has traded; `remaining` is what that left of it.

        Raises:
            LockPlanMiss: whether its account may trade is not known.
        """
        if maker.account_id not in self._context.accounts:
            raise LockPlanMiss(maker.account_id)
        if remaining:
            maker.status = "PARTIALLY_FILLED"
        else:
            maker.status = "FILLED"
            self._forget(maker)
        self._mark_changed(maker)

    def cancel_unable_makers(self, taker: LiveOrder) -> bool:
        """Take away what the taker of a perpetual would meet and whose owner may not trade, or
        could not carry it; whether there was any.

        Raises:
            LockPlanMiss: the account or the collateral of one is not locked.
        """
        is_any_stopped = self.cancel_stopped_makers(taker)
        unable = find_unable_makers(taker, self._state, self._context)
        for maker in unable:
            self.cancel(maker, Reason.INSUFFICIENT_MARGIN)
        return is_any_stopped or bool(unable)

    def cancel_stopped_makers(self, taker: LiveOrder) -> bool:
        """Take away what the taker would meet of accounts that may not trade; whether it met any.

        Raises:
            LockPlanMiss: of some it is not known.
        """
        if not self._stopped:
            return False
        stopped, unknown, missing = [], set(), taker.remaining
        book = self._state.matcher.books[taker.instrument.instrument_id]
        for maker, _price in book.crossed(taker):
            if maker.account_id in self._stopped:
                stopped.append(maker)
                continue
            if maker.account_id not in self._context.accounts:
                unknown.add(maker.account_id)
            missing -= maker.remaining
            if missing <= 0:
                break
        if unknown:
            raise LockPlanMiss(*unknown)
        for maker in stopped:
            self.cancel(maker, self._stopped[maker.account_id])  # type: ignore[arg-type]
        return bool(stopped)

    def tell_brokers(
        self, trade: TradeRow, taker: LiveOrder, maker_remaining: int, taker_remaining: int
    ) -> None:
        """Queue the webhooks of both halves of a trade."""
        if self._context.webhook_brokers:
            for order in (trade.buy, trade.sell):
                remaining = taker_remaining if order is taker else maker_remaining
                self.tell_broker(trade, order, remaining)

    def tell_broker(self, trade: TradeRow, order: LiveOrder, remaining: int) -> None:
        """Queue the webhook of one half of a trade."""
        if order.broker_id in self._context.webhook_brokers:
            payload = webhook_payload(trade, order, remaining, self._changes.batch_time)
            self._changes.webhooks.append((order.broker_id, TRADE_EXECUTED, payload))

    def _forget(self, order: LiveOrder) -> None:
        """Drop a closed order; the batch may still ask for it."""
        self.seen[order.id_bytes] = order
        del self._state.live_orders[order.id_bytes]

    def _mark_changed(self, order: LiveOrder) -> None:
        if not order.is_new:
            self._changes.changed_orders[order.id_bytes] = order
            self._changes.unwritten_changes[order.id_bytes] = order
