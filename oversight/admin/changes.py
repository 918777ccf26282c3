"""Changes that wait for a second person: approve, reject, take back."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from common.admin import ReadOnlyAdmin
from common.service_admin import ServiceActions, ask_first
from oversight.models import ChangeRequest
from oversight.services.changes import approve_change, reject_change


@admin.register(ChangeRequest)
class ChangeRequestAdmin(ServiceActions, ReadOnlyAdmin):
    """Numbers that staff want changed, the newest first; another person decides."""

    list_display = ("id", "object_repr", "what", "reason", "requested_by", "created_at", "status")
    list_filter = ("status", "target")
    ordering = ("-id",)
    search_fields = ("object_repr", "reason")
    fields = (
        "target",
        "object_id",
        "object_repr",
        "what",
        "reason",
        "requested_by",
        "created_at",
        "status",
        "decided_by",
        "decided_at",
        "note",
    )
    readonly_fields = fields
    actions = ("approve", "reject")

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff decides on changes; each one's own right is needed too."""
        return request.user.has_perm("oversight.change_changerequest")

    @admin.display(description="Old → new")
    def what(self, row: ChangeRequest) -> SafeString:
        """Each field with its old and new value."""
        lines = [
            (name, "empty" if one["old"] is None else one["old"], one["shown"])
            for name, one in row.changes.items()
        ]
        return format_html_join(" ", "<div>{}: {} → <b>{}</b></div>", lines)

    @admin.action(description="Approve…", permissions=["decide"])
    def approve(self, request: HttpRequest, rows: QuerySet[ChangeRequest]) -> HttpResponse | None:
        question = "Apply these changes, which another person has asked for?"
        page = ask_first(self, request, rows, action="approve", question=question)
        if page is None:
            user_id: Any = request.user.pk
            self.run_action(
                request,
                rows,
                lambda row: approve_change(request_id=row.pk, user_id=user_id),
                done="Approved.",
            )
        return page

    @admin.action(description="Reject, or take back", permissions=["decide"])
    def reject(self, request: HttpRequest, rows: QuerySet[ChangeRequest]) -> None:
        user_id: Any = request.user.pk
        self.run_action(
            request,
            rows,
            lambda row: reject_change(request_id=row.pk, user_id=user_id),
            done="Rejected.",
        )
