"""The oracle: the rules of the matching core once more, slow and plain.

A book is one list of orders.  Every question is answered by sorting and scanning it; nothing is
kept that could go stale.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from orders.matching.types import Execution, Order, OrderType, PriceRule, Side, TimeInForce


class NaiveBook:
    """The interface of `OrderBook`, by scanning a list kept in the order of arrival."""

    def __init__(self, price_rule: PriceRule) -> None:
        self.price_rule = price_rule
        self.arrived: list[Order] = []

    def __len__(self) -> int:
        return len(self.arrived)

    def side(self, side: Side) -> list[Order]:
        """One side's orders, best price first, first come first."""
        orders = [order for order in self.arrived if order.side == side]
        return sorted(
            orders, key=lambda order: -_price(order) if side == Side.BUY else _price(order)
        )

    @property
    def best_bid(self) -> int | None:
        return max((_price(order) for order in self.side(Side.BUY)), default=None)

    @property
    def best_ask(self) -> int | None:
        return min((_price(order) for order in self.side(Side.SELL)), default=None)

    def get(self, order_id: Hashable) -> Order | None:
        return next((order for order in self.arrived if order.order_id == order_id), None)

    def trades(
        self, side: Side, order_type: OrderType, limit_price: int | None, quantity: int
    ) -> list[tuple[Order, int, int]]:
        """(maker, price, quantity) of each trade that such a taker would make."""
        result = []
        for maker in self.side(Side.SELL if side == Side.BUY else Side.BUY):
            price = _price(maker)
            if quantity == 0:
                break
            if limit_price is not None:
                if side == Side.BUY and price > limit_price:
                    break
                if side == Side.SELL and price < limit_price:
                    break
                if (
                    side == Side.SELL
                    and order_type == OrderType.LIMIT
                    and self.price_rule == PriceRule.SELLER
                ):
                    price = limit_price
            traded = min(quantity, maker.remaining)
            quantity -= traded
            result.append((maker, price, traded))
        return result

    def place(self, order: Order) -> list[Execution]:
        executions = []
        for maker, price, quantity in self.trades(
            order.side, order.order_type, order.price, order.remaining
        ):
            maker.remaining -= quantity
            order.remaining -= quantity
            if maker.remaining == 0:
                self.arrived.remove(maker)
            executions.append(Execution(maker, price, quantity, maker.remaining, order.remaining))
        stays = order.order_type == OrderType.LIMIT and order.time_in_force != TimeInForce.IOC
        if order.remaining > 0 and stays:
            assert order.price is not None
            assert self.get(order.order_id) is None
            self.arrived.append(order)
        return executions

    def cancel(self, order_id: Hashable) -> Order | None:
        order = self.get(order_id)
        if order is not None:
            self.arrived.remove(order)
        return order

    def reduce(self, order_id: Hashable, remaining: int) -> Order | None:
        order = self.get(order_id)
        if order is not None:
            assert 0 < remaining <= order.remaining
            order.remaining = remaining
        return order

    def quote(
        self,
        side: Side,
        limit_price: int | None,
        quantity: int,
        order_type: OrderType = OrderType.LIMIT,
    ) -> tuple[int, int]:
        trades = self.trades(side, order_type, limit_price, quantity)
        return sum(traded for _, _, traded in trades), sum(p * traded for _, p, traded in trades)

    def reachable_accounts(self, side: Side, limit_price: int | None, quantity: int) -> set[int]:
        trades = self.trades(side, OrderType.LIMIT, limit_price, quantity)
        return {maker.account_id for maker, _, _ in trades}

    def depth(self, levels: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        return self._depth(Side.BUY, levels), self._depth(Side.SELL, levels)

    def _depth(self, side: Side, levels: int) -> list[tuple[int, int, int]]:
        by_price: dict[int, list[int]] = {}
        for order in self.side(side):
            by_price.setdefault(_price(order), []).append(order.remaining)
        rows = [(price, sum(open_), len(open_)) for price, open_ in by_price.items()]
        return rows[:levels]

    def open_quantity(self, side: Side) -> int:
        return sum(order.remaining for order in self.side(side))

    def orders(self) -> Iterator[Order]:
        yield from self.side(Side.BUY)
        yield from self.side(Side.SELL)


class NaiveMatcher:
    """The interface of `Matcher`; expiry is a scan of all books."""

    def __init__(self) -> None:
        self.books: dict[int, NaiveBook] = {}
        self.now = 0

    def add_book(self, instrument_id: int, price_rule: PriceRule) -> NaiveBook:
        book = self.books[instrument_id] = NaiveBook(price_rule)
        return book

    def drop_book(self, instrument_id: int) -> None:
        del self.books[instrument_id]

    def place(self, instrument_id: int, order: Order) -> list[Execution]:
        if order.valid_until is not None and order.valid_until <= self.now:
            return []
        return self.books[instrument_id].place(order)

    def cancel(self, instrument_id: int, order_id: Hashable) -> Order | None:
        return self.books[instrument_id].cancel(order_id)

    def expire(self, now: int) -> list[Order]:
        self.now = now
        due = []
        for book in self.books.values():
            for order in list(book.arrived):
                if order.valid_until is not None and order.valid_until <= now:
                    book.arrived.remove(order)
                    due.append(order)
        return sorted(due, key=lambda order: (order.valid_until, order.sequence))

    def restore(self, instrument_id: int, order: Order) -> None:
        assert self.books[instrument_id].place(order) == []

    def next_expiry(self, instrument_id: int) -> int | None:
        times = [order.valid_until for order in self.books[instrument_id].arrived]
        return min((time for time in times if time is not None), default=None)

    def next_expiry_any(self) -> int | None:
        times = [self.next_expiry(instrument_id) for instrument_id in self.books]
        return min((time for time in times if time is not None), default=None)


def _price(order: Order) -> int:
    assert order.price is not None
    return order.price
