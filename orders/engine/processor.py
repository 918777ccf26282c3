"""Runs the commands of a batch in memory: commands in, changes and answers out. Pure.

No clock and no I/O: the batch time, the loaded rows and the age of each command are inputs, so the
same batch on the same state gives the same changes, byte for byte.
"""

from collections.abc import Callable

from orders.calculations import collar_bound
from orders.commands import (
    CLIENT_ORDER_ID_TAKEN,
    ENGINE_ERROR,
    REQUEST_KEY_REUSED,
    AnyCommand,
    CancelOrder,
    CommandOutcome,
    DealPerpetual,
    DuplicateOutcome,
    ErrorOutcome,
    ExpireDue,
    FillFact,
    FixFunding,
    LiquidateAccount,
    OrderOutcome,
    PlaceOrder,
    ReduceFund,
    SetMarkPrice,
)
from orders.engine.batch import BatchChanges, BatchContext, Received, TradeRow
from orders.engine.dealing import dealer_order
from orders.engine.fund_reduction import reduce_fund
from orders.engine.funding import fix_funding
from orders.engine.lifecycle import OrderLifecycle
from orders.engine.liquidation import Liquidator
from orders.engine.margin_checks import check_deal, check_perpetual
from orders.engine.marking import set_mark
from orders.engine.position_settlement import (
    count_closed,
    count_open,
    settle_deal,
    settle_perpetual,
)
from orders.engine.risk import (
    Refusal,
    check_instrument,
    check_limits,
    check_money,
    is_well_formed,
)
from orders.engine.settlement import (
    free_taken_hold,
    settle,
    take_hold,
)
from orders.engine.state import LiveOrder, ShardState
from orders.matching.types import OrderType, Side, TimeInForce
from orders.types import DEALER, PASSING_RESULTS, Reason, Result

# Commands of a long batch that are carried out before what they did is handed on; fewer at first,
# for until then nobody writes.
PART = 300
FIRST_PART = 50
# Members by value: an index is several times cheaper than a call of the enum.
_SIDES = (None, *Side)
_TYPES = (None, *OrderType)
_TIMES = (None, *TimeInForce)


