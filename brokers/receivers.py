"""The HTTP client of webhooks: one kept-open connection to one receiver, made for hostile ones.

It connects to the very address that was checked, so a name cannot be pointed elsewhere between
check and use (DNS rebinding). It follows no redirects, reads at most 64 kB, and one deadline
counts for connecting, sending and receiving together, however slowly bytes trickle in. Looking a
name up is the one step that the system's resolver times.
"""

import functools
import http.client
import io
import select
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import certifi

from brokers.calculations import is_public_address

_BODY_BYTES_MAX = 65_536


class DeliveryFailed(Exception):
    """No answer of the receiver; the text says why, for people."""


class Receiver:
    """The receiver behind a URL. For one thread at a time; `close()` it at the end."""

    def __init__(self, url: str, *, timeout_seconds: float, allow_private: bool) -> None:
        self.url = url
        parts = urlsplit(url)
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._is_tls else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._host_header = parts.netloc
        self._timeout_seconds = timeout_seconds
        self._allow_private = allow_private
        self._open: tuple[_Wire, http.client.HTTPConnection] | None = None

    def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Send `body` and return the status of the answer.

        Raises:
            DeliveryFailed: no connection, no answer in time, or none that is HTTP.
        """
        deadline = time.monotonic() + self._timeout_seconds
        try:
            return self._exchange(body, headers, deadline)
        except TimeoutError as error:
            self.close()
            raise DeliveryFailed("No answer in time.") from error
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            self.close()
            raise DeliveryFailed(f"{type(error).__name__}: {error}"[:200]) from error
        except DeliveryFailed:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next `post` makes a new one."""
        if self._open is not None:
            (wire, connection), self._open = self._open, None
            connection.close()
            wire.release()

    def _exchange(self, body: bytes, headers: Mapping[str, str], deadline: float) -> int:
        if self._open is not None and self._open[0].is_stale():
            self.close()
        if self._open is None:
            self._open = self._connect(deadline)
        wire, connection = self._open
        wire.deadline = deadline
        connection.request("POST", self._target, body, {"Host": self._host_header, **headers})
        with connection.getresponse() as answer:
            answer.read(_BODY_BYTES_MAX)
            if answer.will_close or not answer.isclosed():
                self.close()
            return answer.status

    def _connect(self, deadline: float) -> "tuple[_Wire, http.client.HTTPConnection]":
        address = self._checked_address()
        connected = socket.create_connection(address, timeout=_left(deadline))
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._is_tls:
                connected.settimeout(_left(deadline))
                connected = _tls_context().wrap_socket(connected, server_hostname=self._host)
        except BaseException:
            connected.close()
            raise
        wire = _Wire(connected)
        connection = http.client.HTTPConnection(self._host, self._port)
        connection.auto_open = 0  # it must never look the name up itself
        connection.sock = wire  # type: ignore[assignment]
        return wire, connection

    def _checked_address(self) -> tuple[str, int]:
        """An address of the host that webhooks may be sent to."""
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        for *_, address in found:
            host = str(address[0])
            if self._allow_private or is_public_address(host):
                return host, self._port
        raise DeliveryFailed("Not sent to an address of a private network.")


class _Wire:
    """A socket as http.client uses it, with one deadline for all that is sent and received."""

    def __init__(self, wire: socket.socket) -> None:
        self._socket = wire
        self.deadline = 0.0

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(_left(self.deadline))
        self._socket.sendall(data)

    def receive_into(self, buffer: Any) -> int:
        self._socket.settimeout(_left(self.deadline))
        return self._socket.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_WireReader(self))

    def is_stale(self) -> bool:
        """Whether the other side has closed, or said something that it was not asked for."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Nothing: http.client closes before it has read a last answer. `release` is the end."""

    def release(self) -> None:
        self._socket.close()


class _WireReader(io.RawIOBase):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._wire.receive_into(buffer)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """The system's certificate authorities, and certifi's where the system has none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
