"""Middleware of every request: its id, its latency, its line in the log."""

import itertools
import logging
import os
import re
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from common.api.latency import api_latency
from common.api.problems import problem_response
from common.errors import ExchangeError, LengthRequired
from common.request_ids import bind_request_id

_access_log = logging.getLogger("bourse.access")
_SAFE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@~-]{1,128}")
# Ids of requests: 64 random bits of the process, then a count.
_ID_PREFIX = os.urandom(8).hex()
_ids = itertools.count()
# People's pages, files and probes say nothing about the latency of the API.
_NOT_API = ("/admin/", "/static/", "/health", "/readyz", "/livez", "/favicon")


class RequestMiddleware:
    """Gives every request an id, and every answer the id and what is left of the rate limit.

    `request.request_id` is the caller's `X-Request-ID` where that is at most 128 safe characters,
    else a new one. A view (or an authenticator) may leave a `rate_limit` on the request.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter_ns()
        request_id = choose_request_id(request.META.get("HTTP_X_REQUEST_ID", ""))
        request.request_id = request_id  # type: ignore[attr-defined]
        bind_request_id(request_id)
        response = self._answer(request)
        response["X-Request-ID"] = request_id
        rate_limit = getattr(request, "rate_limit", None)
        if rate_limit is not None:
            response["RateLimit-Policy"], response["RateLimit"] = rate_limit.headers()
        note_request(request, response.status_code, started)
        return response

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """The problem document of a refusal that a plain Django view raised."""
        if isinstance(exception, ExchangeError):
            return problem_response(exception, request)
        return None

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        meta = request.META
        if "HTTP_TRANSFER_ENCODING" in meta and not meta.get("CONTENT_LENGTH"):
            return problem_response(LengthRequired(), request)  # WSGI would read an empty body
        return self.get_response(request)


def choose_request_id(given: str) -> str:
    """The id of a request: the caller's `given` one where it is fit for headers and logs."""
    if given and _SAFE_REQUEST_ID.fullmatch(given):
        return given
    return f"{_ID_PREFIX}{next(_ids):016x}"


def note_request(request: Any, status: int, started: int) -> None:
    """Count a request's latency since `started` (`perf_counter_ns`), and log it where asked for.

    `request` has `method`, `path_info` and `request_id`.
    """
    elapsed = time.perf_counter_ns() - started
    if not request.path_info.startswith(_NOT_API):
        api_latency.record(elapsed, is_error=status >= 500)
    if _access_log.isEnabledFor(logging.DEBUG):
        _access_log.debug(
            "%s %s %d %d us request_id=%s",
            request.method,
            request.path_info,
            status,
            elapsed // 1000,
            request.request_id,
            extra={
                "request_id": request.request_id,
                "status": status,
                "elapsed_us": elapsed // 1000,
            },
        )


def _take_new_prefix() -> None:
    """In a forked child: the parent goes on with the old one."""
    global _ID_PREFIX
    _ID_PREFIX = os.urandom(8).hex()


os.register_at_fork(after_in_child=_take_new_prefix)
