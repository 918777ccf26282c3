"""What the back office's pages share: facts are read-only, big tables are never counted."""

from functools import cached_property
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

_COUNTED_MAX = 10_000


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
