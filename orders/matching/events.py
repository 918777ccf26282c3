"""Commands in, events out: the matching core as one replayable state machine.

For tests, replays and reports; the engine calls `Matcher` itself and spares the event objects.
The same commands give equal events, and their text is equal byte for byte.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from orders.matching.matcher import Matcher
from orders.matching.types import Execution, Order, OrderType, PriceRule, Side, TimeInForce


class PlaceOrder(NamedTuple):
    """Match an order and rest what may stay of it."""

    instrument_id: int
    order_id: Hashable
    account_id: int
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price: int | None
    quantity: int
    valid_until: int | None = None


class CancelOrder(NamedTuple):
    """Take an order out of its book."""

    instrument_id: int
    order_id: Hashable


class ExpireDue(NamedTuple):
    """Set the time and take out what is past it."""

    now: int


Command = PlaceOrder | CancelOrder | ExpireDue


class CancelReason(StrEnum):
    """Why an order, or what was left of it, was canceled."""

    REQUESTED = "requested"
    NO_LIQUIDITY = "no_liquidity"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"


class OrderAccepted(NamedTuple):
    """An order arrived and got its place in time."""

    instrument_id: int
    order_id: Hashable
    sequence: int


class TradeExecuted(NamedTuple):
    """A taker traded with a resting order."""

    instrument_id: int
    maker_id: Hashable
    taker_id: Hashable
    price: int
    quantity: int


class OrderRested(NamedTuple):
    """What remained of an order went into the book."""

    instrument_id: int
    order_id: Hashable
    remaining: int


class OrderCanceled(NamedTuple):
    """An order ended with this much unfilled."""

    instrument_id: int
    order_id: Hashable
    remaining: int
    reason: CancelReason


class OrderExpired(NamedTuple):
    """An order's time was over, with this much unfilled."""

    instrument_id: int
    order_id: Hashable
    remaining: int


Event = OrderAccepted | TradeExecuted | OrderRested | OrderCanceled | OrderExpired


class BookedOrder(Order):
    """An order that knows its instrument, since `Matcher.expire` returns those of all books."""

    __slots__ = ("instrument_id",)

    def __init__(self, command: PlaceOrder, sequence: int) -> None:
        super().__init__(*command[1:8], sequence, command.valid_until)
        self.instrument_id = command.instrument_id


class Machine(Protocol):
    """What carries the commands out: a `Matcher`, or another with the same rules."""

    def place(self, instrument_id: int, order: Order, /) -> Sequence[Execution]:
        """See `Matcher.place`."""

    def cancel(self, instrument_id: int, order_id: Hashable, /) -> Order | None:
        """See `Matcher.cancel`."""

    def expire(self, now: int, /) -> Sequence[Order]:
        """See `Matcher.expire`."""


class CommandProcessor:
    """Applies commands to a machine, numbers the orders and tells what happened.

    To go on with a machine that was rebuilt, pass the number of the next order and the time.
    """

    def __init__(self, machine: Machine, next_sequence: int = 1, now: int = 0) -> None:
        self.machine = machine
        self.next_sequence = next_sequence
        self.now = now

    def apply(self, command: Command) -> list[Event]:
        """Carry one command out; canceling what is not open changes nothing and tells nothing."""
        if isinstance(command, PlaceOrder):
            return self._place(command)
        if isinstance(command, CancelOrder):
            return self._cancel(command)
        self.now = command.now
        events: list[Event] = []
        for order in self.machine.expire(command.now):
            assert isinstance(order, BookedOrder)
            events.append(OrderExpired(order.instrument_id, order.order_id, order.remaining))
        return events

    def _place(self, command: PlaceOrder) -> list[Event]:
        order = BookedOrder(command, self.next_sequence)
        self.next_sequence += 1
        instrument_id, order_id = command.instrument_id, command.order_id
        events: list[Event] = [OrderAccepted(instrument_id, order_id, order.sequence)]
        for maker, price, quantity, _, _ in self.machine.place(instrument_id, order):
            events.append(TradeExecuted(instrument_id, maker.order_id, order_id, price, quantity))
        if order.remaining:
            events.append(self._fate_of_rest(order))
        return events

    def _fate_of_rest(self, order: BookedOrder) -> Event:
        """What became of the part of a new order that did not trade."""
        what = order.instrument_id, order.order_id, order.remaining
        if order.valid_until is not None and order.valid_until <= self.now:
            return OrderExpired(*what)
        if order.order_type == OrderType.MARKET:
            return OrderCanceled(*what, CancelReason.NO_LIQUIDITY)
        if order.time_in_force == TimeInForce.IOC:
            return OrderCanceled(*what, CancelReason.IMMEDIATE_OR_CANCEL)
        return OrderRested(*what)

    def _cancel(self, command: CancelOrder) -> list[Event]:
        order = self.machine.cancel(command.instrument_id, command.order_id)
        if order is None:
            return []
        reason = CancelReason.REQUESTED
        return [OrderCanceled(command.instrument_id, order.order_id, order.remaining, reason)]


def replay(commands: Iterable[Command], price_rules: Mapping[int, PriceRule]) -> list[Event]:
    """Everything that happens when the commands meet empty books of these instruments."""
    matcher = Matcher()
    for instrument_id, price_rule in price_rules.items():
        matcher.add_book(instrument_id, price_rule)
    processor = CommandProcessor(matcher)
    return [event for command in commands for event in processor.apply(command)]
