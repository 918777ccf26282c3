"""Checks of everything that must hold between two commands."""

from __future__ import annotations

from typing import TypeVar

from orders.matching import ladder as ladders
from orders.matching.book import OrderBook
from orders.matching.ladder import Ladder
from orders.matching.level import Level
from orders.matching.matcher import Matcher
from orders.matching.types import Order, Side
from orders.tests.matching.naive import NaiveBook

V = TypeVar("V")


def check_book(book: OrderBook) -> None:
    """The book is not crossed, and its parts tell the same story."""
    if book.best_bid is not None and book.best_ask is not None:
        assert book.best_bid < book.best_ask
    seen: dict[object, Order] = {}
    for side, ladder in ((Side.BUY, book._bids), (Side.SELL, book._asks)):
        check_ladder(ladder)
        for key, level in ladder.items.items():
            assert level.key == key
            assert level.price == (key if side == Side.BUY else -key)
            for order in _check_level(level):
                assert (order.side, order.price) == (side, level.price)
                seen[order.order_id] = order
    assert seen == book._orders
    assert len(book) == len(seen)
    check_ladder(book._times)
    timed = [order for order in seen.values() if order.valid_until is not None]
    timed.sort(key=lambda order: (order.valid_until, order.sequence))
    assert list(book._times.walk()) == timed


def check_matcher(matcher: Matcher) -> None:
    """Every book holds, no order in one is past its time, and the first to expire is known."""
    for instrument_id, book in matcher.books.items():
        check_book(book)
        first = book.first_to_expire
        if first is not None:
            assert first.valid_until is not None
            assert first.valid_until > matcher.now
            head = (first.valid_until, first.sequence, instrument_id)
            counting = matcher._heads._counting[instrument_id]
            assert counting <= head
            assert counting in matcher._heads._heads


def check_same(book: OrderBook, naive: NaiveBook) -> None:
    """Both books hold the same orders in the same priority, and answer alike."""
    assert [state_of(order) for order in book.orders()] == [
        state_of(order) for order in naive.orders()
    ]
    assert (book.best_bid, book.best_ask) == (naive.best_bid, naive.best_ask)
    assert len(book) == len(naive)
    for levels in (0, 1, 3, 1_000):
        assert book.depth(levels) == naive.depth(levels)
    for side in Side:
        assert book.open_quantity(side) == naive.open_quantity(side)


def state_of(order: Order) -> tuple[object, ...]:
    """What of an order can change, and what tells it from others."""
    return order.order_id, order.sequence, order.price, order.remaining, order.valid_until


def check_ladder(ladder: Ladder[V]) -> None:
    """The chunks of a ladder are sorted, not too long, and hold the keys of its items."""
    assert ladder.top is ladder.chunks[-1]
    assert len(ladder.floors) == len(ladder.chunks) - 1
    keys = [key for chunk in ladder.chunks for key in chunk]
    assert keys == sorted(ladder.items)
    if len(ladder.chunks) > 1:
        assert all(ladder.chunks)
    assert all(len(chunk) <= ladders.CHUNK_LIMIT for chunk in ladder.chunks)
    for floor, below, above in zip(ladder.floors, ladder.chunks, ladder.chunks[1:], strict=False):
        assert below[-1] < floor <= above[0]


def _check_level(level: Level) -> list[Order]:
    orders = list(level)
    assert orders[0] is level.head
    assert orders[-1] is level.tail
    assert level.count == len(orders)
    assert level.quantity == sum(order.remaining for order in orders)
    previous: Order | None = None
    for order in orders:
        assert order._level is level
        assert order._previous is previous
        assert 0 < order.remaining <= order.quantity
        previous = order
    return orders
