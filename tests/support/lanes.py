"""Requests through either HTTP lane, answered as Django's test client answers.

A module whose fixture `lane` is parametrized runs all of its tests through both lanes: see
`both_lanes`.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse
from django.test import Client

from exchange_project.hot.application import HotLane
from exchange_project.hot.requests import Message, Receive, Scope, Send, read_body
from exchange_project.hot.threads import run_in_thread
from orders.gateway.process import get_link

DJANGO, HOT = "django", "hot"

_current = DJANGO
_SECONDS_MAX = 20.0


class HotClient:
    """Sends requests through the hot lane, on the loop of the process's link to the engines.

    What is not hot is answered by Django's client, and counted in `passed_on`.
    """

    def __init__(self) -> None:
        self._lane = HotLane(self._rest)
        self.passed_on = 0

    def generic(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> HttpResponse:
        """The response to one request. `path` may have a query string."""
        path, _, query = path.partition("?")
        sent = {"host": "testserver", **{k.lower(): v for k, v in (headers or {}).items()}}
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in sent.items()],
            "client": ("127.0.0.1", 1),
        }
        called = asyncio.run_coroutine_threadsafe(self._call(scope, body), get_link().loop)
        return called.result(_SECONDS_MAX)

    async def _call(self, scope: Scope, body: bytes) -> HttpResponse:
        response = HttpResponse()
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        await self._lane(scope, receive, send)
        start, *bodies = messages
        response.status_code = start["status"]
        response.headers.clear() if hasattr(response.headers, "clear") else None
        for name in list(response.headers):
            del response.headers[name]
        for name, value in start["headers"]:
            response.headers[name.decode("latin-1")] = value.decode("latin-1")
        response.content = b"".join(message.get("body", b"") for message in bodies)
        return response

    async def _rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.passed_on += 1
        body = await read_body(receive, 10_000_000)
        answer = await run_in_thread(lambda: _by_django(scope, body))
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers.items()
        ]
        content = (
            b"".join(answer.streaming_content)  # type: ignore[attr-defined]
            if answer.streaming
            else answer.content
        )
        await send(
            {"type": "http.response.start", "status": answer.status_code, "headers": headers}
        )
        await send({"type": "http.response.body", "body": content})


class DjangoClient:
    """The same requests through Django's views."""

    def generic(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Any:
        """The response to one request. `path` may have a query string."""
        sent = dict(headers or {})
        content_type = sent.pop("content-type", "")
        client = Client(raise_request_exception=False)
        return client.generic(method, path, body, content_type=content_type, headers=sent)


def current_client() -> HotClient | DjangoClient:
    """A client of the lane that the running test is about."""
    return HotClient() if _current == HOT else DjangoClient()


@pytest.fixture(params=[DJANGO, HOT])
def both_lanes(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    """Run a test once through each lane: `current_client` is of that lane meanwhile."""
    global _current
    _current = request.param
    yield request.param
    _current = DJANGO


def with_query(path: str, query: Mapping[str, Any]) -> str:
    """A path with its query string."""
    return f"{path}?{urlencode(query)}" if query else path


def _by_django(scope: Scope, body: bytes) -> Any:
    headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
    headers.pop("host", None)
    query = scope["query_string"].decode()
    path = scope["path"] + (f"?{query}" if query else "")
    return DjangoClient().generic(scope["method"], path, body, headers)
