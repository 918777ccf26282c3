"""One price of a book: a queue of orders, linked through the orders themselves.

Cost: O(1) to join, and O(1) to leave from anywhere, at the expense of no memory beyond the
orders.  A deque with lazy deletion was no faster, and must be compacted at times, in a step that
grows with the queue; a dict in the order of insertion scans what was deleted at its front.
"""

from __future__ import annotations

from collections.abc import Iterator

from orders.matching.types import Order


class Level:
    """All resting orders of one price, from ``head`` (the oldest) to ``tail``; never empty.

    ``quantity`` is the sum of what remains of them, ``count`` their number; ``key`` is where the
    ladder has the level.
    """

    __slots__ = ("count", "head", "key", "price", "quantity", "tail")

    def __init__(self, key: int, price: int, order: Order) -> None:
        self.key = key
        self.price = price
        self.quantity = order.remaining
        self.count = 1
        self.head = order
        self.tail = order

    def __iter__(self) -> Iterator[Order]:
        order: Order | None = self.head
        while order is not None:
            yield order
            order = order._next
