"""Targets of the rows. They are stated at one pace of the machine and scaled to the pace found.

The pace is the time of a fixed loop (`benchmarks.report.measure_pace`): on a machine at twice the
pace, half the rate and twice the time are asked for. Ratios are asked for as they stand.
"""

from dataclasses import dataclass, field

STATED_AT = 0.095


def rate_here(rate: float, pace: float) -> float:
    """A rate that is stated at a pace of `STATED_AT`, at another pace."""
    return rate * STATED_AT / pace


def time_here(time: float, pace: float) -> float:
    """A time that is stated at a pace of `STATED_AT`, at another pace."""
    return time * pace / STATED_AT


@dataclass(frozen=True, kw_only=True)
class Target:
    """A rate to reach, and times in milliseconds to stay below by their names (`p99`, …)."""

    rate: float | None = None
    unit: str = "orders/s"
    below_ms: dict[str, float] = field(default_factory=dict)

    def at(self, pace: float) -> "Target":
        """What this asks for at another pace."""
        return Target(
            rate=None if self.rate is None else rate_here(self.rate, pace),
            unit=self.unit,
            below_ms={name: time_here(time, pace) for name, time in self.below_ms.items()},
        )

    def is_met(self, *, rate: float | None = None, **times_ms: float) -> bool:
        """Whether these figures reach it as it stands; times are given by the same names."""
        if self.rate is not None and (rate is None or rate < self.rate):
            return False
        return all(times_ms[name] < limit for name, limit in self.below_ms.items())

    def __str__(self) -> str:
        parts = [] if self.rate is None else [f"≥ {self.rate:,.0f} {self.unit}"]
        parts += [f"{name} < {limit:.3g} ms" for name, limit in self.below_ms.items()]
        return ", ".join(parts)
