"""The queue of what waits for the word of staff, and the pages on which they give it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import Truncator
from unfold.admin import TabularInline
from unfold.decorators import action
from unfold.enums import ActionVariant

from common.admin import FoundById, ReadOnlyAdmin
from common.errors import ExchangeError
from ledger.admin.confirmation import (
    Confirmation,
    NoteForm,
    ReasonForm,
    confirm,
    describe_account,
    grouped,
    person_of,
    refuse,
)
from ledger.models import Approval, MoneyRequest
from ledger.selectors import (
    count_approvals,
    get_approvals_needed,
    is_own_request,
    list_balance_changes,
)
from ledger.services import approve_request, cancel_request, reject_request

_SHORT = 24
_Kind = MoneyRequest.Kind
_Status = MoneyRequest.Status


@dataclass(frozen=True, slots=True)
class _Decision:
    """One of the buttons: its words, its form and the service behind it."""

    verb: str
    form: type[forms.Form]
    decide: Callable[[UUID, UUID, str], MoneyRequest]
    is_harmful: bool = False


_APPROVE = _Decision(
    "Approve",
    NoteForm,
    lambda row, person, note: approve_request(request_id=row, user_id=person, note=note),
)
_REJECT = _Decision(
    "Reject",
    ReasonForm,
    lambda row, person, note: reject_request(request_id=row, user_id=person, note=note),
    is_harmful=True,
)
_TAKE_BACK = _Decision(
    "Take back",
    forms.Form,
    lambda row, person, note: cancel_request(request_id=row, actor=f"user:{person}"),
    is_harmful=True,
)


class _StateFilter(admin.SimpleListFilter):
    """Those that wait, found by an index of their own; or all of them."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", "All")]

    def choices(self, changelist: Any) -> Any:
        """As the base class lists them, but what it calls "All" is the queue here."""
        waiting, everything = super().choices(changelist)
        yield {**waiting, "display": "Waiting"}
        yield everything

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[MoneyRequest]
    ) -> QuerySet[MoneyRequest]:
        return queryset if self.value() == "all" else queryset.filter(status=_Status.REQUESTED)


class ApprovalInline(TabularInline):
    """Who has decided on a request."""

    model = Approval
    fields = ("user", "is_approved", "note", "created_at")
    readonly_fields = fields
    extra = 0
    can_delete = False
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Approval]:
        return super().get_queryset(request).select_related("user")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(MoneyRequest)
