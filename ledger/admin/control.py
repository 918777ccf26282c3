"""What watches over the ledger, in the back office: seals, results of checks, alerts."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from common.admin import ReadOnlyAdmin, as_row_id
from common.service_admin import ServiceActions
from ledger.models import Alert, LedgerCheck, Seal
from ledger.services import acknowledge_alert, resolve_alert_by_staff

_OPEN, _ACKNOWLEDGED, _RESOLVED = "open", "acknowledged", "resolved"


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin):
    """The chain, newest first. `manage.py verify_ledger` recomputes it."""

    list_display = ("number", "entry_count", "first_posted_at", "last_posted_at", "short_hash")
    ordering = ("-number",)
    fields = (
        "number",
        "entry_count",
        "first_posted_at",
        "last_posted_at",
        "last_entry_id",
        "previous_hash",
        "hash",
        "created_at",
    )
    search_fields = ("number",)
    search_help_text = "The number of a seal, or a head `number:hash`."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Seal]:
        return super().get_queryset(request).defer("leaves")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Seal], search_term: str
    ) -> tuple[QuerySet[Seal], bool]:
        """A number or a head `number:hash`: never through the whole table."""
        number = search_term.strip().partition(":")[0]
        if not number:
            return queryset, False
        found = as_row_id(number)
        return (queryset.none() if found is None else queryset.filter(number=found)), False

    @display(description="Hash")
    def short_hash(self, seal: Seal) -> str:
        return f"{seal.hash[:16]}…"


@admin.register(LedgerCheck)
class LedgerCheckAdmin(ReadOnlyAdmin):
    """Runs of the check, newest first, each with what it looked at and what differed."""

    list_display = ("started_at", "outcome", "difference_count", "seconds")
    list_filter = ("is_clean",)
    ordering = ("-started_at",)
    fields = ("started_at", "seconds", "outcome", "difference_count", "what_was_found")
    readonly_fields = ("outcome", "what_was_found")

    @display(description="Outcome", label={"clean": "success", "differs": "danger"})
    def outcome(self, check: LedgerCheck) -> str:
        return "clean" if check.is_clean else "differs"

    @display(description="What was found")
    def what_was_found(self, check: LedgerCheck) -> SafeString:
        """A row for each check, and the first differences of those that found some."""
        rows = format_html_join("", _CHECK_ROW, map(_check_cells, check.results))
        return format_html(_CHECK_TABLE, rows)


class StateFilter(admin.SimpleListFilter):
    """Alerts by what became of them."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state.capitalize()) for state in (_OPEN, _ACKNOWLEDGED, _RESOLVED)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        match self.value():
            case "open":
                return queryset.filter(resolved_at__isnull=True)
            case "acknowledged":
                return queryset.filter(resolved_at__isnull=True, acknowledged_at__isnull=False)
            case "resolved":
                return queryset.filter(resolved_at__isnull=False)
        return queryset


@admin.register(Alert)
class AlertAdmin(ServiceActions, ReadOnlyAdmin):
    """Alerts, open ones first, with the actions of who looks after them."""

    list_display = ("shown_severity", "message", "subject", "state", "times_seen", "last_seen_at")
    list_display_links = ("message",)
    list_filter = (StateFilter, "severity", "kind")
    list_select_related = ("acknowledged_by",)
    ordering = (F("resolved_at").desc(nulls_first=True), "-last_seen_at")
    search_fields = ("message", "subject")
    fields = (
        "shown_severity",
        "message",
        "kind",
        "subject",
        "facts_shown",
        "raised_at",
        "last_seen_at",
        "times_seen",
        "acknowledged_at",
        "acknowledged_by",
        "resolved_at",
    )
    readonly_fields = ("shown_severity", "facts_shown")
    actions = ("acknowledge", "resolve")

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Who may change alerts may act on them, although nobody edits one."""
        return request.user.has_perm("ledger.change_alert")

    @display(description="Severity", label={"Critical": "danger", "Warning": "warning"})
    def shown_severity(self, alert: Alert) -> str:
        return Alert.Severity(alert.severity).label

    @display(
        description="State",
        label={"open": "danger", "acknowledged": "warning", "resolved": "success"},
    )
    def state(self, alert: Alert) -> str:
        if alert.resolved_at:
            return _RESOLVED
        return _ACKNOWLEDGED if alert.acknowledged_at else _OPEN

    @display(description="Facts")
    def facts_shown(self, alert: Alert) -> SafeString:
        lines = ((fact,) for fact in _facts(alert.facts))
        return format_html_join("", _CODE, lines) or SafeString("–")

    @admin.action(description="Acknowledge: I look after it", permissions=["act"])
    def acknowledge(self, request: HttpRequest, alerts: QuerySet[Alert]) -> None:
        user: Any = request.user
        self.run_action(
            request,
            alerts,
            lambda alert: acknowledge_alert(alert=alert, user=user),
            done="Acknowledged.",
        )

    @admin.action(description="Resolve: its cause is gone", permissions=["act"])
    def resolve(self, request: HttpRequest, alerts: QuerySet[Alert]) -> None:
        self.run_action(
            request,
            alerts.filter(resolved_at__isnull=True),
            lambda alert: resolve_alert_by_staff(alert=alert),
            done="Resolved.",
        )


_CHECK_TABLE = (
    "<table class='w-full text-left'><tr><th>Check</th><th class='pl-4 text-right'>Rows</th>"
    "<th class='pl-4 text-right'>Seconds</th><th class='pl-4 text-right'>Differ</th></tr>{}</table>"
)
_CHECK_ROW = (
    "<tr class='border-t border-base-200 dark:border-base-800'><td class='py-2'><b>{}</b><br>{}{}"
    "</td><td class='pl-4 text-right'>{}</td><td class='pl-4 text-right'>{}</td>"
    "<td class='pl-4 text-right'>{}</td></tr>"
)
_CODE = "<code class='block mt-1'>{}</code>"


def _check_cells(result: dict[str, Any]) -> tuple[Any, ...]:
    count = result["difference_count"]
    differ = format_html("<b class='text-red-700 dark:text-red-400'>{}</b>", f"{count:,}")
    shown = ((" · ".join(_facts(difference)),) for difference in result["shown"])
    return (
        result["name"],
        result["meaning"],
        format_html_join("", _CODE, shown),
        f"{result['rows']:,}",
        f"{result['seconds']:.2f}",
        differ if count else "0",
    )


def _facts(facts: dict[str, Any]) -> list[str]:
    """Each fact as `name: value`; values that are no text are JSON."""
    return [
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in facts.items()
    ]
