"""P1 and P2: a whole venue over HTTP, all of its answers durable.

The venue is what `make run` starts, on servers of its own with fsync on: gunicorn, engine, worker,
beat. The load comes from `benchmarks.load`, a process of its own on the same machine. The closed
loop sends new orders alone, as those did whose figures are the targets; the open loop sends the
whole traffic. At the end every acknowledged order must be in the database and `check_ledger` must
agree, else all rows fail.
"""

import http.client
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
import psycopg

from benchmarks.flow import BROKERS
from benchmarks.load import Plan
from benchmarks.report import Row, tell_progress
from benchmarks.traffic import REQUESTS_PER_SECOND_AT_100
from embedded import paths, ports
from embedded.errors import CommandFailedError
from embedded.trial import TrialVenue, trial_venue

P99_MAX_MS = 50.0
# (connections, orders a second that are the target)
CLOSED_LOOPS = ((32, 4_500), (128, 6_500))
OPEN_LOOP_TARGET = 2.5
OPEN_LOOP_STEP = 0.5
OPEN_LOOP_MAX = 8.0
OPEN_LOOP_CONNECTIONS = 128
# Of the requests that were planned, so many have to be answered as they should be.
_REACHED_SHARE = 0.99
P2_P50_MAX_MS, P2_P99_MAX_MS = 5.0, 15.0
_PRIMING_CONNECTIONS = 8
_QUEUE_SECONDS_MAX = 60.0


class Bench:
    """One venue under load: runs plans, keeps what was acknowledged."""

    def __init__(self, venue: TrialVenue, folder: Path) -> None:
        self.venue = venue
        self._folder = folder
        self._runs = 0
        self._keys = [register(venue, f"Broker {number}") for number in range(BROKERS)]

    def load(self, **plan: Any) -> dict[str, Any]:
        """Carry out a plan of `benchmarks.load.Plan` and return its result."""
        tell_progress(", ".join(f"{name} {value}" for name, value in plan.items()))
        self._runs += 1
        acknowledged = self._folder / f"{self._runs}.ids"
        planned = Plan(
            port=self.venue.port,
            keys=self._keys,
            seed=self._runs,
            acknowledged=str(acknowledged),
            **plan,
        )
        plan_file = self._folder / f"{self._runs}.plan.json"
        result_file = self._folder / f"{self._runs}.json"
        plan_file.write_bytes(msgspec.json.encode(planned))
        self.venue.run_module("benchmarks.load", str(plan_file), str(result_file))
        result: dict[str, Any] = json.loads(result_file.read_text())
        return result

    def what_is_wrong(self) -> str:
        """Why the figures do not count; empty when nothing was lost and the ledger agrees."""
        missing = self._count_missing()
        if missing:
            return f"{missing} acknowledged orders are not in the database"
        try:
            self.venue.manage("check_ledger")
        except CommandFailedError as error:
            return str(error)
        return ""

    def _count_missing(self) -> int:
        with psycopg.connect(self.venue.database_url) as connection:
            connection.execute("CREATE TEMP TABLE acknowledged (id uuid)")
            with connection.cursor().copy("COPY acknowledged FROM STDIN") as copy:
                for file in self._folder.glob("*.ids"):
                    copy.write(file.read_bytes())
            found = connection.execute(
                "SELECT count(*) FROM acknowledged a"
                " WHERE NOT EXISTS (SELECT 1 FROM orders_order o WHERE o.id = a.id)"
            ).fetchone()
        assert found is not None
        return int(found[0])


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
            for connections, target in CLOSED_LOOPS:
                rows.append(_measure_closed(bench, connections, target, 5 if quick else 20))
                _let_queue_drain(venue)
            rows.append(_measure_open(bench, seconds=4 if quick else 15))
            _let_queue_drain(venue)
        tell_progress("looking for what was acknowledged")
        failure = bench.what_is_wrong()
    return [replace(row, failure=failure) for row in rows] if failure else rows


def measure_generator(seconds: float, connections: int = 32) -> Row:
    """What the load generator can do against a server that does nothing."""
    port = ports.choose_free_port()
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
        what="the load generator's own ceiling, trivial server",
        figure=f"{rate:,.0f} requests/s; {per_processor_second:,.0f} a processor second",
        value=per_processor_second,
        details=result,
    )


