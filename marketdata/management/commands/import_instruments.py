"""`manage.py import_instruments FILE.csv`: list or change instruments, with a report by line."""

import csv
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError

from marketdata.importing import (
    COLUMNS,
    REQUIRED_COLUMNS,
    ImportReport,
    Line,
    import_instruments,
)

_WIDTH = max(map(len, COLUMNS))
_TELL_EVERY = 500


class Command(BaseCommand):
    """Exit code 0: the file is right; 1: some lines are not."""

    help = (
        "List or change instruments from a CSV file (UTF-8, commas, names of columns in its first "
        "line). All lines or none, unless --partial. The same file again changes nothing.\n\n"
        "An empty cell leaves an instrument as it is; a new one gets the usual value, which stands "
        "behind the semicolon. Columns, in any order:\n\n"
        + "\n".join(f"  {name:<{_WIDTH}}  {text}".rstrip() for name, text in COLUMNS.items())
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """The table of columns keeps its lines."""
        kwargs["formatter_class"] = RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE.csv", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="Look at all, store nothing.")
        parser.add_argument(
            "--partial", action="store_true", help="Store the lines that are right, if any."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        lines = _read_lines(options["file"])
        report = import_instruments(
            lines=lines,
            is_partial=options["partial"],
            is_dry_run=options["dry_run"],
            tell_progress=lambda done: self._tell_progress(done, len(lines)),
        )
        for line in _told(report, is_dry_run=options["dry_run"]):
            self.stdout.write(line)
        if report.errors:
            raise SystemExit(1)

    def _tell_progress(self, done: int, total: int) -> None:
        if sys.stderr.isatty() and (done == total or done % _TELL_EVERY == 0):
            end = "\n" if done == total else ""
            self.stderr.write(f"\r{done:,} of {total:,} lines", ending=end)


def _read_lines(path: Path) -> list[Line]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_lines_of(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error


def _lines_of(file: TextIO) -> Iterator[Line]:
    rows = csv.reader(file, strict=True)
    header = [name.strip() for name in next(rows, [])]
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in REQUIRED_COLUMNS if name not in header]
    if unknown or missing or len(set(header)) != len(header):
        raise CommandError(
            "The first line must name columns, each once, symbol and kind among them: "
            f"unknown {unknown}, missing {missing}. See --help."
        )
    for cells in rows:
        if any(cells):
            if len(cells) > len(header):
                raise CommandError(f"Line {rows.line_num} has more cells than there are columns.")
            yield rows.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=False))


def _told(report: ImportReport, *, is_dry_run: bool) -> Iterator[str]:
    for error in report.errors:
        where = f"line {error.line}, {error.symbol or 'no symbol'}"
        column = f", {error.field}" if error.field else ""
        yield f"{where}{column}: {error.detail} ({error.code})"
    counts = f"{report.created} new, {report.changed} changed, {report.unchanged} unchanged"
    wrong = len({error.line for error in report.errors})
    yield f"{counts}, {wrong} wrong."
    if not report.is_stored:
        yield "Nothing was stored." + (" (dry run)" if is_dry_run else "")
