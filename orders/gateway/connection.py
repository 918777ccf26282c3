"""A connection to Valkey on an event loop: packed commands out, replies in their order.

Nothing is sent again: after an error the caller cannot know whether a command was executed, and
what that means is the caller's to decide. `redis.asyncio` does the same at many times the cost.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, cast

import hiredis
from django.conf import settings
from redis.connection import SSLConnection, parse_url

from common.valkey import SOCKET_TIMEOUT_SECONDS

# Called with a reply: bytes, int, list, None or a `hiredis.ReplyError`; with a `ConnectionError`
# when the connection was lost before the reply came.
Receiver: TypeAlias = Callable[[Any], None]


class ValkeyConnection(asyncio.Protocol):
    """One connection. `on_message` gets what is not a reply: the messages of a subscription."""

    def __init__(
        self,
        *,
        on_message: Callable[[list[Any]], None] | None = None,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        self._reader = hiredis.Reader()
        self._receivers: deque[Receiver] = deque()
        self._on_message = on_message
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        """Whether commands can be written."""
        return self._transport is not None and not self._transport.is_closing()

    def write(self, packed: bytes, receivers: Iterable[Receiver]) -> None:
        """Send packed commands; each receiver gets the reply of one of them, in their order."""
        assert self._transport is not None, "connect first"
        self._receivers.extend(receivers)
        self._transport.write(packed)

    async def call(self, *command: str | bytes | int) -> Any:
        """Send one command and return its reply.

        Raises:
            ConnectionError: no reply within a second, or the connection was lost.
            hiredis.ReplyError: the server refused the command.
        """
        return (await self.call_all([command]))[0]

    async def call_all(self, commands: Iterable[tuple[str | bytes | int, ...]]) -> list[Any]:
        """Send commands in one write and return their replies. Raises as `call` does."""
        loop = asyncio.get_running_loop()
        # Its stub takes tuples of one member only.
        packed = [hiredis.pack_command(cast(Any, command)) for command in commands]
        replies = [loop.create_future() for _ in packed]
        self.write(b"".join(packed), [_into(reply) for reply in replies])
        try:
            async with asyncio.timeout(SOCKET_TIMEOUT_SECONDS):
                return await asyncio.gather(*replies)
        except TimeoutError as error:
            raise ConnectionError("Valkey does not answer") from error

    def close(self) -> None:
        """End the connection; who still waits for a reply gets a `ConnectionError`."""
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if self._on_message is not None and _is_message(reply):
                self._on_message(reply)
            else:
                self._receivers.popleft()(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        receivers, self._receivers = self._receivers, deque()
        lost = ConnectionError(f"The connection to Valkey was lost: {exc or 'closed'}")
        for receive in receivers:
            receive(lost)
        if self._on_lost is not None:
            self._on_lost()


async def connect(
    *,
    on_message: Callable[[list[Any]], None] | None = None,
    on_lost: Callable[[], None] | None = None,
) -> ValkeyConnection:
    """A connection to the server of REDIS_URL, logged in.

    Raises:
        ConnectionError: the server is not there, is silent, or refuses the login.
    """
    options = parse_url(settings.REDIS_URL)
    connection = ValkeyConnection(on_message=on_message, on_lost=on_lost)
    try:
        async with asyncio.timeout(SOCKET_TIMEOUT_SECONDS):
            await _open(connection, options)
        for command in _login(options):
            await connection.call(*command)
    except (TimeoutError, OSError, hiredis.ReplyError) as error:
        connection.close()
        raise ConnectionError(f"Valkey does not answer: {error}") from error
    return connection


async def _open(connection: ValkeyConnection, options: Any) -> None:
    loop = asyncio.get_running_loop()
    if "path" in options:
        await loop.create_unix_connection(lambda: connection, options["path"])
        return
    is_encrypted = options.get("connection_class") is SSLConnection
    await loop.create_connection(
        lambda: connection,
        options.get("host", "localhost"),
        options.get("port", 6379),
        ssl=ssl.create_default_context() if is_encrypted else None,
    )


def _login(options: Any) -> list[tuple[str | int, ...]]:
    commands: list[tuple[str | int, ...]] = []
    if options.get("password"):
        user = (options["username"],) if options.get("username") else ()
        commands.append(("AUTH", *user, options["password"]))
    if options.get("db"):
        commands.append(("SELECT", options["db"]))
    # A server that is loading its data, or refuses strangers, says so here.
    commands.append(("PING",))
    return commands


def _into(future: "asyncio.Future[Any]") -> Receiver:
    def receive(reply: Any) -> None:
        if future.done():
            return
        if isinstance(reply, Exception):
            future.set_exception(reply)
        else:
            future.set_result(reply)

    return receive


def _is_message(reply: Any) -> bool:
    """Whether a reply is what a subscription delivers, not the answer to a command."""
    return type(reply) is list and bool(reply) and reply[0] == b"message"
