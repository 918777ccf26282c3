"""What Valkey shows of the books: which levels have changed since their last snapshots."""

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from common.valkey_socket import Command
from marketdata.snapshots import (
    CHANGES_MAX,
    SNAPSHOT_DEPTH,
    BookSnapshot,
    BookWrite,
    Level,
    write_command,
)
from orders.engine.core.batch import BatchChanges
from orders.engine.core.state import LiveOrder, ShardState
from orders.matching.types import Side

# The largest integer of msgpack that every reader takes.
_INTEGER_MAX = (1 << 63) - 1
_BUY = Side.BUY


class _ShownSide:
    """The levels of one side that have changed since the snapshot."""

    __slots__ = ("changed", "farthest", "side")

    def __init__(self, side: Side, levels: Sequence[Level]) -> None:
        self.side = side
        self.changed: dict[int, Level] = {}
        # The last price that the snapshot knows; None: it has all.
        self.farthest = levels[-1][0] if len(levels) == SNAPSHOT_DEPTH else None

    def covers(self, price: int) -> bool:
        """Whether the snapshot tells about this price."""
        if self.farthest is None:
            return True
        return price >= self.farthest if self.side is _BUY else price <= self.farthest


class _ShownBook:
    """A snapshot that was published, by its number, and what has changed since."""

    __slots__ = ("asks", "bids", "number")

    def __init__(self, number: int, snapshot: BookSnapshot) -> None:
        self.number = number
        self.bids = _ShownSide(Side.BUY, snapshot.bids)
        self.asks = _ShownSide(Side.SELL, snapshot.asks)

    @property
    def is_outgrown(self) -> bool:
        """Whether so many levels have changed that a new snapshot is due."""
        return len(self.bids.changed) > CHANGES_MAX or len(self.asks.changed) > CHANGES_MAX


class ShownBooks:
    """Writes the books of a shard: levels that a batch has changed, or a whole snapshot.

    It has to be told when what it wrote may not be there: `forget`.
    """

    def __init__(self, state: ShardState) -> None:
        self._state = state
        self._books: dict[int, _ShownBook] = {}
        self._number = 0

    def forget(self) -> None:
        """Write each book whole at its next turn."""
        self._books.clear()

    def write_changes(self, changes: BatchChanges) -> Command | None:
        """The command that shows what a batch has changed; None where it touched no book."""
        if not changes.touched_instruments:
            return None
        self._note_levels(chain(changes.new_orders, changes.changed_orders.values()))
        return self._write(changes.touched_instruments)

    def write_whole(self, instrument_ids: Sequence[int]) -> Command:
        """The command that shows some books whole."""
        for instrument_id in instrument_ids:
            self._books.pop(instrument_id, None)
        return self._write(instrument_ids)

    def _note_levels(self, orders: Iterable[LiveOrder]) -> None:
        """Note the levels of orders that rest, or that rested before the batch."""
        books = self._state.matcher.books
        for order in orders:
            instrument_id = order.instrument.instrument_id
            shown = self._books.get(instrument_id)
            price = order.price
            if shown is None or price is None:
                continue
            side = shown.bids if order.side is _BUY else shown.asks
            if side.covers(price):
                side.changed[price] = books[instrument_id].level(order.side, price)

    def _write(self, instrument_ids: Iterable[int]) -> Command:
        self._number += 1
        writes = [self._next_write(instrument_id) for instrument_id in instrument_ids]
        state = self._state
        try:
            return write_command(writes, shard=state.shard, epoch=state.epoch, number=self._number)
        except OverflowError:
            writes = [write._replace(content=_capped(write.content)) for write in writes]
            return write_command(writes, shard=state.shard, epoch=state.epoch, number=self._number)

    def _next_write(self, instrument_id: int) -> BookWrite:
        shown = self._books.get(instrument_id)
        if shown is None or shown.is_outgrown:
            bids, asks = self._state.matcher.books[instrument_id].depth(SNAPSHOT_DEPTH)
            snapshot = self._content(instrument_id, bids, asks)
            self._books[instrument_id] = _ShownBook(self._number, snapshot)
            return BookWrite(instrument_id, snapshot)
        bids, asks = list(shown.bids.changed.values()), list(shown.asks.changed.values())
        return BookWrite(instrument_id, self._content(instrument_id, bids, asks), shown.number)

    def _content(self, instrument_id: int, bids: list[Level], asks: list[Level]) -> BookSnapshot:
        state = self._state
        mark = state.positions.marks.get(instrument_id)
        return BookSnapshot(
            state.matcher.next_expiry(instrument_id),
            state.last_prices.get(instrument_id),
            bids,
            asks,
            None if mark is None else mark.price,
        )


def _capped(content: BookSnapshot) -> BookSnapshot:
    """The same with the largest quantity that can be written in place of any larger one."""
    bids, asks = (
        [(price, min(quantity, _INTEGER_MAX), count) for price, quantity, count in levels]
        for levels in (content.bids, content.asks)
    )
    return msgspec.structs.replace(content, bids=bids, asks=asks)
