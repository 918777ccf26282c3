"""Django's test client through either HTTP lane: the views, or the hot lane in front of them.

A module that names `both_lanes` in `pytestmark` runs each of its tests once through each lane.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from django.http import HttpResponse
from django.test.client import FakePayload

from exchange_project.hot import database
from exchange_project.hot.application import HotLane
from exchange_project.hot.requests import HeldBodies, Message, Receive, Scope, Send, read_body
from exchange_project.hot.threads import run_in_thread
from orders.gateway.process import get_link
from tests.contract import ContractClient, check_answer

DJANGO, HOT = "django", "hot"

_current = DJANGO
_SECONDS_MAX = 20.0


@pytest.fixture(params=[DJANGO, HOT])
def both_lanes(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    """Let all requests of a test go through a lane; yields its name.

    The hot lane reads the database in other threads, so the test commits what it makes.
    """
    with lane(request.param):
        yield request.param


@contextmanager
def lane(name: str) -> Iterator[None]:
    """Let all requests of a block go through a lane."""
    global _current
    former, _current = _current, name
    try:
        yield
    finally:
        _current = former
        if name == HOT:
            closing = asyncio.run_coroutine_threadsafe(database.close(), get_link().loop)
            closing.result(_SECONDS_MAX)


class LaneClient(ContractClient):
    """A test client of the lane that the running test is about.

    `passed_on` counts what the hot lane left to Django.
    """

    passed_on = 0

    def request(self, **environ: Any) -> Any:
        """The answer to a request, which is as the OpenAPI document says."""
        if _current == DJANGO:
            return super().request(**environ)
        environ = {**self._base_environ(), **environ}  # type: ignore[attr-defined]
        called = asyncio.run_coroutine_threadsafe(self._call_hot(environ), get_link().loop)
        response = called.result(_SECONDS_MAX)
        response.json = partial(self._parse_json, response)  # type: ignore[attr-defined]
        check_answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], response)
        return response

    async def _call_hot(self, environ: dict[str, Any]) -> HttpResponse:
        body = environ["wsgi.input"].read()
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        async def rest(scope: Scope, receive: Receive, send: Send) -> None:
            self.passed_on += 1
            await read_body(receive, 10_000_000, HeldBodies(10**9).hold())
            answer = await run_in_thread(lambda: self._call_django(environ, body))
            await _send_answer(send, answer)

        await HotLane(rest)(_scope_of(environ), receive, send)
        return _answer_of(messages)

    def _call_django(self, environ: dict[str, Any], body: bytes) -> Any:
        """Django's response, of which nothing is left to be produced."""
        response = super().request(**{**environ, "wsgi.input": FakePayload(body)})
        if response.streaming:
            response.streaming_content = list(response.streaming_content)
        return response


def _scope_of(environ: dict[str, Any]) -> Scope:
    """WSGI's environment as ASGI's scope."""
    headers = [
        (name[5:].replace("_", "-").lower().encode(), str(value).encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers.append((name.replace("_", "-").lower().encode(), str(environ[name]).encode()))
    path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
    return {
        "type": "http",
        "method": environ["REQUEST_METHOD"],
        "path": path,
        "raw_path": quote(path, safe="/:@!$&'()*+,;=~").encode(),
        "query_string": environ.get("QUERY_STRING", "").encode(),
        "headers": [(b"host", environ["SERVER_NAME"].encode()), *headers],
        "client": (environ["REMOTE_ADDR"], 1),
    }


def _answer_of(messages: list[Message]) -> HttpResponse:
    """ASGI's messages as a response of Django's."""
    start, *bodies = messages
    response = HttpResponse(b"".join(message.get("body", b"") for message in bodies))
    del response["Content-Type"]
    response.status_code = start["status"]
    for name, value in start["headers"]:
        response[name.decode("latin-1")] = value.decode("latin-1")
    return response


async def _send_answer(send: Send, answer: Any) -> None:
    """A response of Django's as ASGI's messages."""
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    headers = [
        (name.lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, value in answer.headers.items()
    ]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": content})
