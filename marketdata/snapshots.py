"""The read side of the books in Valkey: written by the engine before its replies, read by web.

A snapshot is written only over an older one, so that a late writer cannot turn time back. A reader
that finds none, or one past its next expiry, asks the database.
"""

from collections.abc import Iterable

import msgspec
import redis

from common.valkey import key
from common.valkey_socket import Command

# Levels on each side that a snapshot keeps: the deepest that an API answer shows.
DEPTH = 50

# One call for all books of a batch. KEYS: books; ARGV: epoch, sequence, then one payload a book.
_WRITE_NEWER = """
local epoch, sequence = tonumber(ARGV[1]), tonumber(ARGV[2])
for i, book in ipairs(KEYS) do
    local old = redis.call('HMGET', book, 'e', 's')
    local old_epoch, old_sequence = tonumber(old[1] or -1), tonumber(old[2] or -1)
    if epoch > old_epoch or (epoch == old_epoch and sequence >= old_sequence) then
        redis.call('HSET', book, 'e', ARGV[1], 's', ARGV[2], 'd', ARGV[i + 2])
    end
end
"""

Level = tuple[int, int, int]


class BookSnapshot(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A book in ticks and lots, best first: levels are (price, total quantity, order count)."""

    next_expiry_at: int | None
    last_price: int | None
    bids: list[Level]
    asks: list[Level]
    mark_price: int | None = None


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
    sequence: int,
    snapshots: Iterable[tuple[int, BookSnapshot]],
) -> None:
    """Write `(instrument_id, snapshot)`s of one batch, each only over an older one."""
    command = write_command(shard=shard, epoch=epoch, sequence=sequence, snapshots=snapshots)
    client.execute_command(*command)


def write_command(
    *, shard: int, epoch: int, sequence: int, snapshots: Iterable[tuple[int, BookSnapshot]]
) -> Command:
    """The command that does what `write_snapshots` does."""
    keys, payloads = [], []
    for instrument_id, snapshot in snapshots:
        keys.append(book_key(shard, instrument_id))
        payloads.append(_encoder.encode(snapshot))
    return ("EVAL", _WRITE_NEWER, len(keys), *keys, epoch, sequence, *payloads)


def read_snapshot(client: "redis.Redis", *, shard: int, instrument_id: int) -> BookSnapshot | None:
    """The newest snapshot of a book; None when the read side has none."""
    return read_snapshots(client, [(shard, instrument_id)])[0]


def read_snapshots(
    client: "redis.Redis", books: Iterable[tuple[int, int]]
) -> list[BookSnapshot | None]:
    """The newest snapshots of some books, each (shard, instrument id), in one round trip."""
    pipeline = client.pipeline(transaction=False)
    for shard, instrument_id in books:
        pipeline.hget(book_key(shard, instrument_id), "d")
    return [None if data is None else _decoder.decode(data) for data in pipeline.execute()]
