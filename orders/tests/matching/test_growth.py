"""What is gone leaves nothing behind, and no step grows with the book."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from random import Random
from types import FrameType
from typing import Any

import pytest

from orders.matching.matcher import Matcher
from orders.matching.types import Order, OrderType, PriceRule, Side, TimeInForce
from orders.tests.matching.builders import buy, market_sell, sell


@pytest.fixture
def matcher() -> Matcher:
    matcher = Matcher()
    matcher.add_book(1, PriceRule.MAKER)
    return matcher


def entries(matcher: Matcher) -> int:
    """All elements of the containers inside, wherever they are."""
    total = len(matcher._heads._heads)
    for book in matcher.books.values():
        total += len(book)
        for ladder in (book._bids, book._asks, book._times):
            total += len(ladder.items) + len(ladder.floors) + sum(map(len, ladder.chunks))
        total += sum(1 for side in (book._bids, book._asks) for level in side.walk() for _ in level)
    return total


def test_endless_place_and_cancel_leaves_nothing(matcher: Matcher) -> None:
    random = Random(1)
    matcher.place(1, buy(1, 1, until=10**9))
    sizes = set[int]()
    for number in range(20_000):
        order = buy(random.randint(2, 2_000), 1, until=10**6 - number)
        matcher.place(1, order)
        matcher.cancel(1, order.order_id)
        sizes.add(entries(matcher))
    assert max(sizes) < 200


def test_cancels_behind_a_head_that_never_trades_leave_nothing(matcher: Matcher) -> None:
    head = buy(100, 1, id=1)
    matcher.place(1, head)
    for _ in range(10_000):
        order = buy(100, 1)
        matcher.place(1, order)
        matcher.cancel(1, order.order_id)
    level = matcher.books[1]._bids.items[100]
    assert (list(level), level.count, level.quantity) == ([head], 1, 1)
    assert head._next is None


def test_a_full_life_with_trades_and_expiries_leaves_nothing(matcher: Matcher) -> None:
    random = Random(2)
    most = 0
    for number in range(10_000):
        make, price = (buy, 100) if random.random() < 0.5 else (sell, 101)
        price += random.randint(-3, 3)
        matcher.place(1, make(price, random.randint(1, 5), until=number + random.randint(1, 50)))
        matcher.expire(number)
        most = max(most, entries(matcher))
    assert most < 600
    matcher.expire(20_000)
    assert len(matcher.books[1]) == 0
    assert matcher.next_expiry_any() is None
    assert entries(matcher) == 0


class WatchedOrder(Order):
    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("end", ["cancel", "fill", "expire"])
def test_an_order_that_ended_is_freed_at_once(matcher: Matcher, end: str) -> None:
    until = 50 if end == "expire" else None
    side, kind, force = Side.BUY, OrderType.LIMIT, TimeInForce.GTC
    orders = [WatchedOrder(n, 1, side, kind, force, 100, 1, n, until) for n in range(3)]
    for order in orders:
        matcher.place(1, order)
    watched = [weakref.ref(order) for order in orders]
    del order, orders
    gc.disable()
    try:
        if end == "cancel":
            for order_id in range(3):
                matcher.cancel(1, order_id)
        elif end == "fill":
            matcher.place(1, market_sell(None, 3))
        else:
            matcher.expire(50)
        assert [reference() for reference in watched] == [None, None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize("end", ["cancel", "fill"])
def test_an_order_that_ended_holds_no_other(matcher: Matcher, end: str) -> None:
    side, kind, force = Side.BUY, OrderType.LIMIT, TimeInForce.GTC
    orders = [WatchedOrder(n, 1, side, kind, force, 100, 1, n) for n in range(3)]
    for order in orders:
        matcher.place(1, order)
    held, others = orders[1], [weakref.ref(orders[0]), weakref.ref(orders[2])]
    del order, orders
    for order_id in (1, 0, 2):
        if end == "cancel":
            matcher.cancel(1, order_id)
        else:
            matcher.place(1, market_sell(None, 1))
    assert [reference() for reference in others] == [None, None]
    assert held.order_id == 1


def test_the_books_of_other_instruments_do_not_pile_up_heads() -> None:
    matcher = Matcher()
    for instrument_id in range(5):
        matcher.add_book(instrument_id, PriceRule.MAKER)
    for number in range(5_000):
        order = buy(100, 1, until=10_000 - number)
        matcher.place(number % 5, order)
        matcher.cancel(number % 5, order.order_id)
    assert len(matcher._heads._heads) <= 2 * 5 + 64 + 1
    for instrument_id in range(5):
        matcher.drop_book(instrument_id)
    assert matcher.next_expiry_any() is None
    assert matcher._heads._heads == []


def lines_run(step: Callable[..., object], *arguments: object) -> int:
    """How many lines of Python a call runs, without those of finalizers that are due just then."""
    lines = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    gc.collect()
    gc.disable()
    sys.settrace(trace)
    try:
        step(*arguments)
    finally:
        sys.settrace(before)
        gc.enable()
    return lines


def lines_per_step(levels: int) -> list[int]:
    """The work of each kind of step on a book with so many price levels on either side."""
    matcher = Matcher()
    book = matcher.add_book(1, PriceRule.MAKER)
    for number in range(levels):
        until = 10**6 - number
        matcher.place(1, buy(-1 - 2 * number, 5, id=2 * number, until=until))
        matcher.place(1, sell(1 + 2 * number, 5, id=2 * number + 1, until=until))
    return [
        lines_run(matcher.place, 1, buy(0, 1, until=5)),
        lines_run(matcher.place, 1, market_sell(None, 1)),
        lines_run(matcher.place, 1, market_sell(None, 7)),
        lines_run(matcher.place, 1, buy(-levels // 2 * 2, 1, until=10**7)),
        lines_run(matcher.cancel, 1, levels // 2 * 2),
        lines_run(matcher.place, 1, sell(levels // 2 * 2, 1)),
        lines_run(book.depth, 5),
        lines_run(book.quote, Side.BUY, None, 12),
        lines_run(book.reachable_accounts, Side.BUY, None, 12),
        lines_run(matcher.next_expiry_any),
        lines_run(matcher.expire, 1),
    ]


def test_no_step_does_more_work_on_a_deeper_book() -> None:
    assert lines_per_step(20) == lines_per_step(20_000)
