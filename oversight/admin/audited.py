"""Pages that write rows themselves, with a record of each write in the audit trail."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from oversight.services.changes import as_text
from oversight.services.records import record


class AuditedAdmin(ModelAdmin):
    """A page without services; what was before and after is noted, field by field."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save the row, and note it."""
        before = _values(self.model._default_manager.get(pk=obj.pk)) if change else {}
        super().save_model(request, obj, form, change)
        after = _values(obj)
        changed = {name for name in after if before.get(name) != after[name]}
        verb = "changed" if change else "created"
        record(
            action=f"{self.model._meta.model_name}.{verb}",
            target=obj,
            before={name: before[name] for name in changed if change},
            after={name: after[name] for name in changed},
        )

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete the row, and note it."""
        record(action=f"{self.model._meta.model_name}.deleted", target=obj, before=_values(obj))
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete the rows one by one, and note each."""
        for obj in queryset:
            self.delete_model(request, obj)


def _values(row: Any) -> dict[str, str | None]:
    return {field.name: as_text(getattr(row, field.attname)) for field in row._meta.concrete_fields}
