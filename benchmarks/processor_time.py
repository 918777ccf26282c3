"""Processor time of a venue's processes: what one order costs in each, whatever else waits."""

from collections import defaultdict
from collections.abc import Mapping

import psutil

# A word of the command line, and what the process is called; the first that fits.
_NAMES = {
    "exchange_project.asgi": "web",
    "exchange_project.wsgi": "Django",
    "run_engine": "engine",
    "postgres": "PostgreSQL",
    "valkey": "Valkey",
    "celery": "Celery",
    "wrk": "wrk",
}


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far: what a busy machine does not change."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def processor_seconds() -> dict[str, float]:
    """Processor time that the processes below this one have used so far, by their names."""
    used: defaultdict[str, float] = defaultdict(float)
    for process in psutil.Process().children(recursive=True):
        try:
            command, seconds = " ".join(process.cmdline()), cpu_seconds(process.pid)
        except psutil.NoSuchProcess:
            continue
        name = next((name for word, name in _NAMES.items() if word in command), "")
        if name:
            used[name] += seconds
    return used


def describe_cost(
    before: Mapping[str, float], after: Mapping[str, float], orders: int
) -> dict[str, int]:
    """Microseconds of an order by process, the dearest first; without what is next to nothing."""
    costs = {
        name: round((used - before.get(name, 0.0)) / orders * 1e6) for name, used in after.items()
    }
    dearest = sorted(costs.items(), key=lambda item: item[1], reverse=True)
    return {name: cost for name, cost in dearest if cost >= 2}
