"""A whole venue under load: runs plans and wrk, keeps what was acknowledged, looks for it.

The venue is what `make run` starts, on servers of its own with fsync on: gunicorn, engine, worker,
beat. The load comes from another process on the same machine.
"""

import http.client
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from benchmarks import wrk
from benchmarks.flow import BROKERS
from benchmarks.load import Plan
from benchmarks.processor_time import describe_cost, processor_seconds
from benchmarks.report import tell_progress
from embedded.errors import CommandFailedError
from embedded.trial import TrialVenue

_QUEUE_SECONDS_MAX = 60.0


class Bench:
    """One venue under load, with a key for each of its brokers."""

    def __init__(self, venue: TrialVenue, folder: Path) -> None:
        self.venue = venue
        self._folder = folder
        self._runs = 0
        self.keys = [register(venue, f"Broker {number}") for number in range(BROKERS)]

    def load(self, **plan: Any) -> dict[str, Any]:
        """Run a plan of `benchmarks.load.Plan` and return its result."""
        tell_progress(", ".join(f"{name} {value}" for name, value in plan.items()))
        self._runs += 1
        acknowledged = self._folder / f"{self._runs}.ids"
        planned = Plan(
            port=self.venue.port,
            keys=self.keys,
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

    def load_with_wrk(
        self, *, connections: int, seconds: float, warm_up_seconds: float
    ) -> dict[str, Any]:
        """New orders in a closed loop by wrk, after a run that does not count."""
        tell_progress(f"wrk, connections {connections}, seconds {seconds}")
        self._run_wrk(connections, warm_up_seconds)
        before = processor_seconds()
        result = self._run_wrk(connections, seconds)
        orders = max(1, result["acknowledged"])
        result["processor_us"] = describe_cost(before, processor_seconds(), orders)
        return result

    def let_queue_drain(self) -> None:
        """Wait until the engine has nothing to do: what a run left is not the next run's."""
        connection = http.client.HTTPConnection("127.0.0.1", self.venue.port, timeout=10)
        deadline = time.monotonic() + _QUEUE_SECONDS_MAX
        while time.monotonic() < deadline:
            connection.request("GET", "/health")
            if json.loads(connection.getresponse().read())["queue_lag"] == 0:
                break
            time.sleep(0.1)
        connection.close()

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

    def _run_wrk(self, connections: int, seconds: float) -> dict[str, Any]:
        self._runs += 1
        folder = self._folder / f"wrk-{self._runs}"
        folder.mkdir()
        wrk.write_orders(folder, self.keys, seed=self._runs, seconds=seconds)
        self.venue.run(
            wrk.spec(
                folder,
                port=self.venue.port,
                connections=connections,
                seconds=seconds,
                environ=self.venue.environ,
            )
        )
        return wrk.read_result(folder)

    def _count_missing(self) -> int:
        with psycopg.connect(self.venue.database_url) as connection:
            connection.execute("CREATE TEMP TABLE acknowledged (id uuid)")
            with connection.cursor().copy("COPY acknowledged FROM STDIN") as copy:
                for file in self._folder.rglob("*.ids"):
                    copy.write(file.read_bytes())
            found = connection.execute(
                "SELECT count(*) FROM acknowledged a"
                " WHERE NOT EXISTS (SELECT 1 FROM orders_order o WHERE o.id = a.id)"
            ).fetchone()
        assert found is not None
        return int(found[0])


def register(venue: TrialVenue, name: str) -> str:
    """Register a broker; returns its key."""
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
