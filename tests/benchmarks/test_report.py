"""What the bench prints and keeps."""

import json
from pathlib import Path

import pytest

from benchmarks.report import (
    Row,
    describe_machine,
    measure_pace,
    print_comparison,
    print_report,
)

_FAST = Row(
    row="P1",
    what="orders",
    figure="5 orders/s",
    value=5.0,
    pace=0.19,
    target="4",
    target_here="2",
    is_met=True,
)
_SLOW = Row(row="P2", what="wait", figure="9 ms", value=9.0, higher_is_better=False)
_LOST = Row(row="P3", what="all", figure="1", value=1.0, is_met=True, failure="1 order is missing")


def test_the_table_tells_what_was_met_and_why_a_row_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine = describe_machine() | {"paces": [0.145, 0.31]}
    print_report(machine, [_FAST, _SLOW, _LOST])

    lines = capsys.readouterr().out.splitlines()
    assert machine["postgres"].startswith("PostgreSQL 1") and machine["valkey"] in lines[0]
    assert lines[2].endswith("seconds of a fixed loop: 0.145 0.31")
    assert lines[4].split() == [
        "row",
        "what",
        "figure",
        "pace",
        "target",
        "at",
        "this",
        "pace",
        "met?",
    ]
    assert lines[6].split() == ["P1", "orders", "5", "orders/s", "0.190", "s", "4", "2", "yes"]
    assert lines[8].endswith("FAILED")
    assert lines[-1] == "P3 all failed: 1 order is missing"


def test_the_pace_is_the_time_of_a_loop_that_does_something() -> None:
    assert 0.01 < measure_pace() < 60


def test_a_comparison_knows_which_direction_is_better(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = {
        "machine": {"commit": "abc", "load_average": [1.0, 2.0, 3.0]},
        "rows": [
            {"row": "P1", "what": "orders", "value": 4.0},
            {"row": "P2", "what": "wait", "value": 6.0},
        ],
    }
    file = tmp_path / "earlier.json"
    file.write_text(json.dumps(earlier))
    print_comparison(file, [_FAST, _SLOW, _LOST])

    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        "  P1  orders: 4 -> 5 (+25.0%, better)",
        "  P2  wait: 6 -> 9 (+50.0%, worse)",
    ]
