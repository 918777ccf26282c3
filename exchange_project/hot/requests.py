"""A hot request, read from ASGI's messages: what handlers need of it and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias, TypeVar

import msgspec
from django.http import QueryDict

from brokers.types import Principal
from common.api.fields import FieldReader
from common.api.idempotency import make_request_key
from common.api.middleware import choose_request_id
from common.api.parsers import BODY_BYTES_MAX, parse_json
from common.api.ratelimits import RateLimit
from common.errors import MalformedRequest, PayloadTooLarge, TooManyLargeBodies
from common.request_ids import bind_request_id
from common.request_keys import RequestKey

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

Query = TypeVar("Query", bound=msgspec.Struct)

BODY_SECONDS_MAX = 30.0
_REQUEST_ID = "bourse.request_id"


# Bytes of large bodies that a process holds at a time, for all its clients: strangers decide how
# many they begin to send. A small body, as that of an order, always finds room.
HELD_BYTES_MAX = 268_435_456
SMALL_BODY_BYTES = 16_384


class HeldBodies:
    """Counts the bytes of the large bodies in memory."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes_held = 0

    def hold(self) -> "Held":
        """The part of one request, which grows as its body comes."""
        return Held(self)


class Held:
    """What one request holds."""

    __slots__ = ("_bytes", "_owner")

    def __init__(self, owner: HeldBodies) -> None:
        self._owner = owner
        self._bytes = 0

    def grow_to(self, count: int) -> None:
        """Hold `count` bytes in all.

        Raises:
            TooManyLargeBodies: there is no room for them; as many as before are held.
        """
        if count <= SMALL_BODY_BYTES:
            return
        more = count - self._bytes
        if self._owner.bytes_held + more > self._owner.bytes_max:
            raise TooManyLargeBodies
        self._owner.bytes_held += more
        self._bytes = count

    def release(self) -> None:
        """Hold nothing."""
        self._owner.bytes_held -= self._bytes
        self._bytes = 0


held_bodies = HeldBodies(HELD_BYTES_MAX)


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class HotRequest:
    """One request. `caller` is set once it is authenticated, before a handler sees it."""

    __slots__ = (
        "_body",
        "_held",
        "_receive",
        "caller",
        "headers",
        "method",
        "path_info",
        "query_string",
        "rate_limit",
        "request_id",
    )

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path_info: str = scope["path"]
        self.query_string: bytes = scope["query_string"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        # One id, also where the hot lane leaves the request to Django.
        self.request_id: str = scope.get(_REQUEST_ID) or choose_request_id(
            self.header(b"x-request-id")
        )
        scope[_REQUEST_ID] = self.request_id
        bind_request_id(self.request_id)
        self.rate_limit: RateLimit | None = None
        self.caller: Principal
        self._receive = receive
        self._body: bytes | None = None
        self._held = held_bodies.hold()

    def header(self, name: bytes) -> str:
        """The value of a header, named in lower case; empty where it is missing."""
        return self.headers.get(name, b"").decode("latin-1")

    async def body(self, limit_bytes: int = BODY_BYTES_MAX) -> bytes:
        """The whole body.

        Raises:
            PayloadTooLarge: it has more than `limit_bytes`.
            TooManyLargeBodies: this process holds as many as it may.
            MalformedRequest: it did not come in time.
            ClientGone: the connection was closed first.
        """
        if self._body is None:
            self._body = await read_body(self._receive, limit_bytes, self._held)
        return self._body

    def release(self) -> None:
        """Give back the room that the body took, at the end of the request."""
        self._held.release()

    async def json(self) -> Any:
        """The parsed body; an empty object for an empty one. Raises as `body` and `parse_json`."""
        body = await self.body()
        return parse_json(body) if body else {}

    async def request_key(self) -> RequestKey | None:
        """The `Idempotency-Key` with its owner and the fingerprint; None where none was sent.

        Raises:
            InvalidIdempotencyKey: it is empty, too long or not printable.
        """
        given = self.headers.get(b"idempotency-key")
        if given is None:
            return None
        target = f"{self.method} {self.path_info}"
        return make_request_key(
            given.decode("latin-1"), self.caller.request_owner, target, await self.body()
        )

    def query(self, wanted: type[Query], *, ignore_unknown: bool = False) -> Query:
        """The query string, as `wanted` declares it.

        Raises:
            ValidationFailed: a parameter is wrong or, unless that is ignored, unknown.
        """
        reader = FieldReader.of_query(self._query_params(), ignore_unknown=ignore_unknown)
        values = reader.struct(wanted)
        reader.finish()
        return values

    def check_no_query(self) -> None:
        """See that there is no query string. Raises `ValidationFailed`."""
        if self.query_string:
            FieldReader.of_query(self._query_params()).finish()

    def _query_params(self) -> Mapping[str, Any]:
        return QueryDict(self.query_string) if self.query_string else {}


async def read_body(receive: Receive, limit_bytes: int, held: "Held") -> bytes:
    """A request's whole body, at most `limit_bytes` of it. Raises as `HotRequest.body`."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limit_bytes:
            raise PayloadTooLarge(limit_bytes=limit_bytes)
        held.grow_to(len(body))
        return body
    chunks = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            while True:
                if message["type"] != "http.request":
                    raise ClientGone
                chunks += message.get("body", b"")
                if len(chunks) > limit_bytes:
                    raise PayloadTooLarge(limit_bytes=limit_bytes)
                held.grow_to(len(chunks))
                if not message.get("more_body"):
                    return bytes(chunks)
                message = await receive()
    except TimeoutError as error:
        raise MalformedRequest("The body did not come in time.") from error