class Processor:
    """Carries out one batch on the state of the shard."""

    def __init__(self, state: ShardState, context: BatchContext, changes: BatchChanges) -> None:
        self._state = state
        self._context = context
        self._changes = changes
        self._orders = OrderLifecycle(state, context, changes)
        self._liquidator = Liquidator(state, context, changes, self._orders)

    def run(
        self,
        received: list[Received],
        expired: list[LiveOrder],
        waited_ms: int = 0,
        *,
        after_part: Callable[[], None],
    ) -> None:
        """Close what has expired, then carry the commands out in their order.

        `waited_ms`: how much older the commands have become since they were read. `after_part` is
        called after each part of a long batch, except the last.

        Raises:
            LockPlanMiss: the batch needs a row that was not locked; the state must be rebuilt.
        """
        for order in expired:
            self._orders.close(order, "EXPIRED", Reason.VALID_UNTIL_PASSED.value)
        part_end = FIRST_PART
        for index, item in enumerate(received):
            if index == part_end:
                after_part()
                part_end += PART
            command = item.command
            if isinstance(command, PlaceOrder):
                self._place(command, item.age_ms + waited_ms)
            else:
                self._execute(command)

    # --- orders -----------------------------------------------------------------------------------

    def _place(self, command: PlaceOrder, age_ms: int) -> None:
        order_id = command.command_id
        repeat = self._find_repeat(command)
        if repeat is not None:
            self._changes.answer(command.reply_to, repeat)
            return
        if not self._can_be_stored(command):
            self._changes.answer(command.reply_to, ErrorOutcome(order_id, ENGINE_ERROR))
            return
        order = self._new_order(command)
        self._orders.seen[order_id] = order
        is_deal = command.__class__ is DealPerpetual
        stored = self._changes.other_orders[DEALER] if is_deal else self._changes.new_orders
        stored.append(order)
        refusal = self._check(order, command, age_ms)
        if refusal is not None:
            order.status, order.reason = "REJECTED", refusal.reason.value
        self._claim_keys(order, command)
        if refusal is not None:
            self._answer_order(command, order, [], refusal.facts)
            return
        if order.valid_until is not None and order.valid_until <= self._changes.batch_time:
            order.status, order.reason = "EXPIRED", Reason.VALID_UNTIL_PASSED.value
            self._answer_order(command, order, [], None)
            return
        trades = self._deal(order, command) if is_deal else self._match(order)
        self._answer_order(command, order, trades, None)

    def _find_repeat(self, command: PlaceOrder) -> DuplicateOutcome | ErrorOutcome | None:
        """The answer to a command that made its order before, itself or under one of its keys.

        Where both keys were sent, both must be those of the first.
        """
        order_id, context = command.command_id, self._context
        if self._orders.find(order_id) is not None or order_id in context.known_orders:
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

    def _claim_keys(self, order: LiveOrder, command: PlaceOrder) -> None:
        """Take the keys of a new order, unless it may be sent again under them."""
        if not order.claims_keys:
            return
        order_id, key = command.command_id, command.request_key
        if command.client_order_id is not None:
            self._context.order_keys[command.account_id, command.client_order_id] = order_id
        if key is not None and command.request_fingerprint is not None:
            self._context.request_keys[key] = (command.request_fingerprint, order_id)
            self._changes.request_keys.append((key, command.request_fingerprint, order_id))

    def _can_be_stored(self, command: PlaceOrder) -> bool:
        """Whether it is an order at all, for an account and an instrument that exist."""
        return (
            command.account_id in self._context.accounts
            and command.instrument_id in self._state.instruments
            and is_well_formed(command)
        )

    def _new_order(self, command: PlaceOrder) -> LiveOrder:
        state = self._state
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
            created_at=self._changes.batch_time,
            maker_rate=rules.maker_rate,
            taker_rate=rules.taker_rate,
        )
        order.is_new = True
        return order

    def _check(self, order: LiveOrder, command: PlaceOrder, age_ms: int) -> Refusal | None:
        if age_ms > command.window_ms:
            return Refusal(Reason.DEADLINE_EXCEEDED)
        reason = self._context.accounts[order.account_id]
        if reason is not None:
            return Refusal(reason)
        if order.instrument.is_perpetual:
            check = check_deal if isinstance(command, DealPerpetual) else check_perpetual
            return check(order, self._state, self._context, self._changes.batch_time)
        last_price = self._state.last_prices.get(order.instrument.instrument_id)
        refusal = check_instrument(order) or check_limits(order, last_price)
        if refusal is not None:
            return refusal
        if order.order_type == OrderType.MARKET and order.instrument.collar_rate is not None:
            self._set_collar(order)
        self._orders.cancel_stopped_makers(order)
        return check_money(order, self._state, self._context)

    def _match(self, order: LiveOrder) -> list[TradeRow]:
        state, changes, rules = self._state, self._changes, order.instrument
        orders, instrument_id = self._orders, rules.instrument_id
        settle_one = settle
        if rules.is_perpetual:
            self._orders.cancel_unable_makers(order)
            count_open(order, state, changes)
            settle_one = settle_perpetual
        elif order.may_rest:
            take_hold(order, self._context, changes)
        trades = []
        for execution in state.matcher.place(instrument_id, order):
            trade = settle_one(order, execution, state, self._context, changes)
            trades.append(trade)
            orders.fill_maker(execution.maker, execution.maker_remaining)  # type: ignore[arg-type]
            orders.tell_brokers(trade, order, execution.maker_remaining, execution.taker_remaining)
        if trades:
            free_taken_hold(order, self._context, changes)
            self._note_last_price(instrument_id, trades)
            changes.touched_instruments.add(instrument_id)
        if order.is_resting:
            order.status = "PARTIALLY_FILLED" if trades else "OPEN"
            state.live_orders[order.id_bytes] = order
            changes.touched_instruments.add(instrument_id)
        elif order.remaining:
            order.status, order.reason = "CANCELED", _why_not_rested(order).value
            if rules.is_perpetual:
                count_closed(order, state, changes)
        else:
            order.status = "FILLED"
        return trades

    def _note_last_price(self, instrument_id: int, trades: list[TradeRow]) -> None:
        """The price that bands lie around; an account's trade with itself makes none."""
        for trade in reversed(trades):
            if trade.buy.account_id != trade.sell.account_id:
                self._state.last_prices[instrument_id] = trade.price
                return

    def _deal(self, order: LiveOrder, command: PlaceOrder) -> list[TradeRow]:
        """Fill an order at the mark, on the dealer's account."""
        assert isinstance(command, DealPerpetual)
        dealer = dealer_order(order, command)
        trade = settle_deal(order, dealer, self._state, self._context, self._changes)
        order.status = "FILLED"
        self._orders.tell_broker(trade, order, 0)
        return [trade]

    def _set_collar(self, order: LiveOrder) -> None:
        """Bound a market order to the collar around the best price of the other side."""
        rules = order.instrument
        book = self._state.matcher.books[rules.instrument_id]
        is_buy = order.side == Side.BUY
        best = book.best_ask if is_buy else book.best_bid
        if best is not None and rules.collar_rate is not None:
            order.price = collar_bound(best, rules.collar_rate, is_buy)

    def _answer_order(
        self,
        command: PlaceOrder,
        order: LiveOrder,
        trades: list[TradeRow],
        facts: dict[str, int] | None,
    ) -> None:
        if not command.reply_to:
            return
        is_buy = order.side == Side.BUY
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
        self._changes.answer(command.reply_to, outcome)

    # --- other commands ---------------------------------------------------------------------------

    def _execute(self, command: AnyCommand) -> None:
        result = self._context.known_commands.get(command.command_id)
        facts = None
        if result is None:
            kind, outcome, facts = self._result_of(command)
            result = outcome.value
            if outcome not in PASSING_RESULTS:
                self._context.known_commands[command.command_id] = result
                self._changes.commands.append((command.command_id, kind, result))
        self._changes.answer(command.reply_to, CommandOutcome(command.command_id, result, facts))

    def _result_of(self, command: AnyCommand) -> tuple[str, Result, dict[str, int] | None]:
        if isinstance(command, CancelOrder):
            return "cancel", self._cancel(command), None
        if isinstance(command, SetMarkPrice):
            return "mark", *set_mark(command, self._state, self._changes)
        if isinstance(command, LiquidateAccount):
            return "liquidate", self._liquidator.liquidate(command), None
        if isinstance(command, ReduceFund):
            result = reduce_fund(command, self._state, self._context, self._changes, self._orders)
            return "reduce-fund", result, None
        if isinstance(command, FixFunding):
            return "funding", fix_funding(command, self._state, self._context, self._changes), None
        # What is due has expired before the first command of the batch.
        assert isinstance(command, ExpireDue)
        return "expire", Result.DONE, None

    def _cancel(self, command: CancelOrder) -> Result:
        order = self._orders.find(command.order_id)
        if order is not None:
            owner = (order.broker_id, order.account_id)
        else:
            stored = self._context.closed_orders.get(command.order_id)
            if stored is None:
                return Result.UNKNOWN_ORDER
            owner = stored
        broker_id, account_id = owner
        if broker_id != command.broker_id or command.account_id not in (None, account_id):
            return Result.FORBIDDEN
        if order is None or not order.is_resting:
            return Result.NOT_OPEN
        self._orders.cancel(order, Reason(command.reason))
        return Result.CANCELED


def refuse(received: Received, changes: BatchChanges) -> None:
    """Answer a command that could not be carried out; nothing of it is written."""
    command = received.command
    changes.answer(command.reply_to, ErrorOutcome(command.command_id, ENGINE_ERROR))


def _why_not_rested(order: LiveOrder) -> Reason:
    """Why the rest of an order ends: a limit may have had orders beyond it, a market order none."""
    is_market = order.order_type == OrderType.MARKET
    return Reason.NO_LIQUIDITY if is_market else Reason.IMMEDIATE_OR_CANCEL
