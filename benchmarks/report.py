"""The rows of the bench: printed as one table, kept as JSON, compared with an earlier run."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from embedded import paths

_RESULTS = Path("bench") / "results"
_HEADINGS = ("row", "what", "figure", "pace", "target", "at this pace", "met?")
_GIGABYTE = 1024**3
_LOOP = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line. `value` is what two runs are compared by; `details` go into the file alone.

    `pace` is the machine's, just before; `target` is stated at `targets.STATED_AT`, `target_here`
    is the same at this pace, and what `is_met` is about. A rate with refusals is no result.
    `failure` says why no figure of the run counts.
    """

    row: str
    what: str
    figure: str
    value: float
    pace: float | None = None
    target: str = ""
    target_here: str = ""
    is_met: bool | None = None
    is_result: bool = True
    higher_is_better: bool = True
    failure: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def met(self) -> str:
        """What the last column says."""
        if self.failure:
            return "FAILED"
        if not self.is_result:
            return "no result"
        return "" if self.is_met is None else "yes" if self.is_met else "no"


def tell_progress(text: str) -> None:
    """Say on standard error what is being measured now."""
    print(f"{datetime.now().astimezone():%H:%M:%S}  {text}", file=sys.stderr, flush=True)


def describe_machine() -> dict[str, Any]:
    """Where and on what the figures come about, and how busy it is before they do."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _ask_git("describe", "--always", "--dirty", "--exclude=*"),
        "processor": _processor_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIGABYTE, 1),
        "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        **_server_versions(),
    }


def measure_pace() -> float:
    """Seconds of processor time that a fixed loop takes now, the best of three.

    Shared machines change their speed within minutes: two figures compare only as far as this does.
    """
    paces = []
    for _ in range(3):
        began = time.process_time()
        sum(number * number for number in range(_LOOP))
        paces.append(time.process_time() - began)
    return round(min(paces), 3)


def print_report(machine: dict[str, Any], rows: Sequence[Row]) -> None:
    """One calm table, below what it was measured on."""
    print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB; "
        f"Python {machine['python']}, {machine['postgres']}, {machine['valkey']}\n"
        f"commit {machine['commit']}, {machine['time']}, "
        f"load average at the start {' '.join(map(str, machine['load_average']))}\n"
        f"pace before each row and at the end, seconds of a fixed loop: {_paces(machine)}\n"
    )
    lines = [_cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *lines, strict=True)]
    for line in (_HEADINGS, tuple("-" * width for width in widths), *lines):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
    for row in rows:
        if row.failure:
            print(f"\n{row.row} {row.what} failed: {row.failure}")


def _cells(row: Row) -> tuple[str, ...]:
    pace = "" if row.pace is None else f"{row.pace:.3f} s"
    here = "" if row.target_here == row.target else row.target_here
    return row.row, row.what, row.figure, pace, row.target, here, row.met()


def save(machine: dict[str, Any], rows: Sequence[Row]) -> Path:
    """Keep a run below `bench/results/`; returns the file."""
    folder = paths.project_root() / _RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{machine['time'].replace(':', '-').removesuffix('+00-00')}.json"
    file.write_text(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}))
    return file


def print_comparison(earlier_file: Path, rows: Sequence[Row]) -> None:
    """The change of each row against an earlier run's file."""
    earlier = json.loads(earlier_file.read_text())
    values = {(row["row"], row["what"]): row["value"] for row in earlier["rows"]}
    machine = earlier["machine"]
    print(f"\nAgainst {earlier_file.name}, commit {machine['commit']}, "
          f"load average then {' '.join(map(str, machine['load_average']))}, "
          f"pace then {_paces(machine)}:")  # fmt: skip
    for row in rows:
        before = values.get((row.row, row.what))
        if before:
            print(f"  {row.row}  {row.what}: {_change(before, row)}")


def _paces(machine: dict[str, Any]) -> str:
    return " ".join(map(str, machine.get("paces", ["not measured"])))


def _change(before: float, row: Row) -> str:
    change = row.value / before - 1
    verdict = "" if abs(change) < 0.05 else (
        ", better" if (change > 0) == row.higher_is_better else ", worse"
    )  # fmt: skip
    return f"{before:,.6g} -> {row.value:,.6g} ({change:+.1%}{verdict})"


def _ask_git(*arguments: str) -> str:
    asked = subprocess.run(
        ["git", *arguments],
        cwd=paths.project_root(),
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "unknown"


def _processor_model() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def _server_versions() -> dict[str, str]:
    from embedded import programs

    postgres = programs.find_postgres(open_to_all=os.geteuid() == 0).folder / "postgres"
    valkey = programs.find_valkey(open_to_all=os.geteuid() == 0)
    return {"postgres": _version_of(postgres), "valkey": _version_of(valkey)}


def _version_of(program: Path) -> str:
    """`postgres (PostgreSQL) 18.6` and `Valkey server v=9.1.2 sha=…`, each in two words."""
    asked = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    words = asked.stdout.replace("(", " ").replace(")", " ").split()
    number = next(word for word in words if word.removeprefix("v=")[:1].isdigit())
    name = "PostgreSQL" if "PostgreSQL" in words else words[0]
    return f"{name} {number.removeprefix('v=')}"
