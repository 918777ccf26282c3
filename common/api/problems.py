"""Errors as RFC 9457 problem documents: one place where every refusal becomes an answer.

Everything that can go wrong is first translated into an `ExchangeError`; what cannot be translated
is our own bug, logged with its traceback and answered 500 with the request's id.
"""

import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any

import redis
from django.core import exceptions as django_errors
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from rest_framework import exceptions as drf_errors
from rest_framework.request import Request

from common import errors
from common.api.renderers import encode_json
from common.errors import ExchangeError, FieldError, shown_errors

_log = logging.getLogger("bourse.errors")

CONTENT_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:bourse:problem:"

_constraint_errors: dict[str, type[ExchangeError]] = {}

# The first match counts, so subclasses stand before their bases.
_TRANSLATIONS: tuple[tuple[type[Exception], type[ExchangeError]], ...] = (
    (Http404, errors.NotFound),
    (django_errors.PermissionDenied, errors.PermissionDenied),
    (django_errors.RequestDataTooBig, errors.PayloadTooLarge),
    (django_errors.SuspiciousOperation, errors.MalformedRequest),
    (UnreadablePostError, errors.MalformedRequest),
    (drf_errors.ParseError, errors.MalformedRequest),
    (drf_errors.AuthenticationFailed, errors.NotAuthenticated),
    (drf_errors.NotAuthenticated, errors.NotAuthenticated),
    (drf_errors.PermissionDenied, errors.PermissionDenied),
    (drf_errors.NotFound, errors.NotFound),
    (drf_errors.MethodNotAllowed, errors.MethodNotAllowed),
    (drf_errors.UnsupportedMediaType, errors.UnsupportedMediaType),
    # A lost or restarting server, a lock or a statement that took too long.
    (OperationalError, errors.VenueUnavailable),
    (InterfaceError, errors.VenueUnavailable),
    (redis.ConnectionError, errors.VenueUnavailable),
    (redis.TimeoutError, errors.VenueUnavailable),
    # A value that no column takes and no field check caught.
    (DataError, errors.ValidationFailed),
)


def register_constraint_errors(by_name: Mapping[str, type[ExchangeError]]) -> None:
    """Name the error that a breach of each database constraint is; apps do so in `ready`."""
    _constraint_errors.update(by_name)


def as_exchange_error(error: Exception) -> ExchangeError | None:
    """What `error` means to a client; None when it is a bug of ours."""
    if isinstance(error, ExchangeError):
        return error
    if isinstance(error, IntegrityError):
        return _broken_constraint(error)
    if isinstance(error, drf_errors.ValidationError):
        return errors.ValidationFailed(errors=list(_field_errors(error.detail)))
    if isinstance(error, drf_errors.Throttled):
        return _throttled(error)
    for known, meaning in _TRANSLATIONS:
        if isinstance(error, known):
            return meaning()
    return None


def problem_document(error: ExchangeError, request_id: str) -> dict[str, Any]:
    """The members of RFC 9457, with the error's facts beside them."""
    document = {
        **error.facts,
        "type": f"{_TYPE_PREFIX}{error.code}",
        "title": error.title(),
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
    }
    if error.errors:
        document["errors"] = [
            {"field": one.field, "code": one.code, "detail": one.detail}
            for one in shown_errors(error)
        ]
    return document


def problem_headers(error: ExchangeError) -> dict[str, str]:
    """The headers that go with `error`: when to try again, how to authenticate."""
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def problem_response(error: ExchangeError, request: HttpRequest) -> HttpResponse:
    """The answer to a refused request."""
    body = encode_json(problem_document(error, _request_id(request)))
    return HttpResponse(
        body, status=error.status, content_type=CONTENT_TYPE, headers=problem_headers(error)
    )


def translate_or_log(error: Exception, request: Any) -> ExchangeError:
    """What `error` means to a client; what we are to blame for is logged with the request's id."""
    meaning = as_exchange_error(error)
    if meaning is None:
        _report(logging.ERROR, "Unexpected error", request, error)
        return errors.InternalError()
    if isinstance(error, (OperationalError, InterfaceError, DataError, redis.RedisError)):
        _report(logging.WARNING, str(error).strip() or type(error).__name__, request, None)
    return meaning


def handle_exception(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's exception handler. A plain response, so that it is JSON in views of any renderer."""
    request: Request = context["request"]
    plain_request = request._request
    return problem_response(translate_or_log(error, plain_request), plain_request)


def wants_page(request: HttpRequest) -> bool:
    """Whether a person looks at this with a browser, outside the API."""
    is_api = request.path_info.startswith("/api/")
    return not is_api and "text/html" in request.headers.get("Accept", "")


def _report(level: int, message: str, request: Any, error: Exception | None) -> None:
    request_id = _request_id(request)
    _log.log(
        level,
        "%s: %s %s request_id=%s",
        message,
        request.method,
        request.path_info,
        request_id,
        exc_info=error,
        extra={"request_id": request_id},
    )


def _request_id(request: Any) -> str:
    return getattr(request, "request_id", "")


def _broken_constraint(error: IntegrityError) -> ExchangeError | None:
    diagnostics = getattr(error.__cause__, "diag", None)
    name = getattr(diagnostics, "constraint_name", None)
    meaning = _constraint_errors.get(name or "")
    return meaning() if meaning else None


def _throttled(error: drf_errors.Throttled) -> ExchangeError:
    throttled = errors.Throttled()
    wait = getattr(error, "wait", None)
    if wait is not None:
        throttled.retry_after_seconds = max(1, math.ceil(wait))
    return throttled


def _field_errors(detail: Any, path: str = "") -> Iterator[FieldError]:
    """DRF's nested messages as a flat list with dotted paths."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _field_errors(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _field_errors(inner, path)
    else:
        yield FieldError(path, getattr(detail, "code", "invalid"), str(detail))
