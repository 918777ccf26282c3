"""What becomes of resting orders within a batch: filled as makers, or closed. Pure."""

from orders.engine.core.batch import Batch, LockPlanMiss, TradeRow
from orders.engine.core.settlement import webhook_payload
from orders.engine.core.state import LiveOrder
from orders.types import Reason
from orders.webhooks import TRADE_EXECUTED, formats_of


def find_order(order_id: bytes, batch: Batch) -> LiveOrder | None:
    """The order, if it is open or the batch has met it."""
    return batch.state.live_orders.get(order_id) or batch.seen.get(order_id)


def open_orders_of(account_id: int, instrument_id: int, batch: Batch) -> list[LiveOrder]:
    """What an account has in a book; one walk through the book serves the whole batch."""
    new_orders = batch.changes.new_orders
    known = batch.resting_by_account.get(instrument_id)
    if known is None:
        by_account: dict[int, list[LiveOrder]] = {}
        for order in batch.state.matcher.books[instrument_id].orders():
            by_account.setdefault(order.account_id, []).append(order)  # type: ignore[arg-type]
        known = batch.resting_by_account[instrument_id] = (by_account, len(new_orders))
    resting, arrived = known
    later = [
        order
        for order in new_orders[arrived:]
        if order.account_id == account_id and order.instrument.instrument_id == instrument_id
    ]
    return [order for order in (*resting.get(account_id, ()), *later) if order.is_resting]


def cancel_order(order: LiveOrder, reason: Reason, batch: Batch) -> None:
    """Take an order out of its book, and end it."""
    batch.state.matcher.books[order.instrument.instrument_id].cancel(order.order_id)
    close_order(order, "CANCELED", reason.value, batch)


def close_order(order: LiveOrder, status: str, reason: str, batch: Batch) -> None:
    """End an order that has left its book."""
    order.status, order.reason = status, reason
    _forget(order, batch)
    order.instrument.kind.close(order, batch)
    _mark_changed(order, batch)
    batch.changes.touched_instruments.add(order.instrument.instrument_id)


def fill_maker(maker: LiveOrder, remaining: int, batch: Batch) -> None:
    """A resting order has traded; `remaining` is what that left of it.

    Raises:
        LockPlanMiss: whether its account may trade is not known.
    """
    if maker.account_id not in batch.context.accounts:
        raise LockPlanMiss(maker.account_id)
    if remaining:
        maker.status = "PARTIALLY_FILLED"
    else:
        maker.status = "FILLED"
        _forget(maker, batch)
    _mark_changed(maker, batch)


def cancel_stopped_makers(taker: LiveOrder, batch: Batch) -> bool:
    """Take away what the taker would meet of accounts that may not trade, or whose wallets are not
    active; whether it met any.

    Raises:
        LockPlanMiss: of some it is not known.
    """
    if not batch.stopped and not batch.stopped_wallets:
        return False
    stopped, unknown, missing = [], set(), taker.remaining
    book = batch.state.matcher.books[taker.instrument.instrument_id]
    for maker, _price in book.crossed(taker):
        reason = _stopped_reason(maker, batch)  # type: ignore[arg-type]
        if reason is not None:
            stopped.append((maker, reason))
            continue
        if maker.account_id not in batch.context.accounts:
            unknown.add(maker.account_id)
        missing -= maker.remaining
        if missing <= 0:
            break
    if unknown:
        raise LockPlanMiss(*unknown)
    for maker, reason in stopped:
        cancel_order(maker, reason, batch)  # type: ignore[arg-type]
    return bool(stopped)


def _stopped_reason(maker: LiveOrder, batch: Batch) -> Reason | None:
    """Why a resting order is no longer a maker; None where it is. Perpetuals touch no wallet."""
    account_id, rules = maker.account_id, maker.instrument
    reason = batch.stopped.get(account_id)
    if reason is not None or rules.perpetual is not None:
        return reason
    wallets = batch.stopped_wallets
    quote, base = (account_id, rules.quote_asset_id), (account_id, rules.base_asset_id)
    return wallets.get(quote) or wallets.get(base)


def queue_trade_webhooks(
    trade: TradeRow, taker: LiveOrder, maker_remaining: int, taker_remaining: int, batch: Batch
) -> None:
    """Queue the webhooks of both halves of a trade."""
    if batch.context.webhook_brokers:
        for order in (trade.buy, trade.sell):
            remaining = taker_remaining if order is taker else maker_remaining
            queue_trade_webhook(trade, order, remaining, batch)


def queue_trade_webhook(trade: TradeRow, order: LiveOrder, remaining: int, batch: Batch) -> None:
    """Queue the webhook of one half of a trade, for a broker that wants it."""
    formats = batch.context.webhook_brokers.get(order.broker_id, ())
    for one in formats_of(formats, is_in_whole_cents=order.instrument.is_in_whole_cents):
        payload = webhook_payload(trade, order, remaining, batch.changes.batch_time, one)
        batch.changes.webhooks.append((order.broker_id, TRADE_EXECUTED, payload, one))


def _forget(order: LiveOrder, batch: Batch) -> None:
    """Drop a closed order; the batch may still ask for it."""
    batch.seen[order.id_bytes] = order
    del batch.state.live_orders[order.id_bytes]


def _mark_changed(order: LiveOrder, batch: Batch) -> None:
    if not order.is_new:
        batch.changes.changed_orders[order.id_bytes] = order
        batch.changes.unwritten_changes[order.id_bytes] = order
