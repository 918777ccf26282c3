"""Publishes what was committed: books first, then the answers, in one message.

Losing a message here loses nothing: web asks the database when an answer does not come, and a
reader without a snapshot does so too. Books are published whole again after a failure.
"""

import logging
from typing import TypeAlias

import redis

from brokers.tasks import NUDGE_SECONDS, NUDGED_KEY, queue_delivery
from common.valkey import key
from common.valkey_socket import Command, ValkeySocket
from orders.commands import AnyOutcome, encode
from orders.engine.core.batch import BatchChanges
from orders.engine.core.state import ShardState
from orders.engine.process.books import ShownBooks
from orders.streams import command_stream, reply_channel

logger = logging.getLogger(__name__)

# Commands for Valkey that wait for the COMMIT.
Message: TypeAlias = list[Command]

_PUBLISH_CHUNK = 500


class Publisher:
    """Publishes the batches of one shard."""

    def __init__(self, valkey: ValkeySocket, client: "redis.Redis", state: ShardState) -> None:
        """`client` is for what is rare."""
        self._valkey = valkey
        self._client = client
        self._state = state
        self._books = ShownBooks(state)
        self._run_id: str | None = None
        # Whether the message on its way has books at its beginning, and a nudge for the worker of
        # webhooks at its end.
        self._has_shown = self._has_nudged = False
        # Valkey may show books that are older than the database.
        self.is_behind = True
        # Is there as long as the server has forgotten nothing.
        self._mark = key(f"books:{{{state.shard}}}")

    def compose(self, changes: BatchChanges, last_id: str) -> Message:
        """What is to be published when the batch, read up to `last_id`, is committed.

        The touched books, the answers, and the trimming of the stream. Sends nothing.
        """
        shown = self._books.write_changes(changes)
        message: Message = [] if shown is None else [shown]
        for reply_to, outcomes in changes.outcomes.items():
            message.append(("PUBLISH", reply_channel(reply_to), _encoded(outcomes)))
        stream = command_stream(self._state.shard)
        message.append(("XTRIM", stream, "MINID", _next_id(last_id)))
        if changes.webhooks:
            message.append(("SET", key(NUDGED_KEY), 1, "NX", "EX", NUDGE_SECONDS))
        return message

    def publish_committed(self, message: Message, changes: BatchChanges) -> None:
        """Send what `compose` made of the changes, which are committed now.

        The replies are read by `confirm`, before anything else is sent. Raises nothing: a batch
        that is committed cannot fail any more.
        """
        try:
            self.confirm()
            self._valkey.send(message)
        except redis.RedisError as error:
            self._fall_behind(error)
        except Exception as error:
            logger.exception("publishing failed")
            self._fall_behind(error)
        else:
            self._has_nudged = bool(changes.webhooks)
            self._has_shown = bool(changes.touched_instruments)

    def forget_books(self) -> None:
        """Show each book whole at its next turn: what was composed was not committed."""
        self._books.forget()

    def confirm(self) -> None:
        """Wait until Valkey has taken what was sent last."""
        if not self._valkey.is_waiting:
            return
        try:
            replies = self._valkey.receive()
        except redis.RedisError as error:
            self._fall_behind(error)
            return
        if self._has_shown and replies[0]:
            self._fall_behind("Valkey has lost, or another engine has written, some books")
        if self._has_nudged and replies[-1]:
            queue_delivery()

    def _fall_behind(self, reason: Exception | str) -> None:
        self.is_behind = True
        self._books.forget()
        logger.warning("answers of a batch not published: %s", reason)

    def check_server(self) -> None:
        """Publish all books anew when Valkey was restarted or emptied, or a batch was not told."""
        run_id = self._client.info("server")["run_id"]
        if run_id != self._run_id or self.is_behind or not self._client.exists(self._mark):
            self.publish_all()
            self._run_id = run_id

    def publish_all(self) -> None:
        """Write every book of the shard whole."""
        self._books.forget()
        ids = list(self._state.instruments)
        for start in range(0, len(ids), _PUBLISH_CHUNK):
            some = ids[start : start + _PUBLISH_CHUNK]
            self._valkey.execute(self._books.write_whole(some))
        self._client.set(self._mark, self._state.epoch)
        self.is_behind = False


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
