"""P1 and P2: a whole venue over HTTP, all of its answers durable.

The closed loop sends new orders alone, by wrk where it is installed, else by `benchmarks.load`; the
open loop sends the whole traffic. At the end every acknowledged order must be in the database and
`check_ledger` must agree, else all rows fail. A closed loop with refusals or errors has no result.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import wrk
from benchmarks.http_venue import Bench
from benchmarks.load import Plan
from benchmarks.report import Row, measure_pace, tell_progress
from benchmarks.targets import Target, rate_here, time_here
from benchmarks.traffic import REQUESTS_PER_SECOND_AT_100
from embedded import paths, ports
from embedded.trial import trial_venue

# Connections and what they should reach.
CLOSED_LOOPS = {
    1: Target(rate=700, below_ms={"p50": 1.5}),
    32: Target(rate=4_300, below_ms={"p99": 40}),
    128: Target(rate=6_300, below_ms={"p99": 80}),
    512: Target(rate=6_300),
}
ONE_ORDER = Target(below_ms={"p50": 1.5, "p99": 8})
OPEN_LOOP_TARGET = 2.5
OPEN_LOOP_P99_MS = 50.0
OPEN_LOOP_STEP = 0.5
OPEN_LOOP_MAX = 8.0
OPEN_LOOP_CONNECTIONS = 128
# Of the requests that were planned, so many have to be answered as they should be.
_REACHED_SHARE = 0.99
_PRIMING_CONNECTIONS = 8


def run(wanted: Iterable[str] = ("P1", "P2"), *, quick: bool = False) -> list[Row]:
    """The rows of P1 and P2, as asked for, on one venue."""
    tell_progress("the load generator alone")
    rows = [measure_generator(2.0)]
    tell_progress("starting a venue")
    with tempfile.TemporaryDirectory() as folder, trial_venue() as venue:
        bench = Bench(venue, Path(folder))
        bench.load(connections=_PRIMING_CONNECTIONS, seconds=0, prime=True)
        if "P2" in wanted:
            rows.append(measure_one_order(bench, seconds=3 if quick else 10))
        if "P1" in wanted:
            for connections, target in CLOSED_LOOPS.items():
                rows.append(measure_closed(bench, connections, target, 5 if quick else 20))
                bench.let_queue_drain()
            rows.append(measure_open(bench, seconds=4 if quick else 15))
            bench.let_queue_drain()
        tell_progress("looking for what was acknowledged")
        failure = bench.what_is_wrong()
    return [replace(row, failure=failure) for row in rows] if failure else rows


def measure_generator(seconds: float, connections: int = 32) -> Row:
    """What the load generator can do against a server that does nothing."""
    port, pace = ports.choose_free_port(), measure_pace()
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.trivial", str(port)], cwd=paths.project_root()
    )
    try:
        _wait_for_port(port)
        result = run_plan(Plan(port=port, keys=["key"], connections=connections, seconds=seconds))
    finally:
        server.kill()
        server.wait()
    rate = result["requests_per_second"]
    per_processor_second = rate / max(result["generator_processor_share"], 0.01)
    return Row(
        row="P1",
        what="the open loop's generator alone, trivial server",
        figure=f"{rate:,.0f} requests/s; {per_processor_second:,.0f} a processor second",
        value=per_processor_second,
        pace=pace,
        details=result,
    )


def run_plan(plan: Plan) -> dict[str, Any]:
    """Run a plan in a process of its own, against any server."""
    with tempfile.TemporaryDirectory() as folder:
        plan_file, result_file = Path(folder) / "plan.json", Path(folder) / "result.json"
        plan_file.write_bytes(msgspec.json.encode(plan))
        subprocess.run(
            [sys.executable, "-m", "benchmarks.load", plan_file, result_file],
            cwd=paths.project_root(),
            check=True,
        )
        result: dict[str, Any] = json.loads(result_file.read_text())
    return result


def measure_one_order(bench: Bench, *, seconds: float) -> Row:
    """P2: one connection sends an order now and then, and nobody else does anything."""
    pace = measure_pace()
    result = bench.load(
        connections=1, seconds=seconds, warm_up_seconds=1, pause_seconds=0.005, orders_only=True
    )
    orders = result["kinds"].get("order", {})
    p50, p99 = orders.get("p50_ms", 0.0), orders.get("p99_ms", 0.0)
    here = ONE_ORDER.at(pace)
    is_clean = _is_clean(result)
    return Row(
        row="P2",
        what="one order, idle venue",
        figure=f"p50 {p50} ms, p99 {p99} ms{describe_unexpected(result)}",
        value=p50,
        pace=pace,
        target=str(ONE_ORDER),
        target_here=str(here),
        is_met=is_clean and here.is_met(p50=p50, p99=p99),
        is_result=is_clean,
        higher_is_better=False,
        details=result,
    )


def measure_closed(bench: Bench, connections: int, target: Target, seconds: float) -> Row:
    """P1: each of some connections sends its next order when the last one is answered."""
    pace = measure_pace()
    if wrk.find_wrk() is not None:
        result = bench.load_with_wrk(connections=connections, seconds=seconds, warm_up_seconds=2)
    else:
        result = bench.load(
            connections=connections, seconds=seconds, warm_up_seconds=1, orders_only=True
        )
    return closed_row(result, connections, target, pace)


def closed_row(result: dict[str, Any], connections: int, target: Target, pace: float) -> Row:
    """The row of a closed loop's result: with refusals or errors the rate is no result."""
    rate, orders = result["orders_per_second"], result["kinds"].get("order", {})
    times = {name: orders.get(f"{name}_ms", 0.0) for name in ("p50", "p90", "p99")}
    here, is_clean = target.at(pace), _is_clean(result)
    figures = ", ".join(f"{name} {time} ms" for name, time in times.items())
    if costs := result.get("processor_us"):
        shown = ", ".join(f"{name} {cost}" for name, cost in costs.items())
        figures += f"; CPU per order, us: {shown}"
    return Row(
        row="P1",
        what=f"closed loop, {connections} connection{'s' if connections > 1 else ''}, "
        f"{result['generator']}",
        figure=f"{rate:,.0f} orders/s, {figures}{describe_unexpected(result)}",
        value=rate,
        pace=pace,
        target=str(target),
        target_here=str(here),
        is_met=is_clean and here.is_met(rate=rate, **times),
        is_result=is_clean,
        details=result,
    )


