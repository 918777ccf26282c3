"""A bounded in-process memory for facts that may be a moment old: keys, instruments, accounts.

Every process has its own, so a change elsewhere is seen when the time to live is over. Reads take
no lock: a dictionary's single operations are atomic in CPython.
"""

import threading
import time
import weakref
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

# The share of its time to live after which a value in use is read again.
_RENEWED_SHARE = 0.4

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


class RenewedCache(TtlCache[Key, Value]):
    """A cache whose values in use are read again together, before they are too old.

    So a reader that must not wait finds what it used a moment ago. `load` gives the values of some
    keys, as they are now; without a process that calls `renew_caches` this is a `TtlCache`.
    """

    def __init__(
        self,
        *,
        max_size: int,
        ttl_seconds: float,
        load: Callable[[Collection[Key]], Mapping[Key, Value]],
    ) -> None:
        super().__init__(max_size=max_size, ttl_seconds=ttl_seconds)
        self._load = load
        self._used: set[Key] = set()
        self._due_at = 0.0

    def get(self, key: Key) -> Value | None:
        """The value of `key`, None when it is not known or too old."""
        value = super().get(key)
        if value is not None:
            self._used.add(key)
        return value

    def renew(self) -> None:
        """Read what was used since the last time again, unless that was a moment ago.

        What is not there any more is forgotten.
        """
        if not self._used or self._clock() < self._due_at:
            return
        used, self._used = self._used, set()
        self._due_at = self._clock() + self._ttl_seconds * _RENEWED_SHARE
        fresh = self._load(used)
        for key in used:
            value = fresh.get(key)
            if value is None:
                self.forget(key)
            else:
                self.put(key, value)


def renew_caches() -> None:
    """Read all that was used lately again. For a thread of a process whose readers must not wait.

    Raises what the loads raise; what was not read again gets too old as ever.
    """
    for cache in list(_caches):
        if isinstance(cache, RenewedCache):
            cache.renew()


def clear_all_caches() -> None:
    """Empty every cache of this process: after a reset of the venue, and between tests."""
    for cache in list(_caches):
        cache.clear()
