"""The id of the request that is being served, wherever in the process that is.

The front binds it and sends it to Django in `X-Request-ID`; commands carry it to the engine, and
tasks to the worker, so that all log lines of one request can be found by it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """Return the id of the request, or the task, that is being served; empty outside of any."""
    return _request_id.get()


def bind_request_id(request_id: str) -> None:
    """Serve this request from now on, in the present thread or asyncio task."""
    _request_id.set(request_id)


def outside_requests() -> Context:
    """Return the context for a task that serves all requests, whichever of them starts it."""
    return Context()


@contextmanager
def serving(request_id: str) -> Iterator[None]:
    """Serve a request within the block."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)
