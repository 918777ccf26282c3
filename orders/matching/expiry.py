"""Finds the book in which an order runs out next: a heap over the books.

Each book knows which of its own orders runs out first, since it takes them out of its ladder of
times at once when they leave; so nothing piles up there and nothing has to be swept.  (A heap of
orders with lazy deletion takes about half the time per order, but with a million orders each
sweep took most of a second, and so did a look at the earliest time after a mass cancel.)  Only the
heads of the books kept here go stale; there are never many more than books, and they are put
right when they come up.

Ordering: ``(valid_until, sequence)`` over all books.  Cost: O(log b) with b books.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush, heapreplace
from typing import Protocol

from orders.matching.types import Order

_SLACK = 64  # stale heads that are not worth sweeping

Head = tuple[int, int, int]
"""``(valid_until, sequence, instrument)``."""


class TimedBook(Protocol):
    """A book that knows which of its orders runs out first."""

    @property
    def first_to_expire(self) -> Order | None:
        """The resting order with the least ``(valid_until, sequence)``, if any has the former."""


class ExpiryHeads:
    """Finds the book in which an order runs out next.

    Every book with such orders has one head that counts, which is not later than the first of
    them; others in the heap are left over, and are dropped when they come up.
    """

    __slots__ = ("_books", "_counting", "_heads")

    def __init__(self, books: Mapping[int, TimedBook]) -> None:
        self._books = books
        self._counting: dict[int, Head] = {}
        self._heads: list[Head] = []

    def note(self, instrument_id: int, order: Order) -> None:
        """Take notice that this order is now the first of its book to run out."""
        head = _head(order, instrument_id)
        counting = self._counting.get(instrument_id)
        if counting is not None and counting <= head:
            return
        self._counting[instrument_id] = head
        heads = self._heads
        heappush(heads, head)
        if len(heads) > 2 * len(self._books) + _SLACK:
            heads[:] = self._counting.values()
            heapify(heads)

    def pop_due(self, now: int) -> int | None:
        """An instrument whose book may have orders with ``valid_until <= now``; None: no more.

        Its head is forgotten: the caller takes the orders out and notes the next one.
        """
        heads, counting = self._heads, self._counting
        while heads and heads[0][0] <= now:
            head = heappop(heads)
            if counting.get(head[2]) == head:
                del counting[head[2]]
                return head[2]
        return None

    def due(self, now: int) -> set[int]:
        """The instruments whose books may have orders with ``valid_until <= now``.

        Walks down the heap as far as heads are due; nothing is forgotten.
        """
        heads, found, waiting = self._heads, set(), [0]
        while waiting:
            place = waiting.pop()
            if place < len(heads) and heads[place][0] <= now:
                found.add(heads[place][2])
                waiting += (2 * place + 1, 2 * place + 2)
        return found

    def earliest(self) -> tuple[int, Order] | None:
        """(instrument, order) of the order that runs out next, if there is one."""
        heads, counting = self._heads, self._counting
        while heads:
            head = heads[0]
            instrument_id = head[2]
            if counting.get(instrument_id) != head:
                heappop(heads)
                continue
            book = self._books.get(instrument_id)
            order = None if book is None else book.first_to_expire
            if order is None:
                heappop(heads)
                del counting[instrument_id]
                continue
            right = _head(order, instrument_id)
            if right == head:
                return instrument_id, order
            counting[instrument_id] = right
            heapreplace(heads, right)
        return None


def _head(order: Order, instrument_id: int) -> Head:
    assert order.valid_until is not None
    return order.valid_until, order.sequence, instrument_id
