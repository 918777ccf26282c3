"""When resting orders run out: a heap for each book, and a heap of the books' earliest entries.

Ordering: ``(valid_until, sequence)`` over all books; entries equal in both fire as they came.

Cost: O(log n) per entry.  An order that is filled or canceled leaves its entry behind, which is
skipped when it comes up.  Entries left behind are swept out when a book's heap holds more than
twice as many entries as the book holds orders: O(1) per entry on average, memory in proportion
to the book, and one longer pause (about 0.1 s for a million entries) per that many new ones.

Known limit: an entry counts as alive while its order rests with the same ``valid_until`` and
``sequence``; whoever changes these on a resting order must cancel and rest it again.
"""

from __future__ import annotations

from collections.abc import Sized
from heapq import heapify, heappop, heappush

from orders.matching.types import Order

_SLACK = 64  # entries a small heap may hold before it is worth sweeping

_Entry = tuple[int, int, int, Order]  # valid_until, sequence, number of the entry, order


class ExpirySchedule:
    """The orders with a ``valid_until`` of every book that was added."""

    __slots__ = ("_books", "_entries", "_heads", "_heaps")

    def __init__(self) -> None:
        self._books: dict[int, Sized] = {}
        self._heaps: dict[int, list[_Entry]] = {}
        self._heads: list[tuple[int, int, int, int]] = []  # as an entry, with the book's id
        self._entries = 0

    def add_book(self, instrument_id: int, book: Sized) -> None:
        """Begin to keep time for a book."""
        self._books[instrument_id] = book
        self._heaps[instrument_id] = []

    def drop_book(self, instrument_id: int) -> None:
        """Forget a book and all its entries."""
        del self._books[instrument_id]
        del self._heaps[instrument_id]

    def push(self, instrument_id: int, order: Order) -> None:
        """Keep time for an order, with a ``valid_until``, which now rests in this book."""
        assert order.valid_until is not None
        heap = self._heaps[instrument_id]
        self._entries = number = self._entries + 1
        heappush(heap, (order.valid_until, order.sequence, number, order))
        if heap[0][2] == number:
            self._announce(instrument_id, heap)
        if len(heap) > 2 * len(self._books[instrument_id]) + _SLACK:
            self._sweep(instrument_id, heap)

    def pop_due(self, now: int) -> tuple[int, Order] | None:
        """Remove and return (instrument, order) of the earliest order due at ``now``, if any."""
        head = self._earliest()
        if head is None or head[0] > now:
            return None
        instrument_id = head[3]
        heap = self._heaps[instrument_id]
        order = heappop(heap)[3]
        heappop(self._heads)
        if heap:
            self._announce(instrument_id, heap)
        return instrument_id, order

    def next_in_book(self, instrument_id: int) -> int | None:
        """The earliest ``valid_until`` of this book's resting orders."""
        heap = self._heaps[instrument_id]
        if heap and not _is_alive(heap[0]):
            while heap and not _is_alive(heap[0]):
                heappop(heap)
            if heap:
                self._announce(instrument_id, heap)
        return heap[0][0] if heap else None

    def next(self) -> int | None:
        """The earliest ``valid_until`` of all books' resting orders."""
        head = self._earliest()
        return None if head is None else head[0]

    def _earliest(self) -> tuple[int, int, int, int] | None:
        """The first of the heads that is still its book's first entry and alive."""
        heads = self._heads
        while heads:
            head = heads[0]
            heap = self._heaps.get(head[3])
            if heap and heap[0][2] == head[2] and _is_alive(heap[0]):
                return head
            heappop(heads)
            if heap and heap[0][2] == head[2]:
                self.next_in_book(head[3])
        return None

    def _announce(self, instrument_id: int, heap: list[_Entry]) -> None:
        """Put a book's first entry among the heads."""
        valid_until, sequence, number, _ = heap[0]
        heads = self._heads
        heappush(heads, (valid_until, sequence, number, instrument_id))
        if len(heads) > 2 * len(self._heaps) + _SLACK:
            heads[:] = [(*heap[0][:3], key) for key, heap in self._heaps.items() if heap]
            heapify(heads)

    def _sweep(self, instrument_id: int, heap: list[_Entry]) -> None:
        """Throw out the entries whose orders are gone."""
        heap[:] = [entry for entry in heap if _is_alive(entry)]
        heapify(heap)
        if heap:
            self._announce(instrument_id, heap)


def _is_alive(entry: _Entry) -> bool:
    valid_until, sequence, _, order = entry
    return (
        order._level is not None and order.valid_until == valid_until and order.sequence == sequence
    )
