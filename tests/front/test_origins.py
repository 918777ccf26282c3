"""Calls from pages: preflights and headers for the origins that are allowed, for no other."""

import asyncio
from typing import Any

import pytest
from pytest_django import Settings

from exchange_project.front.origins import AllowedOrigins
from exchange_project.hot.requests import Message, Receive, Scope, Send

PAGE = "https://app.example.com"
_PREFLIGHT = {"access-control-request-method": "POST"}


@pytest.fixture(autouse=True)
def allowed(settings: Settings) -> Settings:
    settings.CORS_ALLOWED_ORIGINS = [PAGE, "http://localhost:3000"]
    return settings


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """The application behind: it knows no caller."""
    await send({"type": "http.response.start", "status": 401, "headers": [(b"x", b"y")]})
    await send({"type": "http.response.body", "body": b"who?"})


def ask(method: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a request with these headers."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nobody reads the body")

    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(AllowedOrigins(refuse)(scope, receive, send))
    start, body = sent
    shown = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], shown, body["body"]


def test_a_preflight_of_an_allowed_page_is_answered() -> None:
    status, headers, body = ask("OPTIONS", origin=PAGE, **_PREFLIGHT)

    assert (status, body) == (204, b"")
    assert headers["access-control-allow-origin"] == PAGE
    assert headers["vary"] == "Origin"
    assert "PATCH" in headers["access-control-allow-methods"]
    for name in ("Authorization", "Idempotency-Key", "X-API-KEY", "Content-Type"):
        assert name in headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in headers


def test_an_answer_to_an_allowed_page_may_be_read() -> None:
    status, headers, body = ask("POST", origin=PAGE)

    assert (status, body, headers["x"]) == (401, b"who?", "y")
    assert headers["access-control-allow-origin"] == PAGE
    assert "Idempotency-Replayed" in headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "https://app.example.com.evil.com", "null", ""]
)
@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
def test_another_page_gets_no_leave(origin: str, method: str) -> None:
    status, headers, _ = ask(method, origin=origin, **_PREFLIGHT)

    assert (status, headers) == (401, {"x": "y"})


def test_without_an_origin_nothing_is_added(allowed: Settings) -> None:
    assert ask("GET")[1] == {"x": "y"}
    allowed.CORS_ALLOWED_ORIGINS = []
    assert ask("OPTIONS", origin=PAGE, **_PREFLIGHT)[1] == {"x": "y"}


def test_any_origin_may_be_allowed(allowed: Settings) -> None:
    allowed.CORS_ALLOWED_ORIGINS = ["*"]
    assert ask("GET", origin="http://a.test")[1]["access-control-allow-origin"] == "http://a.test"
