"""The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) for views.

The key belongs to the bound account, else to the person, else to the broker. The same request again
gets the first answer, with `Idempotency-Replayed: true`. Kept are answers below 500, and refusals
that are facts of their own (`StoredRefusal`); a request that wrote nothing may be sent again.

Where answers are kept is registered by the app that has the table (`register_answer_store`).
"""

import hashlib
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, cast

import msgspec
from django.http import HttpResponse, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from common.api.parsers import parse_json
from common.api.problems import CONTENT_TYPE, problem_response
from common.api.renderers import encode_json
from common.errors import AnswerNotKept, ExchangeError, InvalidIdempotencyKey, StoredRefusal
from common.request_keys import RequestKey, StoredAnswer

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
# The draft's form is a quoted string of RFC 8941; most clients send the key bare.
_QUOTED_KEY = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_FIRST_ERROR_STATUS = 400
_FIRST_UNKEPT_STATUS = 500

Method = Callable[..., HttpResponseBase]


class Caller(Protocol):
    """What `request.auth` has to say of who calls."""

    @property
    def request_owner(self) -> str: ...


class AnswerStore(Protocol):
    """Runs a request once for its key: see `ledger.services.idempotency.answer_once`."""

    def __call__(
        self, *, key: RequestKey, run: Callable[[], StoredAnswer | None]
    ) -> tuple[StoredAnswer, bool] | None: ...


_stores: list[AnswerStore] = []


def register_answer_store(store: AnswerStore) -> None:
    """Keep answers there; the app that has the table does so in `ready`."""
    _stores[:] = [store]


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
        outcome, fresh = _run_once(key, request, lambda: method(view, request, *args, **kwargs))
        return fresh if fresh is not None else replay(outcome)

    return run


def done_once(method: Method) -> Method:
    """Let a view's method, whose answer holds a secret, refuse a repeated request.

    As `idempotent`, but the answer is not stored: a secret is shown once, and the venue keeps none.

    Raises, where the same request was done before:
        AnswerNotKept
    """

    @wraps(method)
    def run(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key = read_request_key(request)
        if key is None:
            return method(view, request, *args, **kwargs)
        _, fresh = _run_once(
            key, request, lambda: method(view, request, *args, **kwargs), is_secret=True
        )
        if fresh is None:
            raise AnswerNotKept
        return fresh

    return run


def _run_once(
    key: RequestKey,
    request: Request,
    run: Callable[[], HttpResponseBase],
    *,
    is_secret: bool = False,
) -> tuple[StoredAnswer, HttpResponseBase | None]:
    """The stored answer, and the response where the request ran just now."""
    fresh: list[HttpResponseBase] = []

    def answer() -> StoredAnswer | None:
        try:
            response = run()
        except StoredRefusal as refusal:
            response = problem_response(refusal, request._request)
        fresh[:] = [response]
        stored = _stored(response)
        return StoredAnswer(stored.status, "") if stored and is_secret else stored

    outcome = _stores[0](key=key, run=answer)
    if outcome is None:
        return StoredAnswer(fresh[0].status_code, ""), fresh[0]
    return outcome[0], None if outcome[1] else fresh[0]


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
    caller = cast(Caller, request.auth)
    return make_request_key(given, caller.request_owner, target, request._request.body)


def make_request_key(given: str, owner: str, target: str, body: bytes) -> RequestKey:
    """The key of a header's value. `target`: method and path of the request.

    Raises:
        InvalidIdempotencyKey: it is empty, too long or not printable.
    """
    quoted = _QUOTED_KEY.fullmatch(given)
    key = given if quoted is None else re.sub(r"\\(.)", r"\1", quoted.group(1))
    if not _KEY.fullmatch(key) or key.isspace():
        raise InvalidIdempotencyKey()
    content = f"{target}\n".encode() + _canonical(body)
    return RequestKey(owner, key, hashlib.sha256(content).hexdigest())


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


def _stored(response: HttpResponseBase) -> StoredAnswer | None:
    if response.status_code >= _FIRST_UNKEPT_STATUS:
        return None
    if isinstance(response, Response):
        body = b"" if response.data is None else encode_json(response.data)
    else:
        assert isinstance(response, HttpResponse), "an answer that is kept is no stream"
        body = response.content
    return StoredAnswer(response.status_code, body.decode())
