"""`make bench`, or `python -m benchmarks [ROW …] [--quick] [--compare FILE]`: measure and tell.

Rows: P1 and P2 (HTTP), P3 (the engine alone), P4 (matching alone), P5 (transfers beside a bare
pgbench), P6 (margin of many accounts); without any, all. Takes about twelve minutes, with --quick
four; quick figures are for a look, not for the record. The machine should have nothing else to do;
how fast it ran is told by the pace, the time of a fixed loop before each row and at the end.
"""

import argparse
import multiprocessing
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks import report
from benchmarks.report import Row
from benchmarks.rows import ALL_ROWS, choose


def in_new_process(measure: Callable[[], list[Row]]) -> list[Row]:
    """Call it in a fresh interpreter, so that no row pays for what another one left in memory."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as executor:
        return executor.submit(measure).result()


def measured_or_failed(name: str, measure: Callable[[], list[Row]]) -> list[Row]:
    """The rows that `measure` brings, or one that tells why there are none; the others go on."""
    try:
        return in_new_process(measure)
    except Exception as error:
        traceback.print_exception(error)
        return [Row(row=name, what="not measured", figure="", value=0.0, failure=repr(error)[:500])]


def main() -> int:
    """Measure, print, save; 1 when a row failed (not when a target was missed)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ALL_ROWS)}")
    parser.add_argument("--quick", action="store_true", help="shorter runs")
    parser.add_argument("--profile", action="store_true", help="P3: show what the time goes to")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="show the change since then")
    options = parser.parse_args()
    wanted = [row.upper() for row in options.rows] or list(ALL_ROWS)
    unknown = set(wanted) - set(ALL_ROWS)
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    machine, began = report.describe_machine(), time.monotonic()
    rows: list[Row] = []
    paces: list[float] = []
    for name, measure in choose(wanted, options.quick, options.profile):
        paces.append(report.measure_pace())
        rows += measured_or_failed(name, measure)
    paces.append(report.measure_pace())
    rows.sort(key=lambda row: row.row)
    machine |= {
        "quick": options.quick,
        "seconds": round(time.monotonic() - began),
        "paces": paces,
    }
    report.print_report(machine, rows)
    if options.compare is not None:
        report.print_comparison(options.compare, rows)
    print(f"\nkept in {report.save(machine, rows)}")
    return 1 if any(row.failure for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
