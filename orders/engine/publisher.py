"""Tells the world what was committed: book snapshots first, then the answers, one round trip.

Losing a message here loses nothing: web asks the database when an answer does not come, and a
reader without a snapshot does so too. Snapshots are published anew after a failure.
"""

import logging
from collections.abc import Iterable

import redis
from brokers.tasks import deliver_webhooks
from kombu.exceptions import OperationalError

from common.valkey import key
from marketdata.snapshots import DEPTH, BookSnapshot, write_snapshots
from orders.commands import encode
from orders.engine.batch import BatchChanges
from orders.engine.state import ShardState
from orders.streams import command_stream, reply_channel

logger = logging.getLogger(__name__)

_PUBLISH_CHUNK = 500
# How often the engine wakes the webhook worker at most.
_NUDGE_MS = 200


class Publisher:
    """Publishes the batches of one shard."""

    def __init__(self, client: "redis.Redis", state: ShardState) -> None:
        self._client = client
        self._state = state
        self._run_id: str | None = None
        self._all_is_due = True

    def publish(self, changes: BatchChanges) -> None:
        """Snapshots of the touched books, the answers, and the trimming of the stream."""
        state = self._state
        try:
            pipeline = self._client.pipeline(transaction=False)
            self._snapshots(pipeline, changes.touched_instruments)
            for reply_to, outcomes in changes.outcomes.items():
                pipeline.publish(reply_channel(reply_to), encode(outcomes))
            pipeline.xtrim(command_stream(state.shard), minid=_next_id(state.last_id),
                           approximate=False)  # fmt: skip
            if changes.webhooks:
                pipeline.set(key("webhooks:nudged"), 1, nx=True, px=_NUDGE_MS)
            results = pipeline.execute()
        except redis.RedisError as error:
            self._all_is_due = True
            logger.warning("answers of a batch not published: %s", error)
            return
        if changes.webhooks and results[-1]:
            self._nudge_webhooks()

    def check_server(self) -> None:
        """Publish all books anew when Valkey was restarted, or a batch could not be published."""
        run_id = self._client.info("server")["run_id"]
        if run_id != self._run_id or self._all_is_due:
            self.publish_all()
            self._run_id = run_id

    def publish_all(self) -> None:
        """Write the snapshot of every book of the shard."""
        ids = list(self._state.instruments)
        for start in range(0, len(ids), _PUBLISH_CHUNK):
            self._snapshots(self._client, ids[start : start + _PUBLISH_CHUNK])
        self._all_is_due = False

    def _snapshots(
        self, client: "redis.Redis | redis.client.Pipeline", instrument_ids: Iterable[int]
    ) -> None:
        state = self._state
        matcher, last_prices = state.matcher, state.last_prices
        snapshots = []
        for instrument_id in instrument_ids:
            bids, asks = matcher.books[instrument_id].depth(DEPTH)
            snapshot = BookSnapshot(
                matcher.next_expiry(instrument_id), last_prices.get(instrument_id), bids, asks
            )
            snapshots.append((instrument_id, snapshot))
        write_snapshots(
            client,
            shard=state.shard,
            epoch=state.epoch,
            sequence=state.next_sequence,
            snapshots=snapshots,
        )

    def _nudge_webhooks(self) -> None:
        try:
            deliver_webhooks.apply_async(retry=False)
        except OperationalError as error:
            logger.warning("the webhook worker was not woken, beat will: %s", error)


def _next_id(stream_id: str) -> str:
    """The smallest id after `stream_id`."""
    ms, _, sequence = stream_id.partition("-")
    return f"{ms}-{int(sequence) + 1}"