class MoneyRequestAdmin(FoundById):
    """Deposits, withdrawals, adjustments and reversals; those that wait come by themselves."""

    list_display = (
        "asked_at",
        "kind",
        "concerns",
        "shown_amount",
        "approvals_so_far",
        "short_asker",
        "short_reason",
    )
    list_filter = (_StateFilter,)
    list_before_template = "ledger/request_queue.html"
    ordering = ("-id",)
    search_help_text = "Id of a request, or of a trading account, in full."
    searched_row_ids = ("ledger_account__trading_account_id",)
    searched_uuids = ("id",)
    inlines = (ApprovalInline,)
    actions_detail = ("approve", "reject", "take_back")
    fields = (
        "id",
        "kind",
        "status",
        "status_reason",
        "concerns_in_full",
        "ledger_account",
        "reversed_entry",
        "shown_amount",
        "reason",
        "asked_by",
        "approvals_so_far",
        "created_at",
        "finished_at",
        "entry",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[MoneyRequest]:
        rows = super().get_queryset(request)
        return count_approvals(rows).select_related(
            "ledger_account__asset", "ledger_account__trading_account", "requested_by"
        )

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Without the status where it is the same for all."""
        shows_all = request.GET.get(_StateFilter.parameter_name) == "all"
        return (*self.list_display, "status") if shows_all else self.list_display

    @admin.display(description="Asked at")
    def asked_at(self, row: MoneyRequest) -> str:
        """In UTC."""
        return f"{row.created_at:%Y-%m-%d %H:%M}"

    @admin.display(description="Account")
    def concerns(self, row: MoneyRequest) -> str:
        """The trading account, or the venue's kind of account; of a reversal, that of no one."""
        if row.ledger_account is None:
            return "of the entry"
        owner = row.ledger_account.trading_account
        return row.ledger_account.get_kind_display() if owner is None else str(owner)

    @admin.display(description="Reason")
    def short_reason(self, row: MoneyRequest) -> str:
        """Its beginning; the request's own page has it in full."""
        return Truncator(row.reason).chars(_SHORT)

    @admin.display(description="Account")
    def concerns_in_full(self, row: MoneyRequest) -> str:
        """Whose, which kind and asset; of a reversal, the entry."""
        if row.ledger_account is None:
            return f"Those of entry {row.reversed_entry_id}"
        return describe_account(row.ledger_account)

    @admin.display(description="Amount")
    def shown_amount(self, row: MoneyRequest) -> str:
        """With its asset; a reversal has those of its entry."""
        if row.ledger_account is None or row.amount is None:
            return "-"
        return f"{grouped(row.amount)} {row.ledger_account.asset.code}"

    @admin.display(description="Asked by")
    def asked_by(self, row: MoneyRequest) -> str:
        """The person, or the key of a program."""
        return row.actor if row.requested_by is None else str(row.requested_by)

    @admin.display(description="Asked by")
    def short_asker(self, row: MoneyRequest) -> str:
        """The person, or the beginning of the key's id."""
        return Truncator(self.asked_by(row)).chars(_SHORT)

    @admin.display(description="Approvals")
    def approvals_so_far(self, row: MoneyRequest) -> str:
        """How many there are, of how many it needs."""
        return f"{getattr(row, 'approval_count', 0)} of {row.approvals_needed}"

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether this member of staff approves and rejects requests, of whomever."""
        return request.user.has_perm("ledger.add_approval")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """No buttons on what is closed; only who asked takes back, and does nothing else."""
        row = self.get_object(request, str(object_id))
        if row is None or row.status != _Status.REQUESTED:
            return []
        is_asker = row.requested_by_id == request.user.pk
        return [
            one
            for one in super().get_actions_detail(request, object_id)
            if one.action_name.endswith("take_back") == is_asker
        ]

    @action(
        description="Approve…",
        url_path="approve",
        permissions=["decide"],
        icon="check",
        variant=ActionVariant.SUCCESS,
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, _APPROVE)

    @action(
        description="Reject…",
        url_path="reject",
        permissions=["decide"],
        icon="close",
        variant=ActionVariant.DANGER,
    )
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, _REJECT)

    @action(
        description="Take back…",
        url_path="take-back",
        permissions=["view"],
        icon="undo",
    )
    def take_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self._find(request, object_id)
        if row.requested_by_id != request.user.pk:
            raise PermissionDenied
        return self._decide(request, object_id, _TAKE_BACK)

    def _decide(self, request: HttpRequest, object_id: str, decision: _Decision) -> HttpResponse:
        row = self._find(request, object_id)
        page = reverse("admin:ledger_moneyrequest_change", args=[row.pk])
        form = decision.form(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return confirm(self, request, self._confirmation(request, row, decision, page), form)
        try:
            note = form.cleaned_data.get("note", "")
            decided = decision.decide(row.pk, person_of(request), note)
        except ExchangeError as error:
            return refuse(self, request, error, page)
        outcome = _outcome(decided)
        self.log_change(request, row, f"{decision.verb}: {outcome}")
        failed = decided.status == _Status.FAILED
        self.message_user(request, outcome, messages.ERROR if failed else messages.SUCCESS)
        if decided.status == _Status.REQUESTED or failed:
            return HttpResponseRedirect(page)
        return HttpResponseRedirect(reverse("admin:ledger_moneyrequest_changelist"))

    def _find(self, request: HttpRequest, object_id: str) -> MoneyRequest:
        row: MoneyRequest | None = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row

    def _confirmation(
        self, request: HttpRequest, row: MoneyRequest, decision: _Decision, page: str
    ) -> Confirmation:
        kind = row.get_kind_display().lower()
        is_approval = decision is _APPROVE
        facts: list[tuple[str, object]] = [
            ("Account", self.concerns_in_full(row)),
            ("Reason", row.reason),
            ("Asked by", f"{self.asked_by(row)}, {row.created_at:%Y-%m-%d %H:%M} UTC"),
            ("Approvals", self.approvals_so_far(row)),
        ]
        if row.amount is not None:
            facts.insert(1, ("Amount", self.shown_amount(row)))
        return Confirmation(
            title=f"{decision.verb} this {kind}?",
            button=f"{decision.verb} the {kind}",
            back=page,
            facts=facts,
            changes=list_balance_changes(row) if is_approval else (),
            warnings=_warnings(request, row, decision),
            is_harmful=decision.is_harmful,
        )


def _warnings(request: HttpRequest, row: MoneyRequest, decision: _Decision) -> list[str]:
    """What will be refused, or needs more, before the button is pressed."""
    if row.status != _Status.REQUESTED:
        return [f"This request is closed: {row.get_status_display().lower()}."]
    if decision is _TAKE_BACK:
        return []
    if is_own_request(row, person_of(request)):
        return ["This is a request of your own, or your own money: another person has to decide."]
    missing = get_approvals_needed(row) - getattr(row, "approval_count", 0) - 1
    if decision is _APPROVE and missing > 0:
        return ["After you, one more person has to approve before anything is booked."]
    return []


def _outcome(decided: MoneyRequest) -> str:
    kind = decided.get_kind_display()
    if decided.status == _Status.REQUESTED:
        return f"{kind} approved; one more person has to approve it."
    if decided.status == _Status.FAILED:
        return f"{kind} failed for good: {decided.status_reason}."
    return f"{kind} {decided.get_status_display().lower()}."


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """Who said what to which request, newest first; append-only."""

    list_display = ("request", "user", "is_approved", "note", "created_at")
    list_filter = ("is_approved",)
    list_select_related = ("request", "user")
    ordering = ("-id",)
