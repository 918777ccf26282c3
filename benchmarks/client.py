"""The least HTTP/1.1 that a load generator needs: a keep-alive connection, one request at a time.

Callbacks instead of futures and one search in an answer's head, since whatever is spent here is
taken from the venue on the same machine. Understands answers with a Content-Length, or none for
204; no chunks, no redirects.
"""

import asyncio
from collections.abc import Callable
from typing import Any

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_CLOSE = b"\r\nconnection: close"
_STATUS = slice(9, 12)


class BadAnswerError(Exception):
    """The server sent what this client does not understand."""


class Connection(asyncio.Protocol):
    """One connection. `on_answer(connection, status, body)` is called for each request sent.

    A connection that the server closes calls `on_lost(connection)`; a request that waited for its
    answer then stays without.
    """

    def __init__(
        self,
        on_answer: "Callable[[Connection, int, bytes], None]",
        on_lost: "Callable[[Connection], None]",
    ) -> None:
        self._on_answer = on_answer
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._received = b""
        # What the owner wants to know when the answer comes.
        self.note: Any = None
        self.is_waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._on_lost(self)

    def send(self, request: bytes, note: Any = None) -> None:
        """Send a whole request; the one before must have been answered."""
        assert self._transport is not None, "the connection is closed"
        assert not self.is_waiting, "one request at a time"
        self.note, self.is_waiting = note, True
        self._transport.write(request)

    def close(self) -> None:
        """Close without a call of `on_lost`."""
        self._on_lost = _ignore
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head_length = received.find(_HEAD_END)
        if head_length < 0:
            self._received = received
            return
        head = received[:head_length].lower()
        body_start = head_length + len(_HEAD_END)
        end = body_start + _body_length(head)
        if len(received) < end:
            self._received = received
            return
        self._received = received[end:]
        self.is_waiting = False
        if _CLOSE in head and self._transport is not None:
            self._transport.close()
        self._on_answer(self, int(head[_STATUS]), received[body_start:end])


def _body_length(head: bytes) -> int:
    """The Content-Length of an answer whose head is in lower case.

    Raises:
        BadAnswerError: there is none, and the answer is not a 204.
    """
    start = head.find(_LENGTH)
    if start < 0:
        if head[_STATUS] == b"204":
            return 0
        raise BadAnswerError(head.decode(errors="replace"))
    start += len(_LENGTH)
    line_end = head.find(b"\r\n", start)
    return int(head[start : line_end if line_end >= 0 else None])


def _ignore(connection: Connection) -> None:
    """Nobody wants to know."""


async def connect(
    host: str,
    port: int,
    on_answer: Callable[[Connection, int, bytes], None],
    on_lost: Callable[[Connection], None],
) -> Connection:
    """An open connection."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(on_answer, on_lost), host, port)
    return connection
