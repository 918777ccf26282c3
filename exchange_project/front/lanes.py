"""How many requests may be at the Django processes at once, and how many may wait.

Exports and look-ups of market prices can take seconds: they get a share of the threads, so that a
login, a page or a health check always finds one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from exchange_project.front.errors import DjangoBusy, TooManySlowRequests

# Requests that wait for a thread, for each thread there is.
_WAITING_PER_THREAD = 16
# How long one of them waits: the threads may be waiting for a server that does not answer.
_WAIT_SECONDS = 8.0
# The share of the threads that each kind of slow request may have.
_EXPORTS_SHARE, _PRICES_SHARE = 4, 2

_PRICE_PATHS = ("/api/v1/price/", "/api/v1/trade", "/api/v1/portfolio")


class Lanes:
    """Counts the requests of one front process against its share of the Django threads."""

    def __init__(self, threads: int) -> None:
        self._threads = asyncio.Semaphore(threads)
        self._waiting_max = threads * _WAITING_PER_THREAD
        self._waiting = 0
        self._slow_max = {
            "export": max(1, threads // _EXPORTS_SHARE),
            "price": max(1, threads // _PRICES_SHARE),
        }
        self._slow = dict.fromkeys(self._slow_max, 0)

    @asynccontextmanager
    async def thread(self, path: str, query: bytes) -> AsyncIterator[None]:
        """Hold a Django thread for a request.

        Raises:
            TooManySlowRequests: its kind has its share already.
            DjangoBusy: too many wait for a thread, or none was free for too long.
        """
        kind = _slow_kind(path, query)
        if kind is not None and self._slow[kind] >= self._slow_max[kind]:
            raise TooManySlowRequests
        if self._waiting >= self._waiting_max:
            raise DjangoBusy
        if kind is not None:
            self._slow[kind] += 1
        try:
            self._waiting += 1
            try:
                async with asyncio.timeout(_WAIT_SECONDS):
                    await self._threads.acquire()
            except TimeoutError as error:
                raise DjangoBusy from error
            finally:
                self._waiting -= 1
            try:
                yield
            finally:
                self._threads.release()
        finally:
            if kind is not None:
                self._slow[kind] -= 1


def _slow_kind(path: str, query: bytes) -> str | None:
    if b"format=csv" in query:
        return "export"
    return "price" if path.startswith(_PRICE_PATHS) else None
