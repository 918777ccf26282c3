"""Hands whole requests to the Django processes and relays their responses.

A request is read to its end first, so a slow sender costs a connection and no thread; a response is
read as fast as Django gives it, so a slow reader costs none either.
"""

import asyncio
import time
from typing import Any

import aiohttp
from django.conf import settings
from multidict import CIMultiDict
from yarl import URL

from common.api.middleware import note_request
from common.api.parsers import BODY_BYTES_MAX
from common.api.problems import translate_or_log
from common.errors import MalformedRequest
from exchange_project.front.errors import AnswerLost, DjangoUnavailable
from exchange_project.front.lanes import Lanes
from exchange_project.front.spool import Spool
from exchange_project.hot.requests import (
    ClientGone,
    HotRequest,
    Message,
    Receive,
    Scope,
    Send,
)
from exchange_project.hot.responses import problem, send_response
from orders.api.sandbox import DELAY_HEADER, DROP_HEADER

# What the admin's forms may send.
_FORM_BYTES_MAX = 10_485_760
_SECONDS_MAX = 120.0
# A client that takes nothing for so long has gone.
_SLOW_READER_SECONDS = 60.0
# Below the idle time after which gunicorn closes a connection.
_IDLE_SECONDS = 15.0
_SMALL_BYTES = 262_144

_HOP_BY_HOP = (
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
)  # fmt: skip
_FORWARDED_FOR = b"x-forwarded-for"
_NOT_FORWARDED = frozenset((*_HOP_BY_HOP, b"expect", b"content-length", b"x-request-id"))
_NOT_RELAYED = frozenset(
    (*_HOP_BY_HOP, b"date", b"server", DELAY_HEADER.lower().encode(), DROP_HEADER.lower().encode())
)
_SINGLE = (b"authorization", b"idempotency-key", b"x-api-key", b"x-request-id")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class DjangoProxy:
    """The ASGI application for everything that is not hot. Open it on its event loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._lanes: Lanes | None = None

    async def open(self) -> None:
        """Make the connection pool to the Django processes."""
        address: str = settings.DJANGO_URL
        self._lanes = Lanes(settings.DJANGO_THREADS_PER_FRONT)
        pool: dict[str, Any] = {"limit": 0, "keepalive_timeout": _IDLE_SECONDS}
        if address.startswith("unix://"):
            connector: aiohttp.BaseConnector = aiohttp.UnixConnector(
                address.removeprefix("unix://"), **pool
            )
            self._base = "http://django"
        else:
            connector, self._base = aiohttp.TCPConnector(**pool), address.rstrip("/")
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=3, sock_read=_SECONDS_MAX),
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
        )

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        started = time.perf_counter_ns()
        request = HotRequest(scope, receive)
        answer = _Answer(scope, request, send)
        try:
            await self._serve(scope, request, answer)
        except ClientGone:
            return
        except Exception as error:
            if answer.is_begun:
                raise  # too late to refuse: the server breaks the response off
            refusal = translate_or_log(error, request)
            await send_response(send, request, problem(refusal, request))
            note_request(request, refusal.status, started)
        else:
            note_request(request, answer.status, started)
        finally:
            request.release()

    async def _serve(self, scope: Scope, request: HotRequest, answer: "_Answer") -> None:
        """Read the request, hold a Django thread until the response is produced, send it."""
        assert self._lanes is not None, "open it first"
        _check_single_headers(scope)
        body = await request.body(_body_bytes_max(request.path_info))
        async with (
            self._lanes.thread(request.path_info, request.query_string),
            await self._ask(scope, request, body) as response,
        ):
            await answer.take(response)
        await answer.finish()

    async def _ask(self, scope: Scope, request: HotRequest, body: bytes) -> aiohttp.ClientResponse:
        """Send a request and return the response once its headers are there.

        Raises:
            DjangoUnavailable: nothing was done.
            AnswerLost: it may have been executed.
        """
        assert self._session is not None, "open it first"
        path: bytes = scope.get("raw_path") or request.path_info.encode()
        query = b"?" + request.query_string if request.query_string else b""
        try:
            return await self._session.request(
                request.method,
                URL(self._base + (path + query).decode("latin-1"), encoded=True),
                data=body or None,
                headers=_forwarded_headers(scope, request.request_id),
                allow_redirects=False,
            )
        except aiohttp.ClientConnectorError as error:
            raise DjangoUnavailable from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise (DjangoUnavailable if request.method in _SAFE_METHODS else AnswerLost) from error


class _Answer:
    """A response of Django's on its way to the client."""

    def __init__(self, scope: Scope, request: HotRequest, send: Send) -> None:
        self._scope = scope
        self._request = request
        self._send = send
        self._start: Message = {}
        self._body = b""
        self._sending: asyncio.Task[None] | None = None
        self._delay_seconds = 0
        self._is_dropped = False
        self.status = 0
        self.is_begun = False

    async def take(self, response: aiohttp.ClientResponse) -> None:
        """Read a response to its end. One that is not small is sent meanwhile."""
        self.status = response.status
        self._delay_seconds = int(response.headers.get(DELAY_HEADER, "0"))
        self._is_dropped = DROP_HEADER in response.headers
        self._start = {
            "type": "http.response.start",
            "status": response.status,
            "headers": _relayed_headers(response),
        }
        size = response.content_length
        if self._request.method == "HEAD" or (size is not None and size <= _SMALL_BYTES):
            self._body = await response.read()
            return
        spool = Spool()
        self._sending = asyncio.create_task(self._send_spooled(spool))
        try:
            await spool.fill(response.content.iter_any())
        except BaseException:
            self._sending.cancel()
            raise

    async def finish(self) -> None:
        """Send what is left to send."""
        if self._sending is not None:
            await self._sending
            return
        if self._delay_seconds:
            await asyncio.sleep(self._delay_seconds)
        if self._is_dropped:
            self._scope["extensions"]["bourse.abort"]()
            return
        self.is_begun = True
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": self._body})

    async def _send_spooled(self, spool: Spool) -> None:
        self.is_begun = True
        try:
            await self._send(self._start)
            async for chunk in spool.chunks():
                async with asyncio.timeout(_SLOW_READER_SECONDS):
                    await self._send(
                        {"type": "http.response.body", "body": chunk, "more_body": True}
                    )
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            spool.abandon()


