"""What the back office's pages share: facts are read-only, big tables are never counted."""

from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from common.limits import BIGINT_MAX

_COUNTED_MAX = 10_000
_ROW_ID_DIGITS = len(str(BIGINT_MAX))


class CappedPaginator(Paginator):
    """Counts no further than 10,000 rows, so that a page of a big table costs what a page costs."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by().values("pk")[:_COUNTED_MAX].count()
        return len(rows)


class ReadOnlyAdmin(ModelAdmin):
    """Shows facts: they are written by services and the engine, and corrected by actions."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    # Sorting by another column would sort the whole table.
    sortable_by: tuple[str, ...] = ()

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def found_by_id(queryset: QuerySet, term: str, *, row_id: str = "", uuid: str = "") -> QuerySet:
    """The rows that a search means by an exact id: by an index, never through the whole table.

    `row_id` and `uuid` name the fields that ids of these kinds are of. All rows without a term,
    none where it is no such id.
    """
    term = term.strip()
    if not term:
        return queryset
    if row_id and (number := as_row_id(term)) is not None:
        return queryset.filter(**{row_id: number})
    if uuid and (found := as_uuid(term)) is not None:
        return queryset.filter(**{uuid: found})
    return queryset.none()


def as_row_id(term: str) -> int | None:
    """A term of a search as the id of a row; None where no id is written so."""
    if not term.isdecimal() or len(term) > _ROW_ID_DIGITS:
        return None
    row_id = int(term)
    return row_id if row_id <= BIGINT_MAX else None


def as_uuid(term: str) -> UUID | None:
    """A term of a search as a UUID; None where it is none."""
    try:
        return UUID(term)
    except ValueError:
        return None
