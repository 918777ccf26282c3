"""`GET /health`, `/readyz` and `/livez` in the hot lane: answered whatever is stalled.

The state of the venue is found out in a thread of its own. What was found is reported again for a
moment, so that many probes cost no more than a few; what is not found in time counts as gone.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from exchange_project.health import LIVE, health_document
from exchange_project.hot.requests import HotRequest
from exchange_project.hot.responses import HotResponse, json_response
from exchange_project.hot.threads import with_live_connections

# A load balancer does not wait for more than two seconds.
SECONDS_MAX = 1.8
_FRESH_SECONDS = 0.2
_NO_STORE = {"Cache-Control": "no-store"}

_thread = ThreadPoolExecutor(1, thread_name_prefix="health")


class _Look:
    """One look at the venue. The document is filled part by part."""

    def __init__(self) -> None:
        self.began_at = time.monotonic()
        self.document: dict[str, Any] = {"status": "gone"}
        self.done: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().run_in_executor(
            _thread, with_live_connections, lambda: health_document(self.document)
        )

    async def wait(self) -> dict[str, Any]:
        """The document, complete unless that takes too long from the beginning of the look."""
        left = self.began_at + SECONDS_MAX - time.monotonic()
        done, _ = await asyncio.wait([self.done], timeout=max(0.0, left))
        if done:
            return self.done.result()
        late = f"Not all was found out within {SECONDS_MAX} seconds"
        return {**self.document, "status": "gone", "detail": late}


_looking: _Look | None = None
_found: tuple[float, dict[str, Any]] = (0.0, {})


async def get_health(_request: HotRequest, _: str) -> HotResponse:
    """The state of the venue; 503 also when finding out takes longer than two seconds."""
    document = await _look()
    return json_response(document, _status(document), _NO_STORE)


async def get_ready(_request: HotRequest, _: str) -> HotResponse:
    """Whether orders can be taken."""
    document = await _look()
    return json_response({"status": document["status"]}, _status(document), _NO_STORE)


async def get_live(_request: HotRequest, _: str) -> HotResponse:
    """That the event loop turns."""
    return json_response(LIVE, 200, _NO_STORE)


def _status(document: dict[str, Any]) -> int:
    return 200 if document["status"] == "ok" else 503


async def _look() -> dict[str, Any]:
    """What was found a moment ago, or is found now."""
    global _looking, _found
    found_at, document = _found
    if time.monotonic() - found_at < _FRESH_SECONDS:
        return document
    look = _looking
    if look is None or look.done.done():
        look = _looking = _Look()
    document = await look.wait()
    if look.done.done():
        _found = (time.monotonic(), document)
    return document
