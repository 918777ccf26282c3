"""Many books and one clock that is told the time: a deterministic state machine.

The same calls give the same results, byte for byte: there is no clock, no random number and no
I/O here, and nothing depends on hashes or addresses.  ``now`` is the time of the last `expire`.

Cost: that of the book (see `orders.matching.book`), and O(log n) for the coming and going of an
order with a ``valid_until`` (see `orders.matching.expiry`).

``books`` may be read by anyone, and orders canceled there; but they come through the matcher, since
it watches their time.
"""

from __future__ import annotations

from collections.abc import Hashable

from orders.matching.book import OrderBook
from orders.matching.expiry import ExpiryHeads
from orders.matching.types import Execution, Order, PriceRule


class Matcher:
    """The books of one shard, by instrument id."""

    __slots__ = ("_has_overdue", "_heads", "books", "now")

    def __init__(self) -> None:
        self.books: dict[int, OrderBook] = {}
        self.now = 0
        self._heads = ExpiryHeads(self.books)
        self._has_overdue = False

    def add_book(self, instrument_id: int, price_rule: PriceRule) -> OrderBook:
        """Open an empty book for an instrument that has none."""
        assert instrument_id not in self.books, "the instrument has a book already"
        book = self.books[instrument_id] = OrderBook(price_rule)
        return book

    def drop_book(self, instrument_id: int) -> None:
        """Forget a book with its orders and their expiry, so that it can be rebuilt."""
        del self.books[instrument_id]

    def place(self, instrument_id: int, order: Order) -> list[Execution]:
        """Match an order and rest what remains of it if it is a LIMIT that may stay.

        What remains of a MARKET or IOC order is in no book: the caller reads ``remaining``.  An
        order past its ``valid_until`` at ``now`` neither trades nor rests.
        """
        assert not self._has_overdue, "orders restored past their time: call expire() first"
        valid_until = order.valid_until
        if valid_until is None:
            return self.books[instrument_id].place(order)
        if valid_until <= self.now:
            return []
        book = self.books[instrument_id]
        executions = book.place(order)
        if book.first_to_expire is order:
            self._heads.note(instrument_id, order)
        return executions

    def cancel(self, instrument_id: int, order_id: Hashable) -> Order | None:
        """Take an order out of its book and return it, or None if it does not rest there.

        The same as to cancel it at the book, for callers that do not count calls.
        """
        return self.books[instrument_id].cancel(order_id)

    def expire(self, now: int) -> list[Order]:
        """Set the time, and take out every order with ``valid_until <= now``.

        They come in the order of (valid_until, sequence).
        """
        self.now = now
        self._has_overdue = False
        expired: list[Order] = []
        while (instrument_id := self._heads.pop_due(now)) is not None:
            book = self.books.get(instrument_id)
            if book is not None:
                expired += book.expire(now)
                first = book.first_to_expire
                if first is not None:
                    self._heads.note(instrument_id, first)
        expired.sort(key=_time_of)
        return expired

    def due(self, now: int) -> list[Order]:
        """What `expire` would report now, in its order; everything stays as it is."""
        due: list[Order] = []
        for instrument_id in self._heads.due(now):
            book = self.books.get(instrument_id)
            if book is not None:
                due += book.due(now)
        due.sort(key=_time_of)
        return due

    def restore(self, instrument_id: int, order: Order) -> None:
        """Rest an order known to be open, which meets nothing; call in the order of ``sequence``.

        One that is past its time rests too, until `expire` reports it; `place` insists on that.
        """
        book = self.books[instrument_id]
        executions = book.place(order)
        assert not executions, "an open order crosses another"
        if book.first_to_expire is order:
            self._heads.note(instrument_id, order)
        if order.valid_until is not None and order.valid_until <= self.now:
            self._has_overdue = True

    def next_expiry(self, instrument_id: int) -> int | None:
        """The earliest ``valid_until`` among the resting orders of one book."""
        order = self.books[instrument_id].first_to_expire
        return None if order is None else order.valid_until

    def next_expiry_any(self) -> int | None:
        """The earliest ``valid_until`` among the resting orders of all books."""
        earliest = self._heads.earliest()
        return None if earliest is None else earliest[1].valid_until


def _time_of(order: Order) -> tuple[int | None, int]:
    return order.valid_until, order.sequence