def _check_single_headers(scope: Scope) -> None:
    """See that no header came twice that WSGI would join to another value.

    Raises:
        MalformedRequest: one did.
    """
    names = [name for name, _ in scope["headers"]]
    for single in _SINGLE:
        if names.count(single) > 1:
            raise MalformedRequest(f"The header {single.decode().title()} was sent twice.")


def _body_bytes_max(path: str) -> int:
    return _FORM_BYTES_MAX if path.startswith(("/admin/", "/risk/")) else BODY_BYTES_MAX


def _forwarded_headers(scope: Scope, request_id: str) -> CIMultiDict[str]:
    """The headers of a request as Django gets them: with the client's address, and one id.

    Names with an underscore are dropped, since WSGI cannot tell them from those with a hyphen.
    """
    headers: CIMultiDict[str] = CIMultiDict()
    hops = []
    for name, value in scope["headers"]:
        if name == _FORWARDED_FOR:
            hops.append(value.decode("latin-1"))
        elif name not in _NOT_FORWARDED and b"_" not in name:
            headers.add(name.decode("latin-1"), value.decode("latin-1"))
    client = scope.get("client")
    headers["X-Forwarded-For"] = ", ".join([*hops, client[0] if client else "unknown"])
    headers["X-Request-ID"] = request_id
    return headers


def _relayed_headers(response: aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower(), value)
        for name, value in response.raw_headers
        if name.lower() not in _NOT_RELAYED
    ]
