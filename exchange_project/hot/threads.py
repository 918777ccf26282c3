"""Blocking work beside the event loop: the database through Django's connections.

Most requests find all they need in the caches of the process. So a call is tried on the event loop
first, where Django refuses to touch the database; only then it is made in a thread.

Each kind of work has threads of its own. Strangers can make this process look up as many keys as
they make up; neither an order nor the renewal of what is cached waits behind those.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import TypeVar

from django.core.exceptions import SynchronousOnlyOperation
from django.db import close_old_connections

from common.caching import renew_caches
from common.errors import VenueUnavailable

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class Work(Enum):
    """What threads are for: their name, and how many there are."""

    REQUESTS = "hot", 4
    KEYS = "hot-keys", 2
    RENEWAL = "hot-renewal", 1


# A call that found no thread within this time is not made.
_QUEUE_SECONDS = 3.0
# A fraction of the shortest time for which a value is remembered.
_RENEW_SECONDS = 0.5

_pools: dict[Work, ThreadPoolExecutor] = {}


async def run_cached(call: Callable[[], Result], work: Work = Work.REQUESTS) -> Result:
    """What `call` returns: from caches at once, else from a thread that may ask the database.

    `call` must not have done anything before it first asks the database.
    """
    try:
        return call()
    except SynchronousOnlyOperation:
        return await run_in_thread(call, work)


async def run_in_thread(call: Callable[[], Result], work: Work = Work.REQUESTS) -> Result:
    """What `call` returns, from one of a few threads that do this kind of work alone.

    Raises:
        VenueUnavailable: all threads wait for a database that does not answer; nothing was done.
    """
    pool = _pools.get(work)
    if pool is None:
        name, count = work.value
        pool = _pools[work] = ThreadPoolExecutor(count, thread_name_prefix=name)
    queued = pool.submit(with_live_connections, call)
    result = asyncio.wrap_future(queued)
    done, _ = await asyncio.wait([result], timeout=_QUEUE_SECONDS)
    if not done and queued.cancel():
        raise VenueUnavailable
    return await result


async def keep_caches_fresh() -> None:
    """Renew what the requests of this process use, until canceled."""
    while True:
        await asyncio.sleep(_RENEW_SECONDS)
        try:
            await run_in_thread(renew_caches, Work.RENEWAL)
        except Exception:
            logger.exception("The caches could not be renewed; it is tried again")


def with_live_connections(call: Callable[[], Result]) -> Result:
    """Drop connections that were lost or are too old, as Django does around its requests."""
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()
