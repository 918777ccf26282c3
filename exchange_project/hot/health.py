"""`GET /health` in the hot lane: found out in a thread of its own, so nothing delays it.

What was found is reported again for a moment, so that many probes cost no more than a few.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from exchange_project.health import health_document
from exchange_project.hot.requests import HotRequest
from exchange_project.hot.responses import HotResponse, json_response
from exchange_project.hot.threads import with_live_connections

# A load balancer does not wait longer.
SECONDS_MAX = 2.0
_FRESH_SECONDS = 0.2
_NO_STORE = {"Cache-Control": "no-store"}

_thread = ThreadPoolExecutor(1, thread_name_prefix="health")
_looking: "asyncio.Future[dict[str, Any]] | None" = None
_found: tuple[float, dict[str, Any]] = (0.0, {})


async def get_health(_request: HotRequest, _: str) -> HotResponse:
    """The state of the venue; 503 also when finding out takes longer than two seconds."""
    document = await _look()
    if document is None:
        document = {"status": "gone", "detail": f"No answer within {SECONDS_MAX:.0f} seconds"}
    status = 200 if document["status"] == "ok" else 503
    return json_response(document, status, _NO_STORE)


async def _look() -> dict[str, Any] | None:
    """What was found a moment ago, or now; None when it takes too long."""
    global _looking, _found
    found_at, document = _found
    if time.monotonic() - found_at < _FRESH_SECONDS:
        return document
    if _looking is None:
        _looking = asyncio.get_running_loop().run_in_executor(
            _thread, with_live_connections, health_document
        )
    done, _ = await asyncio.wait([_looking], timeout=SECONDS_MAX)
    if not done:
        return None
    if _looking is not None and _looking.done():
        looked, _looking = _looking, None
        _found = (time.monotonic(), looked.result())
    return _found[1]
