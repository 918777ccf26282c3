"""Short ways to write orders and to read books in the tests of the matching core."""

from __future__ import annotations

from itertools import count
from typing import Protocol

from orders.matching.book import OrderBook
from orders.matching.matcher import Matcher
from orders.matching.types import Execution, Order, OrderType, Side, TimeInForce
from orders.tests.matching.naive import NaiveBook, NaiveMatcher

Book = OrderBook | NaiveBook
Machine = Matcher | NaiveMatcher
BOOKS = (OrderBook, NaiveBook)
MACHINES = (Matcher, NaiveMatcher)

Depth = tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]


class OrderMaker(Protocol):
    """Makes an order of one side; ids and sequences count up over all tests unless given."""

    def __call__(
        self,
        price: int | None,
        quantity: int,
        *,
        id: int | None = None,
        account: int = 1,
        ioc: bool = False,
        until: int | None = None,
    ) -> Order: ...


_numbers = count(1_000_000)


def _maker(side: Side, order_type: OrderType) -> OrderMaker:
    def make(
        price: int | None,
        quantity: int,
        *,
        id: int | None = None,
        account: int = 1,
        ioc: bool = False,
        until: int | None = None,
    ) -> Order:
        number = next(_numbers)
        time_in_force = TimeInForce.GTC if until is None else TimeInForce.GTD
        if ioc or order_type == OrderType.MARKET:
            time_in_force = TimeInForce.IOC
        return Order(
            number if id is None else id,
            account,
            side,
            order_type,
            time_in_force,
            price,
            quantity,
            number,
            until,
        )

    return make


buy = _maker(Side.BUY, OrderType.LIMIT)
sell = _maker(Side.SELL, OrderType.LIMIT)
market_buy = _maker(Side.BUY, OrderType.MARKET)
market_sell = _maker(Side.SELL, OrderType.MARKET)


def rest(book: Book, *orders: Order) -> None:
    """Put orders into a book that trade with nothing there."""
    for order in orders:
        assert book.place(order) == []


def trades(executions: list[Execution]) -> list[tuple[object, int, int]]:
    """(maker's id, price, quantity) of each execution."""
    return [
        (execution.maker.order_id, execution.price, execution.quantity) for execution in executions
    ]


def ids(book: Book) -> list[object]:
    """The ids of all resting orders by priority."""
    return [order.order_id for order in book.orders()]
