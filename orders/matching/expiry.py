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


class TimedBook(Protocol):
    """A book that knows which of its orders runs out first."""

    @property
    def first_to_expire(self) -> Order | None:
        """The resting order with the least ``(valid_until, sequence)``, if any has the former."""


class ExpiryHeads:
    """Finds the book in which an order runs out next.

    For every book with such orders there is a head ``(valid_until, sequence, instrument)`` that is
    not later than the first of them.
    """

    __slots__ = ("_books", "_heads")

    def __init__(self, books: Mapping[int, TimedBook]) -> None:
        self._books = books
        self._heads: list[tuple[int, int, int]] = []

    def note(self, instrument_id: int, order: Order) -> None:
        """Take notice that this order is now the first of its book to run out."""
        heads = self._heads
        heappush(heads, _head(order, instrument_id))
        if len(heads) > 2 * len(self._books) + _SLACK:
            firsts = [(book.first_to_expire, key) for key, book in self._books.items()]
            heads[:] = [_head(first, key) for first, key in firsts if first is not None]
            heapify(heads)

    def earliest(self) -> tuple[int, Order] | None:
        """(instrument, order) of the order that runs out next, if there is one."""
        heads = self._heads
        while heads:
            instrument_id = heads[0][2]
            book = self._books.get(instrument_id)
            order = None if book is None else book.first_to_expire
            if order is None:
                heappop(heads)
                continue
            head = _head(order, instrument_id)
            if head == heads[0]:
                return instrument_id, order
            if head > heads[0]:
                heapreplace(heads, head)
            else:  # the book has another head, which is right or earlier
                heappop(heads)
        return None


def _head(order: Order, instrument_id: int) -> tuple[int, int, int]:
    assert order.valid_until is not None
    return order.valid_until, order.sequence, instrument_id
