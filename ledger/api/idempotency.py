"""The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) for views.

The key belongs to the bound account, else to the person, else to the broker. The same request again
gets the first answer, with `Idempotency-Replayed: true`. Kept are answers below 500, and refusals
that are facts of their own (`StoredRefusal`); a request that wrote nothing may be sent again.
"""

import hashlib
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import msgspec
from django.http import HttpResponse, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.types import Principal
from common.api.parsers import parse_json
from common.api.problems import CONTENT_TYPE, problem_response
from common.api.renderers import encode_json
from common.errors import ExchangeError
from ledger.errors import InvalidIdempotencyKey, StoredRefusal
from ledger.services.idempotency import answer_once
from ledger.types import RequestKey, StoredAnswer

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
# The draft's form is a quoted string of RFC 8941; most clients send the key bare.
_QUOTED_KEY = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_FIRST_ERROR_STATUS = 400
_FIRST_UNKEPT_STATUS = 500

Method = Callable[..., HttpResponseBase]


def idempotent(method: Method) -> Method:
    """Let a view's method answer a repeated request with the first answer.

    With a key, the method runs inside one transaction together with the storing of its answer, and
    runs again where that transaction had a conflict; it answers with a `Response`, and raises
    where it wrote nothing. Without a key it runs as it is.
    """

    @wraps(method)
    def run(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key = read_request_key(request)
        if key is None:
            return method(view, request, *args, **kwargs)
        fresh: list[HttpResponseBase] = []

        def answer() -> StoredAnswer | None:
            try:
                response = method(view, request, *args, **kwargs)
            except StoredRefusal as refusal:
                response = problem_response(refusal, request._request)
            fresh[:] = [response]
            return _stored(response)

        outcome = answer_once(key=key, run=answer)
        if outcome is None or not outcome[1]:
            return fresh[0]
        return replay(outcome[0])

    return run


def read_request_key(request: Request) -> RequestKey | None:
    """The key of the request with its owner and fingerprint; None where none was sent.

    To be read before `request.data`, which uses up the stream of the body.

    Raises:
        InvalidIdempotencyKey: it is empty, too long or not printable.
    """
    given = request.headers.get(HEADER)
    if given is None:
        return None
    target = f"{request.method} {request.get_full_path()}"
    return make_request_key(given, caller_of(request), target, request._request.body)


def make_request_key(given: str, caller: Principal, target: str, body: bytes) -> RequestKey:
    """The key of a header's value. `target`: method and path of the request.

    Raises:
        InvalidIdempotencyKey: it is empty, too long or not printable.
    """
    quoted = _QUOTED_KEY.fullmatch(given)
    key = given if quoted is None else re.sub(r"\\(.)", r"\1", quoted.group(1))
    if not _KEY.fullmatch(key) or key.isspace():
        raise InvalidIdempotencyKey()
    content = f"{target}\n".encode() + _canonical(body)
    return RequestKey(_owner(caller), key, hashlib.sha256(content).hexdigest())


def _canonical(body: bytes) -> bytes:
    """The same for a JSON body however it is formatted; anything else as it is."""
    try:
        return msgspec.json.encode(parse_json(body), order="sorted", enc_hook=str)
    except ExchangeError:
        return body


def replayed_headers(is_replay: bool) -> dict[str, str]:
    """The header that marks an answer which was given before."""
    return {REPLAYED_HEADER: "true"} if is_replay else {}


def replay(answer: StoredAnswer) -> HttpResponse:
    """The stored answer, marked as one that was given before."""
    response = answer_response(answer)
    for name, value in replayed_headers(True).items():
        response[name] = value
    return response


def answer_response(answer: StoredAnswer) -> HttpResponse:
    """An answer whose body is written already, JSON or a problem document by its status."""
    is_problem = answer.status >= _FIRST_ERROR_STATUS
    content_type = CONTENT_TYPE if is_problem else "application/json"
    return HttpResponse(answer.body, status=answer.status, content_type=content_type)


def _owner(principal: Principal) -> str:
    if principal.account_id is not None:
        return f"account:{principal.account_id}"
    if principal.user_id is not None:
        return f"user:{principal.user_id}"
    return f"broker:{principal.own_broker_id}"


def _stored(response: HttpResponseBase) -> StoredAnswer | None:
    if response.status_code >= _FIRST_UNKEPT_STATUS:
        return None
    if isinstance(response, Response):
        body = b"" if response.data is None else encode_json(response.data)
    else:
        assert isinstance(response, HttpResponse), "an answer that is kept is no stream"
        body = response.content
    return StoredAnswer(response.status_code, body.decode())
