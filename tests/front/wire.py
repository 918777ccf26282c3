"""A connection on which a test decides about every byte."""

import json
import socket
from typing import Any, NamedTuple

ORDER = {
    "document_number": "1",
    "side": "bid",
    "symbol": "FRONT",
    "price": 1000,
    "quantity": 1,
    "valid_until": "2035-12-31T23:59:59Z",
}


class Response(NamedTuple):
    """A response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


class Wire:
    """One connection."""

    def __init__(self, port: int, key: str, *, seconds: float = 10.0) -> None:
        self._port = port
        self.key = key
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self._reader = self.socket.makefile("rb")

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self.socket.close()

    def another(self, *, seconds: float = 10.0) -> "Wire":
        """A second connection."""
        return Wire(self._port, self.key, seconds=seconds)

    def head(self, method: str, path: str, *lines: str) -> bytes:
        """The first line and the headers of a request, with the key."""
        sent = [
            f"{method} {path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {self.key}",
            *lines,
        ]
        return ("\r\n".join(sent) + "\r\n\r\n").encode("latin-1")

    def order(self, path: str = "/orders", *lines: str, **fields: Any) -> bytes:
        """A whole request for an order."""
        body = json.dumps(ORDER | fields).encode()
        length = f"Content-Length: {len(body)}"
        return self.head("POST", path, "Content-Type: application/json", length, *lines) + body

    def send(self, data: bytes) -> None:
        """Write bytes."""
        self.socket.sendall(data)

    def receive(self, *, has_body: bool = True) -> Response:
        """Read a response."""
        line = self._reader.readline()
        assert line, "the connection was closed"
        status = int(line.split()[1])
        headers = {}
        while (line := self._reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if status == 100 or status == 204 or not has_body:
            return Response(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Response(status, headers, self._chunks())
        return Response(status, headers, self._reader.read(int(headers["content-length"])))

    def ask(self, data: bytes, *, has_body: bool = True) -> Response:
        """Write a request and read its response."""
        self.send(data)
        return self.receive(has_body=has_body)

    def is_closed(self) -> bool:
        """Wait for the server to close the connection; False when it sends something first."""
        return self._reader.read(1) == b""

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._reader.readline(), 16):
            body += self._reader.read(size)
            self._reader.readline()
        self._reader.readline()
        return body
