"""Where an action comes from: the request that is being answered in this context."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponseBase

from common.addresses import client_address

_request: ContextVar[HttpRequest | None] = ContextVar("audited_request", default=None)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sent a request (empty: not known yet), the network address, and the request's id."""

    actor: str
    name: str
    address: str
    request_id: str


# A task, a command, or another program of the venue.
VENUE = Origin(actor="venue", name="", address="", request_id="")


class OriginMiddleware:
    """Remembers the request, so that services can note who acts and from where."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = _request.set(request)
        try:
            return self._get_response(request)
        finally:
            _request.reset(token)


def get_origin() -> Origin:
    """Of the present request, or the venue itself where there is none."""
    request = _request.get()
    if request is None:
        return VENUE
    user = getattr(request, "user", None)
    is_person = user is not None and user.is_authenticated
    # Of a request to the API: the principal behind its key or token.
    caller = getattr(getattr(request, "auth", None), "actor", "")
    return Origin(
        actor=f"user:{user.pk}" if user is not None and is_person else caller,
        name=user.get_username() if user is not None and is_person else "",
        address=client_address(request),
        request_id=getattr(request, "request_id", ""),
    )
