"""One half of a book: its price levels, best first, each a queue of orders.

Ordering: a level is found by its *key*, the price for bids and the negated price for asks, so on
both halves a greater key is a better price and "crosses" is one comparison.

Cost: the keys stand in ascending chunks of at most ``CHUNK_LIMIT``, the best at the end of the
last one, which is where a market is busy: the best is read in O(1), a level there is opened or
closed by one bisection of a short list.  Farther away one more bisection finds the chunk.  No
step moves more than a chunk, however many levels there are; a chunk that overflows is halved,
one that runs empty is dropped.

Invariants: ``levels`` and the chunks hold the same keys; no level is empty; no chunk is empty,
except the only one of an empty half; ``floors[i]`` is a lower bound of chunk ``i + 1`` and above
all keys of chunk ``i``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from itertools import islice

from orders.matching.types import Order

CHUNK_LIMIT = 512


class Level:
    """All resting orders of one price, a doubly linked queue from ``head`` (oldest) to ``tail``.

    ``quantity`` is the sum of what remains of them, ``count`` their number.
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


class Ladder:
    """The levels of one half of a book, sorted by key.

    ``top`` is the last chunk: its last element is the best key, and it is empty only if the
    whole half is.
    """

    __slots__ = ("chunks", "floors", "levels", "top")

    def __init__(self) -> None:
        self.levels: dict[int, Level] = {}
        self.top: list[int] = []
        self.chunks: list[list[int]] = [self.top]
        self.floors: list[int] = []

    def open(self, level: Level) -> None:
        """Add a level whose key is not there yet."""
        key = level.key
        self.levels[key] = level
        floors = self.floors
        if not floors or key >= floors[-1]:
            chunk = self.top
        else:
            chunk = self.chunks[bisect_right(floors, key)]
        insort(chunk, key)
        if len(chunk) > CHUNK_LIMIT:
            self._halve(bisect_right(floors, key))

    def close(self, key: int) -> None:
        """Remove the level of this key."""
        del self.levels[key]
        top = self.top
        if top[-1] == key:
            top.pop()
            if not top:
                self._drop(len(self.floors))
            return
        index = bisect_right(self.floors, key)
        chunk = self.chunks[index]
        del chunk[bisect_left(chunk, key)]
        if not chunk:
            self._drop(index)

    def best(self, count: int) -> list[Level]:
        """The best ``count`` levels, or all if there are fewer, best first."""
        return list(islice(self.walk(), count))

    def walk(self) -> Iterator[Level]:
        """Every level, best first; the half must not change meanwhile."""
        levels = self.levels
        for chunk in reversed(self.chunks):
            for key in reversed(chunk):
                yield levels[key]

    def _halve(self, index: int) -> None:
        chunk = self.chunks[index]
        middle = len(chunk) // 2
        upper = chunk[middle:]
        del chunk[middle:]
        self.chunks.insert(index + 1, upper)
        self.floors.insert(index, upper[0])
        self.top = self.chunks[-1]

    def _drop(self, index: int) -> None:
        if not self.floors:
            return
        del self.chunks[index]
        del self.floors[max(index - 1, 0)]
        self.top = self.chunks[-1]
