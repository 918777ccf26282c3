"""How many requests a key may send: a token bucket per key in the memory of a web process.

The limit is there against runaway programs and holds per process; it is told in the headers of
draft-ietf-httpapi-ratelimit-headers. API_RATE_PER_SECOND = 0 switches it off.
"""

import threading
import time
from collections.abc import Callable, Hashable
from typing import NamedTuple

from django.conf import settings

from common.errors import Throttled

_BUCKETS_MAX = 20_000


class RateLimit(NamedTuple):
    """What is left of a key's quota of `quota` requests a second."""

    quota: int
    remaining: int

    def headers(self) -> tuple[str, str]:
        """Values of `RateLimit-Policy` and `RateLimit`."""
        return f'"key";q={self.quota};w=1', f'"key";r={self.remaining};t=1'


class TokenBuckets:
    """A bucket for each key: `rate` tokens a second, at most `rate` saved up.

    Kept in thousand-millionths of a token, so that a nanosecond refills a whole number of them.
    """

    def __init__(self, rate: int, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.rate = rate
        self._clock = clock
        self._capacity = rate * 1_000_000_000
        self._buckets: dict[Hashable, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def take(self, key: Hashable) -> RateLimit:
        """Take a token of `key`'s bucket.

        Raises:
            Throttled: it is empty.
        """
        now = self._clock()
        with self._lock:
            level, filled_at = self._buckets.pop(key, (self._capacity, now))
            level = min(self._capacity, level + (now - filled_at) * self.rate)
            if is_allowed := level >= 1_000_000_000:
                level -= 1_000_000_000
            self._buckets[key] = (level, now)
            if len(self._buckets) > _BUCKETS_MAX:
                del self._buckets[next(iter(self._buckets))]  # the one used longest ago
        limit = RateLimit(self.rate, level // 1_000_000_000)
        if not is_allowed:
            raise Throttled(limit_per_second=self.rate)
        return limit


_buckets: TokenBuckets | None = None


def take_request(key: Hashable) -> RateLimit | None:
    """Count a request of `key`; None when there is no limit.

    Raises:
        Throttled: `key` has used up its requests of this second.
    """
    global _buckets
    rate = settings.API_RATE_PER_SECOND
    if rate <= 0:
        return None
    if _buckets is None or _buckets.rate != rate:
        _buckets = TokenBuckets(rate)
    return _buckets.take(key)
