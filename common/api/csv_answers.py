"""Lists as CSV: documents of the API, or any lines, as a file that is written by and by."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from msgspec import Meta
from rest_framework.request import Request
from rest_framework.response import Response

from common.api import declarations
from common.api.fields import FieldReader
from common.api.pagination import PageRequest, fetch_page
from common.api.renderers import format_instant
from common.csv_files import as_text, csv_lines
from common.money import plain

_CHUNK = 1_000


class FormatQuery(declarations.Request, frozen=True):
    """How a list is answered."""

    format: Annotated[
        str,
        declarations.one_of("ListFormat", ["json", "csv"]),
        Meta(description="`csv` for all rows as a file, without pages."),
    ] = "json"


def read_is_csv(reader: FieldReader) -> bool:
    """Whether `format` of a query string asks for CSV; JSON is the default."""
    return reader.struct(FormatQuery).format == "csv"


def page_or_csv(
    request: Request,
    rows: QuerySet[Any, Any],
    wanted: PageRequest,
    *,
    is_csv: bool,
    show: Callable[[Any], dict[str, Any]],
    columns: Sequence[str],
    name: str,
) -> Response | StreamingHttpResponse:
    """The wanted page of rows, not ordered yet, as `show` writes each; or all as `name`.csv."""
    if is_csv:
        return rows_csv_answer(rows, show=show, columns=columns, name=name)
    return Response(fetch_page(rows, wanted).document(request, show))


def rows_csv_answer(
    rows: QuerySet[Any, Any],
    *,
    show: Callable[[Any], dict[str, Any]],
    columns: Sequence[str],
    name: str,
) -> StreamingHttpResponse:
    """All rows, not ordered yet, newest first and read by and by, as `show` writes each."""
    documents = map(show, rows.order_by("-pk").iterator(chunk_size=_CHUNK))
    return csv_answer(document_csv(columns, documents), name)


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
