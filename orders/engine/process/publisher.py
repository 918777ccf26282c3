"""Tells the world what was committed: book snapshots first, then the answers, one round trip.

Losing a message here loses nothing: web asks the database when an answer does not come, and a
reader without a snapshot does so too. Snapshots are published anew after a failure.
"""

import logging
from collections.abc import Iterable
from typing import TypeAlias

import msgspec
import redis

from brokers.tasks import NUDGE_SECONDS, NUDGED_KEY, queue_delivery
from common.valkey import key
from common.valkey_socket import Command, ValkeySocket
from marketdata.snapshots import DEPTH, BookSnapshot, write_command
from orders.commands import AnyOutcome, encode
from orders.engine.batch import BatchChanges
from orders.engine.state import ShardState
from orders.streams import command_stream, reply_channel

logger = logging.getLogger(__name__)

# Commands for Valkey that wait for the COMMIT.
Message: TypeAlias = list[Command]

_PUBLISH_CHUNK = 500
# The largest integer of msgpack that every reader takes.
_INTEGER_MAX = (1 << 63) - 1


class Publisher:
    """Publishes the batches of one shard."""

    def __init__(self, valkey: ValkeySocket, client: "redis.Redis", state: ShardState) -> None:
        """`client` is for what is rare."""
        self._valkey = valkey
        self._client = client
        self._state = state
        self._run_id: str | None = None
        # Whether the message on its way has a nudge for the worker of webhooks at its end.
        self._has_nudged = False
        # Valkey may show books that are older than the database.
        self.is_behind = True
        # Is there as long as the server has forgotten nothing.
        self._mark = key(f"books:{{{state.shard}}}")

    def compose(self, changes: BatchChanges, last_id: str) -> Message:
        """What is to be published when the batch, read up to `last_id`, is committed.

        Snapshots of the touched books, the answers, and the trimming of the stream. Sends nothing.
        """
        message = self._snapshots(changes.touched_instruments)
        for reply_to, outcomes in changes.outcomes.items():
            message.append(("PUBLISH", reply_channel(reply_to), _encoded(outcomes)))
        stream = command_stream(self._state.shard)
        message.append(("XTRIM", stream, "MINID", _next_id(last_id)))
        if changes.webhooks:
            message.append(("SET", key(NUDGED_KEY), 1, "NX", "EX", NUDGE_SECONDS))
        return message

    def publish_committed(self, message: Message, changes: BatchChanges) -> None:
        """Send what `compose` made of the changes, which are committed now.

        The replies are read by `confirm`, before anything else is sent.
        """
        self.confirm()
        try:
            self._valkey.send(message)
        except redis.RedisError as error:
            self._fall_behind(error)
        else:
            self._has_nudged = bool(changes.webhooks)

    def confirm(self) -> None:
        """Wait until Valkey has taken what was sent last."""
        if not self._valkey.is_waiting:
            return
        try:
            replies = self._valkey.receive()
        except redis.RedisError as error:
            self._fall_behind(error)
            return
        if self._has_nudged and replies[-1]:
            queue_delivery()

    def _fall_behind(self, error: redis.RedisError) -> None:
        self.is_behind = True
        logger.warning("answers of a batch not published: %s", error)

    def check_server(self) -> None:
        """Publish all books anew when Valkey was restarted or emptied, or a batch was not told."""
        run_id = self._client.info("server")["run_id"]
        if run_id != self._run_id or self.is_behind or not self._client.exists(self._mark):
            self.publish_all()
            self._run_id = run_id

    def publish_all(self) -> None:
        """Write the snapshot of every book of the shard."""
        ids = list(self._state.instruments)
        for start in range(0, len(ids), _PUBLISH_CHUNK):
            self._valkey.execute(*self._snapshots(ids[start : start + _PUBLISH_CHUNK]))
        self._client.set(self._mark, self._state.epoch)
        self.is_behind = False

    def _snapshots(self, instrument_ids: Iterable[int]) -> Message:
        snapshots = [(book_id, self._snapshot(book_id)) for book_id in instrument_ids]
        if not snapshots:
            return []
        try:
            return [self._write_command(snapshots)]
        except OverflowError:
            capped = [(book_id, _capped(snapshot)) for book_id, snapshot in snapshots]
            return [self._write_command(capped)]

    def _snapshot(self, instrument_id: int) -> BookSnapshot:
        matcher = self._state.matcher
        bids, asks = matcher.books[instrument_id].depth(DEPTH)
        last_price = self._state.last_prices.get(instrument_id)
        mark = self._state.positions.marks.get(instrument_id)
        mark_price = None if mark is None else mark.price
        next_expiry = matcher.next_expiry(instrument_id)
        return BookSnapshot(next_expiry, last_price, bids, asks, mark_price)

    def _write_command(self, snapshots: list[tuple[int, BookSnapshot]]) -> Command:
        state = self._state
        return write_command(
            shard=state.shard,
            epoch=state.epoch,
            sequence=state.next_sequence,
            snapshots=snapshots,
        )


def _next_id(stream_id: str) -> str:
    """The smallest id after `stream_id`."""
    ms, _, sequence = stream_id.partition("-")
    return f"{ms}-{int(sequence) + 1}"


def _encoded(outcomes: list[AnyOutcome]) -> bytes:
    """Outcomes as web reads them. Money beyond 64 bits cannot be told: web looks that order up."""
    try:
        return encode(outcomes)
    except OverflowError:
        return encode([outcome for outcome in outcomes if _can_be_told(outcome)])


def _can_be_told(outcome: AnyOutcome) -> bool:
    try:
        encode(outcome)
    except OverflowError:
        return False
    return True


def _capped(snapshot: BookSnapshot) -> BookSnapshot:
    """The snapshot with the largest quantity that can be written in place of any larger one."""
    bids, asks = (
        [(price, min(quantity, _INTEGER_MAX), count) for price, quantity, count in levels]
        for levels in (snapshot.bids, snapshot.asks)
    )
    return msgspec.structs.replace(snapshot, bids=bids, asks=asks)