def measure_open(bench: Bench, *, seconds: float) -> Row:
    """Raise the offered rate until p99 is too long, a request fails, or the rate is not reached."""
    pace = measure_pace()
    p99_max_ms = time_here(OPEN_LOOP_P99_MS, pace)
    steps: dict[float, dict[str, Any]] = {}
    best, scale = 0.0, OPEN_LOOP_STEP
    while scale <= OPEN_LOOP_MAX:
        steps[scale] = offer(bench, scale, seconds)
        if not is_sustained(steps[scale], p99_max_ms):
            break
        best, scale = scale, scale + OPEN_LOOP_STEP
        bench.let_queue_drain()
    return _open_row(steps, best, pace)


def offer(bench: Bench, scale: float, seconds: float) -> dict[str, Any]:
    """The whole traffic at `scale` times 700 new orders a second, in an open loop."""
    return bench.load(
        connections=OPEN_LOOP_CONNECTIONS,
        seconds=seconds,
        warm_up_seconds=1,
        rate=scale * REQUESTS_PER_SECOND_AT_100,
    )


def _open_row(steps: dict[float, dict[str, Any]], best: float, pace: float) -> Row:
    target, p99 = rate_here(OPEN_LOOP_TARGET, pace), time_here(OPEN_LOOP_P99_MS, pace)
    told = [f"{best:.0%} of 700 orders/s"]
    if best:
        told.append(f"p99 {steps[best]['all']['p99_ms']} ms")
    for scale, result in steps.items():
        if scale > best:
            unexpected = describe_unexpected(result)
            told.append(f"at {scale:.0%} p99 {result['all']['p99_ms']} ms{unexpected}")
    return Row(
        row="P1",
        what="open loop, Poisson, whole traffic",
        figure=", ".join(told),
        value=best,
        pace=pace,
        target=f"≥ {OPEN_LOOP_TARGET:.0%}, p99 < {OPEN_LOOP_P99_MS:.0f} ms",
        target_here=f"≥ {target:.0%}, p99 < {p99:.0f} ms",
        is_met=best >= target,
        details={"steps": {f"{scale:.0%}": result for scale, result in steps.items()}},
    )


def is_sustained(result: dict[str, Any], p99_max_ms: float) -> bool:
    """Whether what was offered was answered, all of it, in time; orders too, looked at alone."""
    slowest = max(result["all"]["p99_ms"], result["kinds"].get("order", {}).get("p99_ms", 0.0))
    is_reached: bool = result["all"]["count"] >= _REACHED_SHARE * result["planned"]
    return is_reached and slowest < p99_max_ms and _is_clean(result)


def describe_unexpected(result: dict[str, Any]) -> str:
    """The refusals and failures of a run: how many, by kind of request and status."""
    told = [f"{count:,} × {name}" for name, count in result["unexpected_statuses"].items()]
    if result["lost_connections"]:
        told.append(f"{result['lost_connections']:,} connections or requests lost")
    return f" ({', '.join(told)})" if told else ""


def _is_clean(result: dict[str, Any]) -> bool:
    return not (result["unexpected"] or result["lost_connections"])


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 20
    while ports.is_free(port):
        assert time.monotonic() < deadline, "the server does not listen"
        time.sleep(0.02)
