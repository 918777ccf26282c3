"""Calls from pages of other origins (CORS): allowed for those of CORS_ALLOWED_ORIGINS.

A page sends the key itself, so cookies are never allowed along. What any other origin asks is
answered as usual and without these headers, so its browser keeps the answer from the page.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from django.conf import settings

from exchange_project.hot.requests import Message, Receive, Scope, Send

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

ANY = "*"
_REQUESTED_METHOD = b"access-control-request-method"
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Idempotency-Key, X-API-KEY, X-Request-ID",
    ),
    (b"access-control-max-age", b"600"),
]
_EXPOSED: Headers = [
    (
        b"access-control-expose-headers",
        b"Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID",
    )
]


class AllowedOrigins:
    """Answers preflights, and adds to the answers of `application` what browsers look for."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = _find_allowed_origin(scope)
        if origin is None:
            await self._application(scope, receive, send)
            return
        granted = [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
        if scope["method"] == "OPTIONS" and _header(scope, _REQUESTED_METHOD) is not None:
            headers = [*granted, *_PREFLIGHT]
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return

        async def send_granted(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *granted, *_EXPOSED]}
            await send(message)

        await self._application(scope, receive, send_granted)


def _find_allowed_origin(scope: Scope) -> bytes | None:
    """The origin of the page that calls, where it may."""
    if scope["type"] != "http" or not settings.CORS_ALLOWED_ORIGINS:
        return None
    origin = _header(scope, b"origin")
    if origin is None:
        return None
    allowed = settings.CORS_ALLOWED_ORIGINS
    return origin if ANY in allowed or origin.decode("latin-1") in allowed else None


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    for name, value in scope["headers"]:
        if name == wanted:
            return bytes(value)
    return None
