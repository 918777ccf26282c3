"""What a run of the load generator found out: latencies by kind of request, answers by status."""

from array import array
from collections import Counter
from collections.abc import Mapping
from typing import Any

from benchmarks.traffic import EXPECTED


def percentiles(seconds: "array[float]") -> dict[str, float]:
    """Count, p50, p90, p99 and maximum in milliseconds (nearest rank); zeros for none."""
    ordered = sorted(seconds)
    count = len(ordered)

    def rank(share: float) -> float:
        return round(ordered[min(count - 1, int(share * count))] * 1000, 2) if count else 0.0

    return {
        "count": count,
        "p50_ms": rank(0.50),
        "p90_ms": rank(0.90),
        "p99_ms": rank(0.99),
        "max_ms": rank(1.0),
    }


def unexpected_statuses(statuses: Mapping[str, int]) -> dict[str, int]:
    """Those of the counts by kind and status ("order 503") that no answer should have."""
    return {
        name: count
        for name, count in sorted(statuses.items())
        if int(name.split()[1]) not in EXPECTED[name.split()[0]]
    }


class Record:
    """Collects answers. Those to requests of the warm-up are counted by status alone."""

    def __init__(self) -> None:
        self._latencies: dict[str, array[float]] = {kind: array("d") for kind in EXPECTED}
        self.statuses: Counter[str] = Counter()
        self.expected = 0
        self.unexpected = 0
        self.lost = 0

    def add(self, kind: str, status: int, seconds: float, *, is_counted: bool) -> None:
        """Note an answer and how long it was waited for."""
        self.statuses[f"{kind} {status}"] += 1
        if status not in EXPECTED[kind]:
            self.unexpected += 1
        elif is_counted:
            self.expected += 1
            self._latencies[kind].append(seconds)

    def answered(self, kind: str) -> int:
        """How many requests of a kind were answered as they should be."""
        return len(self._latencies[kind])

    def document(self) -> dict[str, Any]:
        """All of it, for JSON."""
        together = array("d")
        for latencies in self._latencies.values():
            together.extend(latencies)
        return {
            "all": percentiles(together),
            "kinds": {kind: percentiles(found) for kind, found in self._latencies.items() if found},
            "statuses": dict(sorted(self.statuses.items())),
            "unexpected": self.unexpected,
            "unexpected_statuses": unexpected_statuses(self.statuses),
            "lost_connections": self.lost,
        }
