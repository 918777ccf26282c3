"""How many requests a key may send: token buckets per key in the memory of a web process.

The limits are there against runaway programs and hold per process; the headers of
draft-ietf-httpapi-ratelimit-headers report them. Cancels have a bucket of their own, so that a
caller who has sent too much can still take it back. A rate of 0 switches a limit off.
"""

import threading
import time
from collections.abc import Callable, Hashable
from enum import StrEnum
from typing import NamedTuple

from django.conf import settings

from common.errors import Throttled

_BUCKETS_MAX = 20_000


class Bucket(StrEnum):
    """What is counted together. The value is the name of the policy in the headers."""

    REQUESTS = "key"
    CANCELS = "cancels"


class RateLimit(NamedTuple):
    """What is left of a key's quota of `quota` requests a second."""

    quota: int
    remaining: int
    policy: str = Bucket.REQUESTS

    def headers(self) -> tuple[str, str]:
        """Values of `RateLimit-Policy` and `RateLimit`."""
        return f'"{self.policy}";q={self.quota};w=1', f'"{self.policy}";r={self.remaining};t=1'


class TokenBuckets:
    """A bucket for each key: `rate` tokens a second, at most `rate` saved up.

    Kept in thousand-millionths of a token, so that a nanosecond refills a whole number of them.
    """

    def __init__(
        self,
        rate: int,
        clock: Callable[[], int] = time.monotonic_ns,
        policy: str = Bucket.REQUESTS,
    ) -> None:
        self.rate = rate
        self._policy = policy
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
        limit = RateLimit(self.rate, level // 1_000_000_000, self._policy)
        if not is_allowed:
            refusal = Throttled(limit_per_second=self.rate)
            refusal.rate_limit = limit
            raise refusal
        return limit


_buckets: dict[Bucket, TokenBuckets] = {}


def take_request(key: Hashable, bucket: Bucket = Bucket.REQUESTS) -> RateLimit | None:
    """Count a request of `key`; None when there is no limit.

    Raises:
        Throttled: `key` has used up its requests of this second; it carries the `rate_limit`.
    """
    if bucket == Bucket.CANCELS:
        rate = settings.API_CANCEL_RATE_PER_SECOND
    else:
        rate = settings.API_RATE_PER_SECOND
    if rate <= 0:
        return None
    buckets = _buckets.get(bucket)
    if buckets is None or buckets.rate != rate:
        buckets = _buckets[bucket] = TokenBuckets(rate, policy=bucket)
    return buckets.take(key)
