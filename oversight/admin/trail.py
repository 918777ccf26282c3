"""The audit trail in the back office: read, filter, search, export."""

import json
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from common.admin import ReadOnlyAdmin, as_uuid
from common.csv_files import as_text, csv_lines
from oversight.models import AuditIdentity, AuditRecord, AuditSeal

_EXPORTED_MAX = 100_000
_COLUMNS = (
    "id",
    "at",
    "actor",
    "address_token",
    "request_id",
    "action",
    "target",
    "target_id",
    "before",
    "after",
    "reason",
)


@admin.register(AuditRecord)
class AuditRecordAdmin(ReadOnlyAdmin):
    """Who did what, newest first; append-only and sealed."""

    list_display = ("at", "who", "where", "action", "target", "target_id", "what", "reason")
    list_filter = ("action", "target", ("at", admin.DateFieldListFilter))
    ordering = ("-at", "-id")
    search_fields = ("id",)
    search_help_text = "Id of a person, key or row, request id, or name; each in full."
    fields = ("id", "at", "who", "where", *_COLUMNS[4:])
    readonly_fields = fields
    actions = ("export",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditRecord], search_term: str
    ) -> tuple[QuerySet[AuditRecord], bool]:
        """Records of a row, an actor, a request, or of a name that is still known."""
        term = search_term.strip()
        if not term:
            return queryset, False
        by_name = AuditIdentity.objects.filter(text__iexact=term).values_list("token", "kind")
        tokens = [token for token, _ in by_name]
        actors = [f"user:{token}" for token in (*tokens, *filter(None, [as_uuid(term)]))]
        found = queryset.filter(target_id=term) | queryset.filter(request_id=term)
        found |= queryset.filter(actor__in=[term, *actors])
        return found | queryset.filter(address_token__in=tokens), False

    @admin.display(description="Who")
    def who(self, row: AuditRecord) -> str:
        """The name where it is not erased, else the id."""
        kind, _, own_id = row.actor.partition(":")
        name = _text_of(as_uuid(own_id)) if kind == "user" else ""
        return name or row.actor

    @admin.display(description="From")
    def where(self, row: AuditRecord) -> str:
        """The network address where it is not erased."""
        if row.address_token is None:
            return "-"
        return _text_of(row.address_token) or f"erased ({row.address_token})"

    @admin.display(description="Before → after")
    def what(self, row: AuditRecord) -> str:
        """The fields in one line."""
        before = json.dumps(row.before) if row.before else ""
        return f"{before} → {json.dumps(row.after)}" if before else json.dumps(row.after)

    @admin.action(description="Export as CSV, with ids alone", permissions=["view"])
    def export(self, request: HttpRequest, rows: QuerySet[AuditRecord]) -> StreamingHttpResponse:
        """The chosen records, or all of the present filter, up to 100,000."""
        return _as_csv(rows)


def _as_csv(rows: QuerySet[AuditRecord]) -> StreamingHttpResponse:
    found = rows.order_by("-at", "-id").values_list(*_COLUMNS)[:_EXPORTED_MAX]
    rows_of_text = (map(_cell, row) for row in found.iterator(2_000))
    response = StreamingHttpResponse(
        csv_lines(chain([_COLUMNS], rows_of_text)), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = 'attachment; filename="audit_trail.csv"'
    return response


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else as_text(str(value))


def _text_of(token: UUID | None) -> str:
    if token is None:
        return ""
    found = AuditIdentity.objects.filter(token=token).values_list("text", flat=True).first()
    return found or ""


@admin.register(AuditIdentity)
class AuditIdentityAdmin(ReadOnlyAdmin):
    """Names and addresses behind the ids of the audit trail; deleting one erases it."""

    list_display = ("token", "kind", "text", "first_seen_at")
    list_filter = ("kind",)
    search_fields = ("=text",)
    ordering = ("-first_seen_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may delete identities erases them; the records keep their ids."""
        return request.user.has_perm("oversight.delete_auditidentity")


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    """The chain over the audit trail, newest first."""

    list_display = ("number", "record_count", "last_at", "hash", "created_at")
    ordering = ("-number",)
