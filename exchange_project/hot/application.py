"""The ASGI application of the hot lane, in front of the one that answers everything else."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from brokers.api.authentication import authenticate, count_request
from brokers.api.permissions import check_may_call
from common.api.middleware import note_request
from common.api.problems import translate_or_log
from exchange_project.hot.requests import ClientGone, HotRequest, Message, Receive, Scope, Send
from exchange_project.hot.responses import HotResponse, send_response
from exchange_project.hot.routes import Endpoint, find_endpoint
from exchange_project.hot.threads import Work, run_cached

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_JSON = "application/json"
_known_hosts: dict[str, bool] = {}
_KNOWN_HOSTS_MAX = 1_000


class HotLane:
    """Answers hot requests, and hands all others to `rest`."""

    def __init__(self, rest: Application) -> None:
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _find_hot(scope)
        if found is None:
            await self._rest(scope, receive, send)
            return
        started = time.perf_counter_ns()
        endpoint, argument = found
        request = HotRequest(scope, receive)
        try:
            response = await _answer(endpoint, request, argument)
            if response is None:
                await self._rest(scope, _replay(await request.body(), receive), send)
                return
            await send_response(send, request, response)
            note_request(request, response.status, started)
        except ClientGone:
            return
        finally:
            request.release()


async def _answer(endpoint: Endpoint, request: HotRequest, argument: str) -> HotResponse | None:
    """What the endpoint answers, refusals included; None: the Django view has to."""
    try:
        if not endpoint.is_public:
            await _admit(endpoint, request)
        return await endpoint.handle(request, argument)
    except ClientGone:
        raise
    except Exception as error:
        return endpoint.show_error(translate_or_log(error, request), request)


async def _admit(endpoint: Endpoint, request: HotRequest) -> None:
    """Find the caller, count the request, and see that the caller may make it."""
    authorization, x_api_key = request.header(b"authorization"), request.header(b"x-api-key")
    caller = await run_cached(lambda: authenticate(authorization, x_api_key), Work.KEYS)
    count_request(request, caller, endpoint.view)
    check_may_call(caller, request.method, endpoint.view)
    assert caller is not None, "refused without a key"
    request.caller = caller


def _find_hot(scope: Scope) -> tuple[Endpoint, str] | None:
    """The endpoint of a request; None where it is not hot, or unusual in any way."""
    if scope["type"] != "http":
        return None
    found = find_endpoint(scope["method"], scope["path"])
    if found is None:
        return None
    # Probes are answered here in any case: Django's threads may be waiting for what they ask about.
    if found[0].is_public:
        return found
    return found if settings.HOT_LANE and _is_usual(scope) else None


def _is_usual(scope: Scope) -> bool:
    """Whether path, host, media type and headers are as nearly all clients send them."""
    headers = scope["headers"]
    by_name = dict(headers)
    if len(by_name) != len(headers) or b"%" in scope.get("raw_path", b""):
        return False
    if scope["method"] != "GET" and scope["query_string"]:
        return False
    media_type = by_name.get(b"content-type", b"").decode("latin-1")
    if media_type and media_type.partition(";")[0].strip().lower() != _JSON:
        return False
    return _is_known_host(by_name.get(b"host", b"").decode("latin-1"))


def _is_known_host(host: str) -> bool:
    """Whether ALLOWED_HOSTS has this host; remembered, since it is asked for each request."""
    known = _known_hosts.get(host)
    if known is None:
        domain, _ = split_domain_port(host)
        known = bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
        if len(_known_hosts) < _KNOWN_HOSTS_MAX:
            _known_hosts[host] = known
    return known


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that first gives a body which was read already."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
