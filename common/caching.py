"""A bounded in-process memory for facts that may be a moment old: keys, instruments, accounts.

Every process has its own, so a change elsewhere is seen when the time to live is over. Reads take
no lock: a dictionary's single operations are atomic in CPython.
"""

import threading
import time
import weakref
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_caches: "weakref.WeakSet[TtlCache[object, object]]" = weakref.WeakSet()


class TtlCache(Generic[Key, Value]):
    """At most `max_size` values, each remembered for `ttl_seconds`; the oldest go first."""

    def __init__(
        self,
        *,
        max_size: int,
        ttl_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_size = max_size
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._entries: dict[Key, tuple[float, Value]] = {}
        self._write_lock = threading.Lock()
        _caches.add(self)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """The value of `key`, None when it is not known or too old."""
        entry = self._entries.get(key)
        if entry is None or entry[0] < self._clock():
            return None
        return entry[1]

    def put(self, key: Key, value: Value) -> None:
        """Remember `value`; forgets the oldest one when there is no room."""
        with self._write_lock:
            self._entries.pop(key, None)
            if len(self._entries) >= self._max_size:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = (self._clock() + self._ttl_seconds, value)

    def forget(self, key: Key) -> None:
        """Drop `key`, so that the next reader asks the database."""
        with self._write_lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        """Drop everything."""
        with self._write_lock:
            self._entries.clear()


def clear_all_caches() -> None:
    """Empty every cache of this process: after a reset of the venue, and between tests."""
    for cache in list(_caches):
        cache.clear()
