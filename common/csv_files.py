"""CSV (RFC 4180), written by and by. Pure."""

import csv
from collections.abc import Iterable, Iterator

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Each row as a line with its end."""
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow(row)


def as_text(cell: str) -> str:
    """A cell that somebody else wrote, which no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


class _Echo:
    """A file for `csv.writer` that hands each row back."""

    def write(self, row: str) -> str:
        return row
