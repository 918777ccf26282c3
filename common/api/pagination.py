"""Cursor pages over rows with ordered ids (time-ordered UUIDs or bigints), newest first.

No OFFSET and no COUNT: a page is one index range, however deep. A cursor is opaque; it names the
last row of a page and a direction. New rows never shift a page.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model, QuerySet
from msgspec import Meta
from rest_framework.request import Request

from common.api import declarations
from common.api.fields import FieldReader
from common.limits import BIGINT_MAX

PAGE_SIZE = 50
PAGE_SIZE_MAX = 1000
_CURSOR_CHARACTERS_MAX = 100

Row = TypeVar("Row")
ModelRow = TypeVar("ModelRow", bound=Model)
RowId = int | UUID


class PageQuery(declarations.Request, frozen=True):
    """Which page of a list is wanted."""

    page_size: Annotated[int, Meta(ge=1, le=PAGE_SIZE_MAX, description="Rows of a page.")] = (
        PAGE_SIZE
    )
    cursor: Annotated[
        Annotated[str, Meta(max_length=_CURSOR_CHARACTERS_MAX)] | None,
        Meta(description="From `next` or `previous`."),
    ] = None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is wanted: the rows older than `before`, or the next newer ones than `after`.

    For SQL of one's own: `WHERE id < before ORDER BY id DESC`, or, where `after` is set,
    `WHERE id > after ORDER BY id`, both `LIMIT limit`; then `make_page`.
    """

    size: int
    before: RowId | None = None
    after: RowId | None = None

    @property
    def limit(self) -> int:
        """Rows to fetch: one more than shown, to see whether there is another page."""
        return self.size + 1


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a page, newest first, and the cursors of its neighbours."""

    rows: Sequence[Any]
    next: str | None
    previous: str | None

    def document(
        self, request: Request, show: Callable[[Any], Any] = lambda row: row
    ) -> dict[str, Any]:
        """`next`, `previous` (addresses, or null) and `results` as `show` writes each row."""
        return {
            "next": _address(request, self.next),
            "previous": _address(request, self.previous),
            "results": [show(row) for row in self.rows],
        }


def read_page_request(reader: FieldReader, id_type: type[int] | type[UUID]) -> PageRequest:
    """The page that `page_size` and `cursor` of a query string ask for.

    A wrong one is noted on `reader`, whose `finish` raises it.
    """
    query = reader.struct(PageQuery)
    size, cursor = query.page_size or PAGE_SIZE, query.cursor
    if not cursor:
        return PageRequest(size)
    try:
        direction, row_id = _decode_cursor(cursor, id_type)
    except ValueError:
        reader.refuse("cursor", "invalid_cursor", "This is no cursor of this list.")
        return PageRequest(size)
    if direction == "n":
        return PageRequest(size, before=row_id)
    return PageRequest(size, after=row_id)


def fetch_page(queryset: QuerySet[ModelRow], wanted: PageRequest) -> Page:
    """One page of `queryset`, which must not be ordered or sliced yet."""
    if wanted.after is not None:
        rows = queryset.filter(pk__gt=wanted.after).order_by("pk")
    elif wanted.before is not None:
        rows = queryset.filter(pk__lt=wanted.before).order_by("-pk")
    else:
        rows = queryset.order_by("-pk")
    return make_page(list(rows[: wanted.limit]), wanted, lambda row: row.pk)


def make_page(rows: list[Row], wanted: PageRequest, get_id: Callable[[Row], RowId]) -> Page:
    """A page of rows that were fetched as `wanted` asks: in its order and up to its limit."""
    has_more = len(rows) > wanted.size
    shown = rows[: wanted.size]
    is_backward = wanted.after is not None
    if is_backward:
        shown.reverse()
    if not shown:
        return Page([], None, None)
    has_older = is_backward or has_more
    has_newer = has_more if is_backward else wanted.before is not None
    return Page(
        shown,
        next=_encode_cursor("n", get_id(shown[-1])) if has_older else None,
        previous=_encode_cursor("p", get_id(shown[0])) if has_newer else None,
    )


def list_page(
    request: Request,
    queryset: QuerySet[ModelRow],
    show: Callable[[ModelRow], Any],
    *,
    id_type: type[int] | type[UUID],
) -> dict[str, Any]:
    """The whole of a simple list view: the page of `queryset` that the query string asks for."""
    reader = FieldReader.of_query(request.query_params)
    wanted = read_page_request(reader, id_type)
    reader.finish()
    return fetch_page(queryset, wanted).document(request, show)


def _address(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    parameters = [
        (name, value)
        for name, values in request.query_params.lists()
        if name != "cursor"
        for value in values
    ]
    query = urlencode([*parameters, ("cursor", cursor)])
    return request.build_absolute_uri(f"{request.path}?{query}")


def _encode_cursor(direction: str, row_id: RowId) -> str:
    text = f"{direction}{row_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode_cursor(cursor: str, id_type: type[int] | type[UUID]) -> tuple[str, RowId]:
    """Direction and row id of a cursor.

    Raises:
        ValueError: it was not made by `_encode_cursor` for ids of this type.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("no cursor") from error
    row_id = id_type(text[1:])
    if text[:1] not in ("n", "p") or _encode_cursor(text[0], row_id) != cursor:
        raise ValueError("no cursor")
    if isinstance(row_id, int) and row_id > BIGINT_MAX:
        raise ValueError("no cursor")
    return text[0], row_id