def run_plan(plan: Plan) -> dict[str, Any]:
    """Carry out a plan in a process of its own, without a venue to look after."""
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
    result = bench.load(
        connections=1, seconds=seconds, warm_up_seconds=1, pause_seconds=0.005, orders_only=True
    )
    orders = result["kinds"]["order"]
    p50, p99 = orders["p50_ms"], orders["p99_ms"]
    return Row(
        row="P2",
        what="one order, idle venue",
        figure=f"p50 {p50} ms, p99 {p99} ms",
        value=p50,
        target=f"p50 < {P2_P50_MAX_MS:.0f} ms, p99 < {P2_P99_MAX_MS:.0f} ms",
        is_met=p50 < P2_P50_MAX_MS and p99 < P2_P99_MAX_MS and not result["unexpected"],
        higher_is_better=False,
        details=result,
    )


def _measure_closed(bench: Bench, connections: int, target: int, seconds: float) -> Row:
    result = bench.load(
        connections=connections, seconds=seconds, warm_up_seconds=1, orders_only=True
    )
    rate, orders = result["orders_per_second"], result["kinds"]["order"]
    return Row(
        row="P1",
        what=f"closed loop, {connections} connections",
        figure=f"{rate:,.0f} orders/s, p50 {orders['p50_ms']} ms, p99 {orders['p99_ms']} ms"
        + _tell_unexpected(result),
        value=rate,
        target=f"{target:,} orders/s, p99 < {P99_MAX_MS:.0f} ms",
        is_met=rate >= target and orders["p99_ms"] < P99_MAX_MS,
        details=result,
    )


def _measure_open(bench: Bench, *, seconds: float) -> Row:
    """Raise the offered rate until p99 is too long or the rate is not reached."""
    best, steps = 0.0, {}
    scale = OPEN_LOOP_STEP
    while scale <= OPEN_LOOP_MAX:
        result = bench.load(
            connections=OPEN_LOOP_CONNECTIONS,
            seconds=seconds,
            warm_up_seconds=1,
            rate=scale * REQUESTS_PER_SECOND_AT_100,
        )
        steps[f"{scale:.0%}"] = result
        if not _is_sustained(result):
            break
        best, scale = scale, scale + OPEN_LOOP_STEP
        _let_queue_drain(bench.venue)
    shown = steps[f"{best:.0%}"] if best else result
    return Row(
        row="P1",
        what="open loop, Poisson, whole traffic",
        figure=f"{best:.0%} of 700 orders/s, p99 {shown['all']['p99_ms']} ms",
        value=best,
        target=f"{OPEN_LOOP_TARGET:.0%}, p99 < {P99_MAX_MS:.0f} ms",
        is_met=best >= OPEN_LOOP_TARGET,
        details={"steps": steps},
    )


def _is_sustained(result: dict[str, Any]) -> bool:
    """Whether what was offered was answered, in time, orders too if looked at alone."""
    slowest = max(result["all"]["p99_ms"], result["kinds"].get("order", {}).get("p99_ms", 0.0))
    is_reached: bool = result["all"]["count"] >= _REACHED_SHARE * result["planned"]
    return is_reached and slowest < P99_MAX_MS


def _tell_unexpected(result: dict[str, Any]) -> str:
    """The refusals and failures of a run, by status."""
    others = {name: n for name, n in result["statuses"].items() if not name.endswith(" 201")}
    told = ", ".join(f"{count:,} × {name.split()[1]}" for name, count in others.items())
    return f" ({told})" if told else ""


def register(venue: TrialVenue, name: str) -> str:
    """Take a broker in; returns its key."""
    connection = http.client.HTTPConnection("127.0.0.1", venue.port, timeout=10)
    connection.request(
        "POST",
        "/register",
        json.dumps({"name": name}),
        {"Authorization": f"Bearer {venue.admin_key}", "Content-Type": "application/json"},
    )
    answer = connection.getresponse()
    document = json.loads(answer.read())
    connection.close()
    assert answer.status == 201, document
    key: str = document["api_key"]
    return key


def _let_queue_drain(venue: TrialVenue) -> None:
    """What a run left in the engine's queue is not the next run's."""
    connection = http.client.HTTPConnection("127.0.0.1", venue.port, timeout=10)
    deadline = time.monotonic() + _QUEUE_SECONDS_MAX
    while time.monotonic() < deadline:
        connection.request("GET", "/health")
        if json.loads(connection.getresponse().read())["queue_lag"] == 0:
            break
        time.sleep(0.1)
    connection.close()


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 20
    while ports.is_free(port):
        assert time.monotonic() < deadline, "the server does not listen"
        time.sleep(0.02)
