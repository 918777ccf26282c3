"""The order book of one instrument: price-time priority, integers, no I/O.

Ordering: best price first; at a price first come, first served.  A partial fill leaves the
resting order at the front of its queue.  A book is never crossed.

Cost, with n orders: `place` O(1) per execution, and O(log n) for each level that it empties and
each order with a ``valid_until`` that it fills; resting and `cancel` O(1), and O(log n) if the
order opens or closes its level or has a ``valid_until``; `reduce`, `get`, `level`, `len`,
`best_bid`, `best_ask` and `first_to_expire` O(1); `quote` and `depth` O(levels looked at); `due`,
`reachable_accounts` and `crossed` O(orders looked at); `open_quantity` O(levels).  Canceled and
filled orders leave nothing behind.

Known limits: whoever changes ``valid_until`` or ``sequence`` of an order must cancel it before and
place it again; sequences are unique in a book, not negative and below 2**64, for the two together
are the key of the order in the ladder of times.

Not here: a clock (the book knows which order runs out first, `Matcher` knows when), money,
self-trade prevention, and any check of an order beyond assertions.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from orders.matching.ladder import Ladder
from orders.matching.level import Level
from orders.matching.types import Execution, Order, OrderType, PriceRule, Side, TimeInForce

_BUY = Side.BUY
_LIMIT = OrderType.LIMIT
_IOC = TimeInForce.IOC
_SELLER = PriceRule.SELLER
_UNBOUNDED = -(1 << 100)  # below every key
_new = tuple.__new__  # twice as fast as calling the NamedTuple


class OrderBook:
    """Resting orders of one instrument, and the rule for the price of their trades."""

    __slots__ = ("_asks", "_bids", "_orders", "_times", "price_rule")

    def __init__(self, price_rule: PriceRule) -> None:
        self.price_rule = price_rule
        self._bids: Ladder[Level] = Ladder()
        self._asks: Ladder[Level] = Ladder()
        self._orders: dict[Hashable, Order] = {}
        self._times: Ladder[Order] = Ladder()

    def __len__(self) -> int:
        return len(self._orders)

    @property
    def best_bid(self) -> int | None:
        """The highest price anyone offers to pay."""
        top = self._bids.top
        return top[-1] if top else None

    @property
    def best_ask(self) -> int | None:
        """The lowest price anyone asks for."""
        top = self._asks.top
        return -top[-1] if top else None

    @property
    def first_to_expire(self) -> Order | None:
        """The resting order with the least ``(valid_until, sequence)``, if any has the former."""
        top = self._times.top
        return self._times.items[top[-1]] if top else None

    def get(self, order_id: Hashable) -> Order | None:
        """The resting order with this id."""
        return self._orders.get(order_id)

    def at_price(self, side: Side, price: int) -> list[Order]:
        """The resting orders of one price, first in line first."""
        if side is _BUY:
            level = self._bids.items.get(price)
        else:
            level = self._asks.items.get(-price)
        return [] if level is None else list(level)

    def place(self, order: Order) -> list[Execution]:
        """Trade an order as far as its price and quantity go; a LIMIT that is not IOC then rests.

        Reduces ``remaining`` on both sides and removes filled makers.  What rests goes to the back
        of the queue of its price.  One method for both halves, for speed.
        """
        price = order.price
        if order.side is _BUY:
            own, other = self._bids, self._asks
            key, floor = (_UNBOUNDED, _UNBOUNDED) if price is None else (price, -price)
        else:
            own, other = self._asks, self._bids
            key, floor = (_UNBOUNDED, _UNBOUNDED) if price is None else (-price, price)
        top = other.top
        if top and top[-1] >= floor:
            own_price = self._price_set_by_taker(order.side, order.order_type, price)
            executions = self._sweep(order, other, floor, own_price)
        else:
            executions = []
        remaining = order.remaining
        if not remaining or order.time_in_force is _IOC or order.order_type is not _LIMIT:
            return executions
        orders, order_id = self._orders, order.order_id
        assert order_id not in orders, "the order is in the book already"
        assert price is not None, "at no price an order cannot rest"
        orders[order_id] = order
        if order.valid_until is not None:
            order._expiry_key = -(order.valid_until << 64 | order.sequence)
            self._times.add(order._expiry_key, order)
        order._next = None
        level = own.items.get(key)
        if level is None:
            order._previous = None
            order._level = level = Level(key, price, order)
            own.add(key, level)
            return executions
        tail = level.tail
        tail._next = order
        order._previous = tail
        order._level = level
        level.tail = order
        level.quantity += remaining
        level.count += 1
        return executions

    def cancel(self, order_id: Hashable) -> Order | None:
        """Take an order out of the book and return it, or None if it does not rest here.

        Its ``remaining`` still says how much was open.
        """
        order = self._orders.pop(order_id, None)
        if order is None:
            return None
        if order.valid_until is not None:
            self._times.remove(order._expiry_key)
        level = order._level
        assert level is not None
        order._level = None
        earlier, later = order._previous, order._next
        if later is not None:
            later._previous = earlier
            if earlier is not None:
                earlier._next = later
            else:
                level.head = later
        elif earlier is not None:
            earlier._next = None
            level.tail = earlier
        else:
            (self._bids if order.side is _BUY else self._asks).remove(level.key)
            return order
        order._next = order._previous = None
        level.count -= 1
        level.quantity -= order.remaining
        return order

    def expire(self, now: int) -> list[Order]:
        """Take out every order with ``valid_until <= now``, the first that ran out first."""
        times = self._times
        floor = -((now + 1) << 64)
        expired: list[Order] = []
        while (top := times.top) and top[-1] > floor:
            order = times.items[top[-1]]
            self.cancel(order.order_id)
            expired.append(order)
        return expired

    def due(self, now: int) -> list[Order]:
        """The orders that `expire` would take out; they stay."""
        floor = -((now + 1) << 64)
        due: list[Order] = []
        for order in self._times.walk():
            if order._expiry_key <= floor:
                break
            due.append(order)
        return due

    def reduce(self, order_id: Hashable, remaining: int) -> Order | None:
        """Lower what remains of a resting order; it keeps its place.  None if it does not rest."""
        order = self._orders.get(order_id)
        if order is None:
            return None
        level = order._level
        assert level is not None
        assert 0 < remaining <= order.remaining, "more quantity, or none, is another order"
        level.quantity -= order.remaining - remaining
        order.remaining = remaining
        return order

    def quote(
        self,
        side: Side,
        limit_price: int | None,
        quantity: int,
        order_type: OrderType = OrderType.LIMIT,
    ) -> tuple[int, int]:
        """What such a taker would get now: (quantity filled, its notional in ticks x lots)."""
        own_price = self._price_set_by_taker(side, order_type, limit_price)
        remaining = quantity
        notional = 0
        for level in self._reach(side, limit_price):
            filled = min(level.quantity, remaining)
            notional += filled * (level.price if own_price is None else own_price)
            remaining -= filled
            if not remaining:
                break
        return quantity - remaining, notional

    def reachable_accounts(self, side: Side, limit_price: int | None, quantity: int) -> set[int]:
        """Owners of the resting orders which such a taker would trade with now."""
        accounts: set[int] = set()
        remaining = quantity
        for level in self._reach(side, limit_price):
            for order in level:
                if remaining <= 0:
                    return accounts
                accounts.add(order.account_id)
                remaining -= order.remaining
        return accounts

    def crossed(self, taker: Order) -> Iterator[tuple[Order, int]]:
        """The resting orders that a taker crosses, in its order, each with the price of a trade.

        All of them, whatever the taker's quantity; the book must not change meanwhile.
        """
        own_price = self._price_set_by_taker(taker.side, taker.order_type, taker.price)
        for level in self._reach(taker.side, taker.price):
            price = level.price if own_price is None else own_price
            for order in level:
                yield order, price

    def depth(self, levels: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        """(bids, asks), each the best ``levels`` as (price, total quantity, number of orders)."""
        return (
            [(level.price, level.quantity, level.count) for level in self._bids.best(levels)],
            [(level.price, level.quantity, level.count) for level in self._asks.best(levels)],
        )

    def level(self, side: Side, price: int) -> tuple[int, int, int]:
        """(price, total quantity, number of orders) of one price; zeros where no order rests."""
        if side is _BUY:
            level = self._bids.items.get(price)
        else:
            level = self._asks.items.get(-price)
        return (price, 0, 0) if level is None else (price, level.quantity, level.count)

    def open_quantity(self, side: Side) -> int:
        """The sum of what remains of all resting orders of a side."""
        ladder = self._bids if side is _BUY else self._asks
        return sum(level.quantity for level in ladder.items.values())

    def orders(self) -> Iterator[Order]:
        """Every resting order by priority, bids then asks; the book must not change meanwhile."""
        for ladder in (self._bids, self._asks):
            for level in ladder.walk():
                yield from level

    def _price_set_by_taker(
        self, side: Side, order_type: OrderType, price: int | None
    ) -> int | None:
        """The price of all its trades if the rule lets the taker set it: a limit sell, SELLER."""
        if side is _BUY or order_type is not _LIMIT or self.price_rule is not _SELLER:
            return None
        return price

    def _reach(self, side: Side, limit_price: int | None) -> Iterator[Level]:
        """The levels which a taker of this side crosses, best first."""
        if side is _BUY:
            ladder = self._asks
            floor = _UNBOUNDED if limit_price is None else -limit_price
        else:
            ladder = self._bids
            floor = _UNBOUNDED if limit_price is None else limit_price
        for level in ladder.walk():
            if level.key < floor:
                return
            yield level

    def _sweep(
        self, taker: Order, ladder: Ladder[Level], floor: int, own_price: int | None
    ) -> list[Execution]:
        """Trade with the levels from the best down to ``floor``; one loop, for speed."""
        executions: list[Execution] = []
        orders = self._orders
        remaining = taker.remaining
        while remaining and (top := ladder.top) and (key := top[-1]) >= floor:
            level = ladder.items[key]
            price = level.price if own_price is None else own_price
            maker = level.head
            while remaining:
                quantity = maker.remaining
                if quantity > remaining:
                    maker.remaining = left = quantity - remaining
                    level.quantity -= remaining
                    executions.append(_new(Execution, (maker, price, remaining, left, 0)))
                    remaining = 0
                    break
                remaining -= quantity
                maker.remaining = 0
                executions.append(_new(Execution, (maker, price, quantity, 0, remaining)))
                del orders[maker.order_id]
                if maker.valid_until is not None:
                    self._times.remove(maker._expiry_key)
                maker._level = None
                following = maker._next
                if following is None:
                    ladder.remove(key)
                    break
                maker._next = following._previous = None
                level.head = following
                level.count -= 1
                level.quantity -= quantity
                maker = following
        taker.remaining = remaining
        return executions
