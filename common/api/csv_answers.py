"""Lists as CSV: documents of the API, or any lines, as a file that is written by and by."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from common.api.fields import FieldReader
from common.api.renderers import format_instant
from common.csv_files import as_text, csv_lines
from common.money import plain

_CHUNK = 1_000


def read_is_csv(reader: FieldReader) -> bool:
    """Whether `format` of a query string asks for CSV: `json` by itself."""
    return reader.optional_choice("format", ("json", "csv")) == "csv"


def stream_documents(
    rows: QuerySet[Any, Any], show: Callable[[Any], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """All rows, not ordered yet, newest first and read by and by, as `show` writes each."""
    for row in rows.order_by("-pk").iterator(chunk_size=_CHUNK):
        yield show(row)


def csv_answer(lines: Iterable[str], name: str) -> StreamingHttpResponse:
    """The lines of a CSV file as an answer that is saved under `name`.csv."""
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def document_csv(columns: Sequence[str], documents: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Documents as CSV, with the header also where there are none."""
    yield from csv_lines([columns])
    for document in documents:
        yield from csv_lines([[_cell(document[name]) for name in columns]])


def _cell(value: Any) -> str:
    """A value as the JSON document has it; None is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return as_text(value)
    if isinstance(value, datetime):
        return format_instant(value)
    return plain(value) if isinstance(value, Decimal) else str(value).lower()
