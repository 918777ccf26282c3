"""What all commands have in common that make an order: keys, storing it, its answer. Pure."""

from typing import TypeVar

from orders.commands import (
    CLIENT_ORDER_ID_TAKEN,
    ENGINE_ERROR,
    REQUEST_KEY_REUSED,
    DuplicateOutcome,
    ErrorOutcome,
    FillFact,
    OrderOutcome,
    PlaceOrder,
)
from orders.engine.core.batch import Batch, BatchChanges, TradeRow
from orders.engine.core.handlers.base import Handler
from orders.engine.core.lifecycle import find_order
from orders.engine.core.lock_plan import LockPlanner
from orders.engine.core.risk import Refusal, is_well_formed
from orders.engine.core.state import LiveOrder, ShardState
from orders.matching.types import OrderType, Side, TimeInForce
from orders.types import Reason

O = TypeVar("O", bound=PlaceOrder)  # noqa: E741

# Members by value: an index is several times cheaper than a call of the enum.
_SIDES = (None, *Side)
_TYPES = (None, *OrderType)
_TIMES = (None, *TimeInForce)
_BUY = Side.BUY


class OrderHandler(Handler[O]):
    """Stores an order, checks it, and fills it in its own way."""

    # Where its trades are made, if that is not the book.
    venue: str | None = None

    def instrument_of(self, command: O) -> int:
        return command.instrument_id

    def plan_locks(self, command: O, planner: LockPlanner) -> None:
        if command.instrument_id not in planner.state.instruments:
            return
        plan = planner.plan
        plan.accounts.add(command.account_id)
        plan.orders.append(command.command_id)
        if command.client_order_id is not None:
            plan.keys.append((command.account_id, command.client_order_id))
        if command.request_key is not None:
            plan.request_keys.append(command.request_key)
        self._plan_trade(command, planner)

    def add_books(self, command: O, state: ShardState, books: set[int]) -> None:
        books.add(command.instrument_id)

    def execute(self, command: O, age_ms: int, batch: Batch) -> None:
        changes, order_id = batch.changes, command.command_id
        repeat = _find_repeat(command, batch)
        if repeat is not None:
            changes.answer(command.reply_to, repeat)
            return
        if not self._can_be_stored(command, batch):
            changes.answer(command.reply_to, ErrorOutcome(order_id, ENGINE_ERROR))
            return
        order = _new_order(command, batch)
        batch.seen[order_id] = order
        venue = self.venue
        (changes.new_orders if venue is None else changes.other_orders[venue]).append(order)
        reason = batch.context.accounts[order.account_id]
        if age_ms > command.window_ms:
            reason = Reason.DEADLINE_EXCEEDED
        refusal = self._check(order, batch) if reason is None else Refusal(reason)
        if refusal is not None:
            order.status, order.reason = "REJECTED", refusal.reason.value
            if refusal.facts:
                changes.refusals.append((order_id, refusal.facts))
        _claim_keys(order, command, batch)
        if refusal is not None:
            _answer(command, order, [], refusal.facts, changes)
            return
        if order.valid_until is not None and order.valid_until <= changes.batch_time:
            order.status, order.reason = "EXPIRED", Reason.VALID_UNTIL_PASSED.value
            _answer(command, order, [], None, changes)
            return
        trades = self._fill(order, command, batch)
        _answer(command, order, trades, None, changes)

    def _can_be_stored(self, command: O, batch: Batch) -> bool:
        """Whether it is an order at all, for an account and an instrument that exist."""
        return (
            command.account_id in batch.context.accounts
            and command.instrument_id in batch.state.instruments
            and is_well_formed(command)
        )

    # --- what each kind of order does in its own way ----------------------------------------------

    def _plan_trade(self, command: O, planner: LockPlanner) -> None:
        """Add to the plan what trading the order can touch."""
        raise NotImplementedError

    def _check(self, order: LiveOrder, batch: Batch) -> Refusal | None:
        """Why the order is refused; its account may trade."""
        raise NotImplementedError

    def _fill(self, order: LiveOrder, command: O, batch: Batch) -> list[TradeRow]:
        """Trade what can be traded now, and let the rest be open or closed."""
        raise NotImplementedError


def _find_repeat(command: PlaceOrder, batch: Batch) -> DuplicateOutcome | ErrorOutcome | None:
    """The answer to a command that made its order before, itself or under one of its keys.

    Where both keys were sent, both must be those of the first.
    """
    order_id, context = command.command_id, batch.context
    if find_order(order_id, batch) is not None or order_id in context.known_orders:
        return DuplicateOutcome(order_id, order_id)
    if command.request_key is not None and command.request_key in context.request_keys:
        fingerprint, first_id = context.request_keys[command.request_key]
        if fingerprint != command.request_fingerprint:
            return ErrorOutcome(order_id, REQUEST_KEY_REUSED)
        return DuplicateOutcome(order_id, first_id, is_replay=True)
    if command.client_order_id is None:
        return None
    known_id = context.order_keys.get((command.account_id, command.client_order_id))
    if known_id is None:
        return None
    if command.request_key is not None:
        return ErrorOutcome(order_id, CLIENT_ORDER_ID_TAKEN)
    return DuplicateOutcome(order_id, known_id)


def _claim_keys(order: LiveOrder, command: PlaceOrder, batch: Batch) -> None:
    """Take the keys of a new order, unless it may be sent again under them."""
    if not order.claims_keys:
        return
    order_id, key = command.command_id, command.request_key
    if command.client_order_id is not None:
        batch.context.order_keys[command.account_id, command.client_order_id] = order_id
    if key is not None and command.request_fingerprint is not None:
        batch.context.request_keys[key] = (command.request_fingerprint, order_id)
        batch.changes.request_keys.append((key, command.request_fingerprint, order_id))


def _new_order(command: PlaceOrder, batch: Batch) -> LiveOrder:
    state = batch.state
    rules = state.instruments[command.instrument_id]
    sequence = state.next_sequence
    state.next_sequence = sequence + 1
    order = LiveOrder(
        order_id=command.command_id,
        account_id=command.account_id,
        broker_id=command.broker_id,
        instrument=rules,
        side=_SIDES[command.side],
        order_type=_TYPES[command.order_type],
        time_in_force=_TIMES[command.time_in_force],
        price=command.price_ticks,
        quantity=command.quantity_lots,
        remaining=command.quantity_lots,
        sequence=sequence,
        valid_until=command.valid_until,
        client_order_id=command.client_order_id,
        created_at=batch.changes.batch_time,
        maker_rate=rules.maker_rate,
        taker_rate=rules.taker_rate,
    )
    order.is_new = True
    return order


def _answer(
    command: PlaceOrder,
    order: LiveOrder,
    trades: list[TradeRow],
    facts: dict[str, int] | None,
    changes: BatchChanges,
) -> None:
    if not command.reply_to:
        return
    is_buy = order.side == _BUY
    fills = [
        FillFact(t.trade_id, t.price, t.quantity, t.buy_fee if is_buy else t.sell_fee)
        for t in trades
    ]
    outcome = OrderOutcome(
        command.command_id,
        order.status,
        order.reason,
        order.quantity - order.remaining,
        order.taker_notional,
        order.taker_fee,
        order.created_at,
        fills,
        facts,
    )
    changes.answer(command.reply_to, outcome)
