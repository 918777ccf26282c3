"""What holds for any stream of commands.

The state is checked after every command.  The chunks of the ladders are made small, so that a
short stream already splits and drops some.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders.matching import ladder
from orders.matching.events import (
    BookedOrder,
    CancelOrder,
    Command,
    CommandProcessor,
    Event,
    ExpireDue,
    OrderCanceled,
    OrderExpired,
    OrderRested,
    PlaceOrder,
    TradeExecuted,
    replay,
)
from orders.matching.matcher import Matcher
from orders.matching.types import OrderType, PriceRule, Side, TimeInForce
from orders.tests.matching.naive import NaiveMatcher
from orders.tests.matching.strategies import PRICE_RULES, command_streams
from orders.tests.matching.validation import check_matcher, check_same

USUAL_CHUNK_LIMIT = ladder.CHUNK_LIMIT

few = settings(max_examples=40, deadline=None)
many = settings(max_examples=120, deadline=None)
streams = given(command_streams())


@pytest.fixture(autouse=True, scope="module")
def _short_chunks() -> Iterator[None]:
    ladder.CHUNK_LIMIT = 3
    yield
    ladder.CHUNK_LIMIT = USUAL_CHUNK_LIMIT


def new_matcher() -> Matcher:
    matcher = Matcher()
    for instrument_id, price_rule in PRICE_RULES.items():
        matcher.add_book(instrument_id, price_rule)
    return matcher


def run(commands: list[Command]) -> Iterator[tuple[Command, Matcher, list[Event]]]:
    """Apply the commands one by one, checking the state after each."""
    matcher = new_matcher()
    processor = CommandProcessor(matcher)
    for command in commands:
        events = processor.apply(command)
        check_matcher(matcher)
        yield command, matcher, events


def trades_of(events: list[Event]) -> list[TradeExecuted]:
    return [event for event in events if isinstance(event, TradeExecuted)]


@many
@streams
def test_the_fast_matcher_does_what_the_naive_one_does(commands: list[Command]) -> None:
    naive = NaiveMatcher()
    for instrument_id, price_rule in PRICE_RULES.items():
        naive.add_book(instrument_id, price_rule)
    oracle = CommandProcessor(naive)
    for command, matcher, events in run(commands):
        assert events == oracle.apply(command)
        for instrument_id, book in matcher.books.items():
            check_same(book, naive.books[instrument_id])
            assert matcher.next_expiry(instrument_id) == naive.next_expiry(instrument_id)
        assert matcher.next_expiry_any() == naive.next_expiry_any()


@few
@streams
def test_ordered_is_filled_and_remaining_and_canceled(commands: list[Command]) -> None:
    left: dict[object, int] = {}
    resting: dict[object, int] = {}
    for command, matcher, events in run(commands):
        if isinstance(command, PlaceOrder):
            left[command.order_id] = command.quantity
        for event in events:
            if isinstance(event, TradeExecuted):
                left[event.maker_id] -= event.quantity
                left[event.taker_id] -= event.quantity
            elif isinstance(event, OrderCanceled | OrderExpired):
                assert left[event.order_id] == event.remaining
                left[event.order_id] = 0
            elif isinstance(event, OrderRested):
                assert left[event.order_id] == event.remaining
        resting = {
            o.order_id: o.remaining for book in matcher.books.values() for o in book.orders()
        }
        assert resting == {order_id: open_ for order_id, open_ in left.items() if open_}


@few
@streams
def test_every_trade_keeps_the_price_rule_and_both_limits(commands: list[Command]) -> None:
    placed: dict[object, PlaceOrder] = {}
    for command, _, events in run(commands):
        if isinstance(command, PlaceOrder):
            placed[command.order_id] = command
        for trade in trades_of(events):
            maker, taker = placed[trade.maker_id], placed[trade.taker_id]
            assert taker is command
            buyer, seller = (taker, maker) if taker.side == Side.BUY else (maker, taker)
            assert (buyer.side, seller.side) == (Side.BUY, Side.SELL)
            rule = PRICE_RULES[trade.instrument_id]
            seller_rules = rule == PriceRule.SELLER and seller.order_type == OrderType.LIMIT
            assert trade.price == (seller.price if seller_rules else maker.price)
            assert buyer.price is None or trade.price <= buyer.price
            assert seller.price is None or trade.price >= seller.price


@few
@streams
def test_makers_trade_in_the_order_of_their_priority(commands: list[Command]) -> None:
    queues: dict[tuple[int, Side], list[object]] = defaultdict(list)
    for command, matcher, events in run(commands):
        if isinstance(command, PlaceOrder):
            makers = [trade.maker_id for trade in trades_of(events)]
            opposite = Side.SELL if command.side == Side.BUY else Side.BUY
            assert makers == queues[command.instrument_id, opposite][: len(makers)]
        for instrument_id, book in matcher.books.items():
            for side in Side:
                queues[instrument_id, side] = [
                    order_id
                    for _, _, order_id in sorted(
                        (_rank(order.price, side), order.sequence, order.order_id)
                        for order in book.orders()
                        if order.side == side
                    )
                ]


@few
@streams
def test_market_and_ioc_orders_never_rest_and_expired_ones_never_trade(
    commands: list[Command],
) -> None:
    now = 0
    placed: dict[object, PlaceOrder] = {}
    for command, matcher, events in run(commands):
        if isinstance(command, ExpireDue):
            now = command.now
        elif isinstance(command, PlaceOrder):
            placed[command.order_id] = command
        for trade in trades_of(events):
            for order_id in (trade.maker_id, trade.taker_id):
                until = placed[order_id].valid_until
                assert until is None or until > now
        for book in matcher.books.values():
            for order in book.orders():
                assert order.order_type == OrderType.LIMIT
                assert order.time_in_force != TimeInForce.IOC


@few
@streams
def test_the_same_commands_give_the_same_events_byte_for_byte(commands: list[Command]) -> None:
    first, second = replay(commands, PRICE_RULES), replay(commands, PRICE_RULES)
    assert first == second
    assert repr(first).encode() == repr(second).encode()
    assert first == [event for _, _, events in run(commands) for event in events]


@few
@given(command_streams(), st.data())
def test_a_restored_matcher_goes_on_like_the_running_one(
    commands: list[Command], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(commands)))
    running = CommandProcessor(new_matcher())
    for command in commands[:cut]:
        running.apply(command)
    restored = CommandProcessor(_rebuilt(running), running.next_sequence, running.now)
    for command in commands[cut:]:
        assert restored.apply(command) == running.apply(command)


@few
@given(command_streams(), st.data())
def test_a_book_dropped_and_rebuilt_in_place_changes_nothing(
    commands: list[Command], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(commands)))
    rebuilt, untouched = CommandProcessor(new_matcher()), CommandProcessor(new_matcher())
    for number, command in enumerate(commands):
        if number == cut:
            matcher = rebuilt.machine
            assert isinstance(matcher, Matcher)
            orders = sorted(matcher.books[1].orders(), key=lambda order: order.sequence)
            matcher.drop_book(1)
            matcher.add_book(1, PRICE_RULES[1])
            for order in orders:
                matcher.restore(1, _copy(order))
            check_matcher(matcher)
        assert rebuilt.apply(command) == untouched.apply(command)


@few
@streams
def test_quote_and_reachable_accounts_foretell_the_match(commands: list[Command]) -> None:
    matcher = new_matcher()
    processor = CommandProcessor(matcher)
    accounts: dict[object, int] = {}
    for command in commands:
        if not isinstance(command, PlaceOrder):
            processor.apply(command)
            continue
        accounts[command.order_id] = command.account_id
        book = matcher.books[command.instrument_id]
        terms = command.side, command.price, command.quantity
        quoted = book.quote(*terms, command.order_type)
        reachable = book.reachable_accounts(*terms)
        check_matcher(matcher)
        trades = trades_of(processor.apply(command))
        if command.valid_until is not None and command.valid_until <= matcher.now:
            assert trades == []
            continue
        filled = sum(trade.quantity for trade in trades)
        assert quoted == (filled, sum(trade.price * trade.quantity for trade in trades))
        assert reachable == {accounts[trade.maker_id] for trade in trades}


@few
@streams
def test_a_cancel_ends_an_order_once(commands: list[Command]) -> None:
    for command, matcher, events in run(commands):
        if isinstance(command, CancelOrder):
            assert len(events) <= 1
            assert matcher.books[command.instrument_id].get(command.order_id) is None
            assert matcher.cancel(command.instrument_id, command.order_id) is None


def _rank(price: int | None, side: Side) -> int:
    """A number that is lower the better the price."""
    assert price is not None
    return -price if side == Side.BUY else price


def _rebuilt(running: CommandProcessor) -> Matcher:
    """A new matcher with the open orders of the running one, as recovery makes it."""
    old = running.machine
    assert isinstance(old, Matcher)
    matcher = new_matcher()
    matcher.expire(running.now)
    orders = [(i, order) for i, book in old.books.items() for order in book.orders()]
    for instrument_id, order in sorted(orders, key=lambda pair: pair[1].sequence):
        matcher.restore(instrument_id, _copy(order))
    check_matcher(matcher)
    return matcher


def _copy(order: object) -> BookedOrder:
    assert isinstance(order, BookedOrder)
    command = PlaceOrder(
        order.instrument_id,
        order.order_id,
        order.account_id,
        order.side,
        order.order_type,
        order.time_in_force,
        order.price,
        order.quantity,
        order.valid_until,
    )
    copy = BookedOrder(command, order.sequence)
    copy.remaining = order.remaining
    return copy
