"""The stream of commands of a shard: read from the checkpoint on, trimmed up to it.

No consumer group: the checkpoint in the database says what is done. After a loss of Valkey's data
the stream's ids are set past the checkpoint before anything is served, so that no new command gets
an id that counts as done.
"""

import logging
from typing import Any

import msgspec
import redis

from common.valkey_socket import ValkeySocket
from orders.commands import decode_command
from orders.engine.core.batch import Received
from orders.streams import COMMAND_FIELD, REQUEST_FIELD, command_stream

logger = logging.getLogger(__name__)


def split_id(stream_id: str) -> tuple[int, int]:
    """A stream id as (milliseconds, sequence), which compare in the order of the stream."""
    ms, _, sequence = stream_id.partition("-")
    return int(ms), int(sequence)


class Inbox:
    """Reads the commands of one shard."""

    def __init__(self, valkey: ValkeySocket, client: "redis.Redis", shard: int) -> None:
        """`client` is for what is rare."""
        self._valkey = valkey
        self._client = client
        self._stream = command_stream(shard)

    def read(self, after: str, count: int, block_ms: int | None) -> tuple[list[Received], str]:
        """What is waiting after the id `after`, at most `count`.

        Waits `block_ms` for the first, not at all with None. Also says up to which id the stream
        was read: entries that are no command are left out.
        The age of a command is the server's clock now less that of its arrival: one clock.
        """
        block = () if block_ms is None else ("BLOCK", block_ms)
        read = ("XREAD", "COUNT", count, *block, "STREAMS", self._stream, after)
        answer, (seconds, micros) = self._valkey.execute(read, ("TIME",))
        if not answer:
            return [], after
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        entries = answer[0][1]
        received = [item for entry in entries if (item := _received(entry, now_ms)) is not None]
        if logger.isEnabledFor(logging.DEBUG):
            _log_taken(received)
        return received, entries[-1][0].decode()

    def align(self, checkpoint: str) -> None:
        """Make sure that the stream is one, and that its next id is above the checkpoint."""
        self._move_strangers_aside()
        if checkpoint == "0-0":
            return
        last = "0-0"
        if self._client.exists(self._stream):
            last = _text(self._client.xinfo_stream(self._stream)["last-generated-id"])
        if split_id(last) < split_id(checkpoint):
            logger.warning("the stream ends at %s, before the checkpoint %s", last, checkpoint)
            self._client.xadd(self._stream, {COMMAND_FIELD: b""}, id=checkpoint)
            self._client.xdel(self._stream, checkpoint)

    def _move_strangers_aside(self) -> None:
        """Rename a key that has the stream's name and is none: it would stop the shard."""
        kind = _text(self._client.type(self._stream))
        if kind not in ("stream", "none"):
            aside = f"{self._stream}:{kind}"
            self._client.rename(self._stream, aside)
            logger.error("%s was a %s and no stream: it is now %s", self._stream, kind, aside)

    def last_waiting_id(self) -> str:
        """The id of the newest command in the stream, `0-0` when it is empty."""
        newest = self._client.xrevrange(self._stream, count=1)
        return _text(newest[0][0]) if newest else "0-0"


def _text(stream_id: Any) -> str:
    return stream_id.decode()


def _log_taken(received: list[Received]) -> None:
    for item in received:
        logger.debug(
            "took %s %s",
            type(item.command).__name__,
            item.command.command_id.hex(),
            extra={"request_id": item.request_id},
        )


def _received(entry: list[Any], now_ms: int) -> Received | None:
    """An entry (id, [field, value, …]) as a command; None when it is none."""
    stream_id = entry[0].decode()
    try:
        name, value, *more = entry[1]
        if name != COMMAND_FIELD:
            raise ValueError(f"a field {name!r}")
        request_id = more[1].decode() if more and more[0] == REQUEST_FIELD else ""
        command = decode_command(value)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        # Not written by web: nobody waits for an answer, and the venue goes on without it.
        logger.error("entry %s is no command: %s", stream_id, error)
        return None
    return Received(stream_id, now_ms - split_id(stream_id)[0], command, request_id)
