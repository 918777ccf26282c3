"""What the back office's pages share: facts are read-only, big tables are never counted."""

from functools import cached_property, reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
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


class FoundById(ReadOnlyAdmin):
    """Facts that are searched for by an exact id: by an index, never through the whole table."""

    # For the box to be there.
    search_fields = ("id",)
    # The fields that a number, and those that a UUID in the box, is an id of; any of them.
    searched_row_ids: tuple[str, ...] = ()
    searched_uuids: tuple[str, ...] = ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """All rows without a term, none where it is no such id."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if self.searched_row_ids and (number := as_row_id(term)) is not None:
            return queryset.filter(_any_is(self.searched_row_ids, number)), False
        if self.searched_uuids and (found := as_uuid(term)) is not None:
            return queryset.filter(_any_is(self.searched_uuids, found)), False
        return queryset.none(), False


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


def _any_is(fields: tuple[str, ...], value: int | UUID) -> Q:
    return reduce(or_, (Q(**{field: value}) for field in fields))
