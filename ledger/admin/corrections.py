"""Buttons that ask for a correction: on the page of an account, and on that of an entry."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action

from common.errors import ExchangeError
from ledger.admin.confirmation import (
    AdjustmentForm,
    Confirmation,
    ReasonForm,
    confirm,
    describe_account,
    grouped,
    person_of,
    refuse,
)
from ledger.models import JournalEntry, LedgerAccount, MoneyRequest
from ledger.selectors import list_reversal_changes
from ledger.services import request_adjustment, request_reversal
from ledger.services.entries import is_reversible
from ledger.services.requests import is_adjustable

_ASKED = "Asked for. Another person has to approve it."


class _CorrectionButton(ModelAdmin):
    """Something that staff who may ask for corrections find on a page."""

    def has_ask_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether this member of staff may ask for corrections."""
        return request.user.has_perm("ledger.add_moneyrequest")


class AdjustmentButton(_CorrectionButton):
    """Lets staff ask that the balance of a ledger account be corrected."""

    actions_detail: Any = ("ask_for_adjustment",)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """No button on accounts that are not adjusted by hand."""
        account = self.get_object(request, str(object_id))
        actions: list[Any] = super().get_actions_detail(request, object_id)
        if account is not None and is_adjustable(account):
            return actions
        return [one for one in actions if not one.action_name.endswith("ask_for_adjustment")]

    @action(
        description="Ask for an adjustment…",
        url_path="ask-for-adjustment",
        permissions=["ask"],
        icon="balance",
    )
    def ask_for_adjustment(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account: LedgerAccount | None = self.get_object(request, object_id)
        if account is None:
            raise Http404
        back = reverse("admin:ledger_ledgeraccount_change", args=[account.pk])
        form = AdjustmentForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return confirm(self, request, _adjustment(account, back), form)
        try:
            asked = request_adjustment(
                ledger_account_id=account.pk,
                amount=form.cleaned_data["amount"],
                reason=form.cleaned_data["note"],
                actor=f"user:{person_of(request)}",
                user_id=person_of(request),
            )
        except ExchangeError as error:
            return refuse(self, request, error, back)
        return _show_request(self, request, asked, account)


class ReversalButton(_CorrectionButton):
    """Lets staff ask that an entry be reversed."""

    actions_detail: Any = ("ask_for_reversal",)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """No button on trades and reversals."""
        entry = self.get_object(request, str(object_id))
        actions: list[Any] = super().get_actions_detail(request, object_id)
        if entry is not None and is_reversible(entry):
            return actions
        return [one for one in actions if not one.action_name.endswith("ask_for_reversal")]

    @action(
        description="Ask for a reversal…",
        url_path="ask-for-reversal",
        permissions=["ask"],
        icon="undo",
    )
    def ask_for_reversal(self, request: HttpRequest, object_id: str) -> HttpResponse:
        entry: JournalEntry | None = self.get_object(request, object_id)
        if entry is None:
            raise Http404
        back = reverse("admin:ledger_journalentry_change", args=[entry.pk])
        form = ReasonForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return confirm(self, request, _reversal(entry, back), form)
        try:
            asked = request_reversal(
                entry_id=entry.pk,
                reason=form.cleaned_data["note"],
                actor=f"user:{person_of(request)}",
                user_id=person_of(request),
            )
        except ExchangeError as error:
            return refuse(self, request, error, back)
        return _show_request(self, request, asked, entry)


def _adjustment(account: LedgerAccount, back: str) -> Confirmation:
    return Confirmation(
        title="Ask for an adjustment?",
        button="Ask for the adjustment",
        back=back,
        facts=[
            ("Account", describe_account(account)),
            ("Posted", grouped(account.posted_balance)),
            ("Held", grouped(account.held_amount)),
            ("Available", grouped(account.posted_balance - account.held_amount)),
            ("Other side", "Venue, cash in transit"),
        ],
    )


def _reversal(entry: JournalEntry, back: str) -> Confirmation:
    return Confirmation(
        title="Ask for a reversal?",
        button="Ask for the reversal",
        back=back,
        facts=[
            ("Entry", entry.pk),
            ("Kind", entry.get_kind_display()),
            ("Posted at", f"{entry.posted_at:%Y-%m-%d %H:%M:%S} UTC"),
            ("Caused by", entry.actor),
            ("Memo", entry.memo or "-"),
        ],
        changes=list_reversal_changes(entry.pk),
    )


def _show_request(
    model_admin: ModelAdmin, request: HttpRequest, asked: MoneyRequest, row: Any
) -> HttpResponse:
    kind = asked.get_kind_display()
    model_admin.log_change(request, row, f"Asked for request {asked.pk} ({kind.lower()})")
    model_admin.message_user(request, _ASKED, messages.SUCCESS)
    return HttpResponseRedirect(reverse("admin:ledger_moneyrequest_change", args=[asked.pk]))
