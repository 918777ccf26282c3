"""A bounded in-process memory for facts that may be a moment old: keys, instruments, accounts.

Every process has its own, so a change elsewhere is seen when the time to live is over. Reads take
no lock: a dictionary's single operations are atomic in CPython.
"""

import math
import threading
import time
import weakref
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

# The share of its time to live after which a value in use is read again.
_RENEWED_SHARE = 0.4
# How long after its last reader a value is in use, how many such values there may be, and how many
# are read by one statement.
_IN_USE_SECONDS = 600.0
_IN_USE_MAX = 5_000
_RENEWED_TOGETHER = 100

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
    """A cache whose values in use are read again before they are too old.

    So a reader that must not wait finds what was read within the last ten minutes. `load` gives the
    values of some keys, as they are now; `note_use` gets the keys that were read since the last
    renewal. Without a process that calls `renew_caches` this is a `TtlCache`.
    """

    def __init__(
        self,
        *,
        max_size: int,
        ttl_seconds: float,
        load: Callable[[Collection[Key]], Mapping[Key, Value]],
        note_use: Callable[[Collection[Key]], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(max_size=max_size, ttl_seconds=ttl_seconds, clock=clock)
        self._load = load
        self._note_use = note_use
        self._used_at: dict[Key, float] = {}
        self._renewed_at = -math.inf

    def get(self, key: Key) -> Value | None:
        """The value of `key`, None when it is not known or too old."""
        entry = self._entries.get(key)
        now = self._clock()
        if entry is None or entry[0] < now:
            return None
        self._used_at[key] = now
        return entry[1]

    def put(self, key: Key, value: Value) -> None:
        """Remember `value`; who asked for it uses it."""
        self._used_at[key] = self._clock()
        super().put(key, value)

    def clear(self) -> None:
        """Drop everything."""
        super().clear()
        self._used_at.clear()

    def renew(self) -> None:
        """Read what is in use again, unless that was a moment ago.

        What is not there any more is forgotten.
        """
        now = self._clock()
        last = self._renewed_at
        if now < last + self._ttl_seconds * _RENEWED_SHARE:
            return
        self._renewed_at = now
        in_use = self._find_in_use(now - _IN_USE_SECONDS)
        if self._note_use is not None:
            self._note_use([key for key, used_at in in_use.items() if used_at >= last])
        keys = list(in_use)
        for start in range(0, len(keys), _RENEWED_TOGETHER):
            some = keys[start : start + _RENEWED_TOGETHER]
            fresh = self._load(some)
            for key in some:
                value = fresh.get(key)
                if value is None:
                    self.forget(key)
                    self._used_at.pop(key, None)
                else:
                    super().put(key, value)

    def _find_in_use(self, since: float) -> dict[Key, float]:
        """The keys that were read since then, and when; the latest ones if they are many."""
        used = sorted(self._used_at.copy().items(), key=lambda item: item[1], reverse=True)
        in_use = {key: used_at for key, used_at in used[:_IN_USE_MAX] if used_at >= since}
        for key, _ in used[len(in_use) :]:
            self._used_at.pop(key, None)
        return in_use


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
