"""Lists as CSV: documents of the API, or any lines, streamed as a file."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
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
# A text of this form is a number to a spreadsheet, never a formula.
_AMOUNT = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


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
    show: Callable[[Any], Any],
    columns: Sequence[str],
    name: str,
) -> Response | StreamingHttpResponse:
    """The wanted page of rows, not ordered yet, as `show` writes each; or all as `name`.csv.

    The columns of a `Document` are its `__struct_fields__`.
    """
    if is_csv:
        return rows_csv_answer(rows, show=show, columns=columns, name=name)
    return Response(fetch_page(rows, wanted).document(request, show))


def rows_csv_answer(
    rows: QuerySet[Any, Any],
    *,
    show: Callable[[Any], Any],
    columns: Sequence[str],
    name: str,
) -> StreamingHttpResponse:
    """All rows, not ordered yet, newest first and read in chunks, as `show` writes each."""
    documents = map(show, rows.order_by("-pk").iterator(chunk_size=_CHUNK))
    return csv_answer(document_csv(columns, documents), name)


def csv_answer(lines: Iterable[str], name: str) -> StreamingHttpResponse:
    """The lines of a CSV file as an answer that is saved under `name`.csv."""
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def document_csv(columns: Sequence[str], documents: Iterable[Any]) -> Iterator[str]:
    """Documents, Structs or mappings, as CSV; with the header also where there are none."""
    yield from csv_lines([columns])
    for document in documents:
        if isinstance(document, declarations.Document):
            cells = [getattr(document, name) for name in columns]
        else:
            cells = [document[name] for name in columns]
        yield from csv_lines([map(_cell, cells)])


def _cell(value: Any) -> str:
    """A value as the JSON document has it; None is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value if _AMOUNT.fullmatch(value) else as_text(value)
    if isinstance(value, datetime):
        return format_instant(value)
    return plain(value) if isinstance(value, Decimal) else str(value).lower()
