"""The closed loop with wrk, where it is on PATH: a generator that takes little from the venue.

New orders are drawn before the run and read from a file by `orders.lua`, which notes the ids that
were acknowledged. wrk corrects its latencies for coordinated omission. It has no warm-up and no
pause after a 503, so warming up is a run of its own, and a venue that refuses is asked again at
once.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.latency import unexpected_statuses
from benchmarks.traffic import EXPECTED, Draft, Traffic
from embedded import paths
from embedded.processes import ProcessSpec

SCRIPT = Path(__file__).with_name("orders.lua")
FOLDER_VARIABLE = "BENCH_WRK_FOLDER"
# More than a venue takes: the file begins again at its end, and prices where they began.
_ORDERS_PER_SECOND_MAX = 10_000
_TIMEOUT_SECONDS = 10


def find_wrk() -> str | None:
    """The path of the program, if it is installed."""
    return shutil.which("wrk")


def write_orders(folder: Path, keys: list[str], *, seed: int, seconds: float) -> None:
    """Write what `orders.lua` reads: the keys, and new orders enough for `seconds`."""
    (folder / "keys").write_text("".join(f"{key}\n" for key in keys))
    traffic = Traffic(seed, keys, orders_only=True)
    count = max(1, round(seconds * _ORDERS_PER_SECOND_MAX))
    with (folder / "orders").open("w") as file:
        file.writelines(_line(traffic.draft()) for _ in range(count))


def _line(draft: Draft) -> str:
    milliseconds = round((draft.lifetime_seconds or 0) * 1000)
    # Lua counts from one.
    return f"{draft.broker + 1} {milliseconds} {draft.body}\n"


def spec(
    folder: Path, *, port: int, connections: int, seconds: float, environ: Mapping[str, str]
) -> ProcessSpec:
    """The command that sends the orders of `folder`; `read_result` says what came of it."""
    program = find_wrk()
    assert program is not None, "wrk is not on PATH"
    command = (
        program, "--threads", "1", "--connections", str(connections),
        "--duration", f"{max(1, round(seconds))}s", "--timeout", f"{_TIMEOUT_SECONDS}s",
        "--script", str(SCRIPT), f"http://127.0.0.1:{port}/orders",
    )  # fmt: skip
    return ProcessSpec(
        "wrk",
        command,
        cwd=paths.project_root(),
        environ={**environ, FOLDER_VARIABLE: str(folder)},
    )


def read_result(folder: Path) -> dict[str, Any]:
    """What came of a run, in the words of `benchmarks.load`."""
    found = json.loads((folder / "result.json").read_text())
    seconds, statuses = found["seconds"], found["statuses"]
    acknowledged = sum(statuses.get(f"order {status}", 0) for status in EXPECTED["order"])
    latency = {name: found[name] for name in ("p50_ms", "p90_ms", "p99_ms", "max_ms")}
    orders = {"count": found["answered"], **latency}
    return {
        "generator": "wrk",
        "all": orders,
        "kinds": {"order": orders},
        "statuses": statuses,
        "unexpected": found["answered"] - acknowledged,
        "unexpected_statuses": unexpected_statuses(statuses),
        "lost_connections": sum(found["errors"].values()),
        "errors": found["errors"],
        "seconds": round(seconds, 2),
        "requests_per_second": round(found["answered"] / seconds, 1),
        "orders_per_second": round(acknowledged / seconds, 1),
        "acknowledged": acknowledged,
    }
