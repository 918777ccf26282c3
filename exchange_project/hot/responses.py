"""Responses of the hot lane, and how they are sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from common.api.problems import CONTENT_TYPE, problem_document, problem_headers
from common.api.ratelimits import RateLimit
from common.api.renderers import encode_json
from common.errors import ExchangeError
from exchange_project.classic.errors import error_document
from exchange_project.hot.requests import HotRequest, Send

_JSON = b"application/json"
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class HotResponse:
    """A response whose body is known; None: it has none (204)."""

    status: int
    body: bytes | None
    content_type: bytes = _JSON
    headers: Mapping[str, str] = field(default_factory=lambda: _NONE)


def json_response(
    document: Any, status: int = 200, headers: Mapping[str, str] = _NONE
) -> HotResponse:
    """A document as JSON."""
    return HotResponse(status, encode_json(document), headers=headers)


def problem(error: ExchangeError, request: HotRequest) -> HotResponse:
    """A refusal under `/api/v1/`."""
    body = encode_json(problem_document(error, request.request_id))
    return HotResponse(error.status, body, CONTENT_TYPE.encode(), problem_headers(error))


def classic_problem(error: ExchangeError, request: HotRequest) -> HotResponse:
    """A refusal of the classic dialect."""
    where = "query" if request.method == "GET" else "body"
    body = encode_json(error_document(error, where))
    return HotResponse(error.status, body, _JSON, problem_headers(error))


async def send_response(send: Send, request: HotRequest, response: HotResponse) -> None:
    """Send a response with the headers that all have: its id, and what is left of the limit."""
    headers = [(b"x-request-id", request.request_id.encode("latin-1")), *_SECURITY]
    body = response.body
    if body is None:
        body = b""
    else:
        headers.append((b"content-type", response.content_type))
    if response.status != 204:
        headers.append((b"content-length", b"%d" % len(body)))
    if request.rate_limit is not None:
        headers += _rate_limit_headers(request.rate_limit)
    for name, value in response.headers.items():
        headers.append((name.lower().encode(), value.encode("latin-1")))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else body})


# As Django's SecurityMiddleware and XFrameOptionsMiddleware send them.
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def _rate_limit_headers(limit: RateLimit) -> list[tuple[bytes, bytes]]:
    policy, left = limit.headers()
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())]
