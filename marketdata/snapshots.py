"""The read side of the books in Valkey: written by the engine before its replies, read by web.

A book is a hash of two parts: a snapshot (`d`, with its number in `f`), and what has changed since
(`c`): the levels that are other now, whole. So a batch writes the few levels that it has touched,
whatever the depth of the book, and a reader needs no more than the two. A part is written only over
an older one (by epoch `e` and number `s`), and changes only to the snapshot that they were made
for, so that neither a late writer nor a server that comes back with old data turns time back. A
reader that finds none, or one past its next expiry, asks the database.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
import redis

from common.valkey import key
from common.valkey_socket import Command

# Levels on each side that a reader gets: the deepest that an API answer shows.
DEPTH = 50
# Levels on each side that may have changed since the snapshot. It keeps so many more, so that what
# is left of it reaches deep enough.
CHANGES_MAX = 20
SNAPSHOT_DEPTH = DEPTH + CHANGES_MAX

# One call for all books of a batch. KEYS: books; ARGV: epoch, number, then for each book the number
# of the snapshot that the changes are made for (empty: it is a snapshot), and the payload.
# Returns the places of the books that are without their snapshot.
_WRITE_NEWER = """
local epoch, number, without = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for i, book in ipairs(KEYS) do
    local base, payload = ARGV[2 * i + 1], ARGV[2 * i + 2]
    local old = redis.call('HMGET', book, 'e', 's', 'f')
    local old_epoch, old_number = tonumber(old[1] or -1), tonumber(old[2] or -1)
    local is_newer = epoch > old_epoch or (epoch == old_epoch and number >= old_number)
    if base == '' then
        if is_newer then
            redis.call('HSET', book, 'e', ARGV[1], 's', ARGV[2], 'f', ARGV[2], 'd', payload)
            redis.call('HDEL', book, 'c')
        end
    elseif is_newer and epoch == old_epoch and base == old[3] then
        redis.call('HSET', book, 's', ARGV[2], 'c', payload)
    else
        without[#without + 1] = i
    end
end
return without
"""

# Price, total quantity, order count; in changes, a quantity of 0 says that the level is gone.
Level = tuple[int, int, int]


class BookSnapshot(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A book in ticks and lots, best first: levels are (price, total quantity, order count).

    As changes: only the levels that are other than in an earlier one, in any order.
    """

    next_expiry_at: int | None
    last_price: int | None
    bids: Sequence[Level]
    asks: Sequence[Level]
    mark_price: int | None = None


class BookWrite(NamedTuple):
    """A snapshot of a book, or changes to the one of the number `base`."""

    instrument_id: int
    content: BookSnapshot
    base: int | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(BookSnapshot)


def book_key(shard: int, instrument_id: int) -> str:
    """Where the snapshot of an instrument lies; all books of a shard share a hash slot."""
    return key(f"book:{{{shard}}}:{instrument_id}")


def write_snapshots(
    client: "redis.Redis",
    *,
    shard: int,
    epoch: int,
    number: int,
    snapshots: Iterable[tuple[int, BookSnapshot]],
) -> None:
    """Write `(instrument_id, snapshot)`s, each only over an older one."""
    writes = [BookWrite(instrument_id, snapshot) for instrument_id, snapshot in snapshots]
    client.execute_command(*write_command(writes, shard=shard, epoch=epoch, number=number))


def write_command(writes: Iterable[BookWrite], *, shard: int, epoch: int, number: int) -> Command:
    """The command that writes books of a shard, at least one.

    `number` counts the writes of an epoch. The reply lists the places (from 1) of the changes that
    found another snapshot than theirs, or a newer book.

    Raises:
        OverflowError: an integer has more than 64 bits.
    """
    keys: list[str] = []
    payloads: list[str | bytes | int] = []
    for instrument_id, content, base in writes:
        keys.append(book_key(shard, instrument_id))
        payloads += ("" if base is None else base, _encoder.encode(content))
    return ("EVAL", _WRITE_NEWER, len(keys), *keys, epoch, number, *payloads)


def read_snapshot(client: "redis.Redis", *, shard: int, instrument_id: int) -> BookSnapshot | None:
    """The newest snapshot of a book; None when the read side has none."""
    return read_snapshots(client, [(shard, instrument_id)])[0]


def read_snapshots(
    client: "redis.Redis", books: Iterable[tuple[int, int]]
) -> list[BookSnapshot | None]:
    """The newest snapshots of some books, each (shard, instrument id), in one round trip."""
    pipeline = client.pipeline(transaction=False)
    for shard, instrument_id in books:
        pipeline.hmget(book_key(shard, instrument_id), "d", "c")
    return [_read(snapshot, changes) for snapshot, changes in pipeline.execute()]


def _read(snapshot: bytes | None, changes: bytes | None) -> BookSnapshot | None:
    if snapshot is None:
        return None
    book = _decoder.decode(snapshot)
    latest = book if changes is None else _decoder.decode(changes)
    changed_bids, changed_asks = ((), ()) if changes is None else (latest.bids, latest.asks)
    return BookSnapshot(
        latest.next_expiry_at,
        latest.last_price,
        _merged(book.bids, changed_bids, is_bid=True),
        _merged(book.asks, changed_asks, is_bid=False),
        latest.mark_price,
    )


def _merged(levels: Sequence[Level], changed: Sequence[Level], *, is_bid: bool) -> list[Level]:
    """The best levels of a side, with those that have changed in their places."""
    if not changed:
        return list(levels[:DEPTH])
    by_price = {level[0]: level for level in levels}
    by_price.update((level[0], level) for level in changed)
    best_first = sorted(by_price.values(), reverse=is_bid)
    return [level for level in best_first if level[1]][:DEPTH]
