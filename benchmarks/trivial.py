"""A server that answers at once and does nothing: what the load generator can do at most.

`python -m benchmarks.trivial PORT`. Speaks as much of the classic dialect as the generator reads.
"""

import asyncio
import sys
import uuid

_HEAD_END = b"\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class TrivialVenue(asyncio.Protocol):
    """Answers 201 to an order, 204 to a cancel, 200 to everything else."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        # A client that waits for each answer sends small requests in one piece.
        if data.startswith(b"POST /orders "):
            self._transport.write(_created())
        elif data.startswith(b"POST"):
            self._transport.write(_NO_CONTENT)
        else:
            self._transport.write(_OK)


def _created() -> bytes:
    body = b'{"order_id":"%s"}' % str(uuid.uuid4()).encode()
    head = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d"
    return head % len(body) + _HEAD_END + body


async def serve(port: int) -> asyncio.Server:
    """A running server on 127.0.0.1."""
    return await asyncio.get_running_loop().create_server(TrivialVenue, "127.0.0.1", port)


async def _serve_forever(port: int) -> None:
    await (await serve(port)).serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve_forever(int(sys.argv[1])))
