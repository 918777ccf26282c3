"""One connection to Valkey for a process that sends it thousands of commands a second.

redis-py's pipelines check, time and wrap every command; here commands are packed by hiredis, sent
in one write, and answered in one read. redis-py opens the connection, so that every form of URL
works. Nothing is ever sent twice: after an error the connection is closed, what it had sent may or
may not have been executed, and the next call opens another.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import hiredis
import redis

from common.valkey import get_client

Command: TypeAlias = tuple[str | bytes | int, ...]

_READ_SIZE = 65_536


class ValkeySocket:
    """A connection that is opened when it is needed. For one thread.

    Time-outs are those of `common.valkey.get_client`.
    """

    def __init__(self) -> None:
        self._connection: Any = None
        self._socket: Any = None
        self._reader: Any = None
        self._due = 0

    def execute(self, *commands: Command) -> list[Any]:
        """Send commands in one write, and wait for their replies.

        Raises:
            redis.ResponseError: the server refused one; the others were executed.
            redis.ConnectionError, redis.TimeoutError: they may have been executed, or some.
        """
        self.send(commands)
        return self.receive()

    def send(self, commands: Sequence[Command]) -> None:
        """Send commands in one write; `receive` their replies before the next call.

        Raises: as `execute` does for the connection.
        """
        assert not self._due, "replies are due"
        data = b"".join([hiredis.pack_command(command) for command in commands])  # type: ignore[arg-type]
        if self._socket is None:
            self._open()
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise self._broken(error) from error
        self._due = len(commands)

    def receive(self) -> list[Any]:
        """The replies to what was sent. Raises as `execute` does."""
        replies = []
        refusal: Exception | None = None
        while self._due:
            reply = self._next_reply()
            self._due -= 1
            if isinstance(reply, redis.ResponseError):
                refusal = refusal or reply
            replies.append(reply)
        if refusal is not None:
            raise refusal
        return replies

    @property
    def is_waiting(self) -> bool:
        """Whether replies are due."""
        return self._due > 0

    def close(self) -> None:
        """Close the connection, if it is open; replies that are due are lost."""
        self._due = 0
        if self._connection is not None:
            self._connection.disconnect()
        self._connection = self._socket = self._reader = None

    def _open(self) -> None:
        # Not one of the pool's, which counts what it makes and has a limit.
        pool = get_client().connection_pool
        self._connection = pool.connection_class(**pool.connection_kwargs)
        try:
            self._connection.connect()
        except redis.RedisError:
            self.close()
            raise
        self._socket = self._connection._get_socket()
        self._reader = hiredis.Reader(replyError=redis.ResponseError)

    def _next_reply(self) -> Any:
        reader = self._reader
        while (reply := reader.gets()) is False:
            try:
                data = self._socket.recv(_READ_SIZE)
            except OSError as error:
                raise self._broken(error) from error
            if not data:
                raise self._broken(ConnectionError("closed by the server"))
            reader.feed(data)
        return reply

    def _broken(self, error: OSError) -> redis.RedisError:
        self.close()
        if isinstance(error, TimeoutError):
            return redis.TimeoutError(f"Valkey is silent: {error}")
        return redis.ConnectionError(f"the connection to Valkey is lost: {error}")
