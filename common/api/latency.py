"""How long this process's API requests took lately, for /health. Cheap: a ring, no locks."""

import time
from typing import TypedDict

_WINDOW_REQUESTS = 2048


class LatencySummary(TypedDict):
    """Figures of the last requests of this process; times in whole microseconds."""

    count: int
    p50_us: int | None
    p95_us: int | None
    p99_us: int | None
    errors: int
    error_rate_bps: int
    uptime_seconds: int


class LatencyRing:
    """The last 2048 latencies, and counts since the start.

    Threads may lose each other's sample now and then: these are statistics, not facts.
    """

    def __init__(self, size: int = _WINDOW_REQUESTS) -> None:
        self._samples: list[int] = []
        self._size = size
        self._count = 0
        self._errors = 0
        self._started = time.monotonic()

    def record(self, nanoseconds: int, *, is_error: bool) -> None:
        """Note a request; `is_error`: it was answered 5xx."""
        if len(self._samples) < self._size:
            self._samples.append(nanoseconds)
        else:
            self._samples[self._count % self._size] = nanoseconds
        self._count += 1
        self._errors += is_error

    def summary(self) -> LatencySummary:
        """Percentiles of the ring (nearest rank), and the share of 5xx answers since the start."""
        samples = sorted(self._samples)
        return {
            "count": self._count,
            "p50_us": _percentile_us(samples, 50),
            "p95_us": _percentile_us(samples, 95),
            "p99_us": _percentile_us(samples, 99),
            "errors": self._errors,
            "error_rate_bps": self._errors * 10_000 // self._count if self._count else 0,
            "uptime_seconds": int(time.monotonic() - self._started),
        }


def _percentile_us(ordered: list[int], percent: int) -> int | None:
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)
    return ordered[rank - 1] // 1000


api_latency = LatencyRing()
