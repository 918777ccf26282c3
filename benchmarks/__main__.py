"""`make bench`, or `python -m benchmarks [ROW …] [--quick] [--compare FILE]`: measure and tell.

Rows: P1 and P2 (HTTP), P3 (the engine alone), P4 (matching alone), P5 (transfers beside a bare
pgbench), P6 (margin of many accounts); without any, all of these. On request only: P7 (the engine's
start with a million open orders), P8 (an order and the reads with ten million orders in the tables)
and P1-PAGES (hot requests while others page the back office and download CSV). Takes about twelve
minutes, with --quick four; quick figures are for a look, not for the record. The machine should
have nothing else to do; how fast it runs is its pace, the time of a fixed loop before each row.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks import report
from benchmarks.isolation import in_new_process
from benchmarks.report import Row
from benchmarks.rows import ALL_ROWS, DEFAULT_ROWS, choose


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
    parser.add_argument("--history", type=int, metavar="N", help="P8: orders in the tables")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="show the change since then")
    options = parser.parse_args()
    wanted = [row.upper() for row in options.rows] or list(DEFAULT_ROWS)
    unknown = set(wanted) - set(ALL_ROWS)
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    machine, began = report.describe_machine(), time.monotonic()
    rows: list[Row] = []
    paces: list[float] = []
    for name, measure in choose(wanted, options.quick, options.profile, options.history):
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
