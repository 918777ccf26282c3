"""The page between a button and what it does to money: what will change, and why it is done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from common.api.values import ValueRefused, read_decimal
from common.errors import ExchangeError
from common.limits import LINE_LENGTH_MAX
from common.money import DECIMAL_PLACES, MAX_DIGITS
from ledger.models import LedgerAccount
from ledger.selectors import BalanceChange


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What such a page says: a title, facts, balances before and after, a button."""

    title: str
    button: str
    back: str
    facts: Sequence[tuple[str, object]]
    changes: Sequence[BalanceChange] = ()
    warnings: Sequence[str] = field(default_factory=tuple)
    is_harmful: bool = False


def reason_field(label: str, *, required: bool = True, help_text: str = "") -> forms.CharField:
    """One line of text that is kept with the person's name."""
    return forms.CharField(
        label=label,
        required=required,
        max_length=LINE_LENGTH_MAX,
        help_text=help_text,
        widget=UnfoldAdminTextInputWidget,
    )


class NoteForm(forms.Form):
    """A note that may be left out."""

    note = reason_field("Note", required=False, help_text="Kept with your name.")


class ReasonForm(forms.Form):
    """A reason that may not."""

    note = reason_field("Reason", help_text="Kept with your name; who asked sees it.")


class _AmountField(forms.DecimalField):
    """An amount as the API takes it, but without an exponent: no digits of other scripts."""

    def to_python(self, value: Any) -> Any:
        """The exact number."""
        if value in self.empty_values:
            return None
        if "e" in value.lower():
            raise forms.ValidationError("Write it without an exponent.", code="not_a_number")
        try:
            return read_decimal(value.strip())
        except ValueRefused as refused:
            raise forms.ValidationError(refused.detail, code=refused.code) from refused


class AdjustmentForm(forms.Form):
    """A signed amount and why."""

    amount = _AmountField(
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        help_text="Above zero adds to the account, below zero takes from it.",
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}),
    )
    note = reason_field("Reason", help_text="Shown to who approves, and kept in the journal.")


def confirm(
    model_admin: ModelAdmin,
    request: HttpRequest,
    confirmation: Confirmation,
    form: forms.Form,
) -> HttpResponse:
    """The page, with what is wrong with the form as it was sent."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": confirmation.title,
        "confirmation": confirmation,
        "changes": [_shown_change(change) for change in confirmation.changes],
        "form": form,
        "opts": model_admin.model._meta,
    }
    return TemplateResponse(request, "ledger/confirmation.html", context)


def refuse(
    model_admin: ModelAdmin, request: HttpRequest, error: ExchangeError, back: str
) -> HttpResponse:
    """Back to `back`, with what the service refused and its figures."""
    model_admin.message_user(request, describe_refusal(error), messages.ERROR)
    return HttpResponseRedirect(back)


def describe_refusal(error: ExchangeError) -> str:
    """The rule that was broken in one line: detail, wrong fields, facts."""
    fields = " ".join(one.detail for one in error.errors)
    facts = ", ".join(
        f"{name.replace('_', ' ')} {grouped(value) if isinstance(value, Decimal) else value}"
        for name, value in error.facts.items()
        if value is not None and not isinstance(value, Model)
    )
    text = f"{error.detail}: {fields}" if fields else error.detail
    return f"{text} ({facts})" if facts else text


def person_of(request: HttpRequest) -> UUID:
    """Who is logged in; nobody else gets to a page of the back office."""
    assert request.user.pk is not None
    return request.user.pk


def grouped(amount: Decimal) -> str:
    """`amount` for eyes that must not miss a zero: 60,000.5."""
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def describe_account(account: LedgerAccount) -> str:
    """A ledger account as staff know it: whose, what kind, which asset."""
    owner = account.trading_account
    whose = "Venue" if owner is None else f"Account {owner.id} ({owner.document_number})"
    return f"{whose}, {account.get_kind_display().lower()}, {account.asset.code}"


def _shown_change(change: BalanceChange) -> dict[str, Any]:
    limit = change.account.overdraft_limit
    sign = "+" if change.amount > 0 else ""
    return {
        "account": describe_account(change.account),
        "amount": f"{sign}{grouped(change.amount)}",
        "posted": grouped(change.account.posted_balance),
        "posted_after": grouped(change.posted_balance_after),
        "available": grouped(change.available_balance),
        "available_after": grouped(change.available_balance_after),
        "is_too_little": limit is not None and change.available_balance_after < -limit,
    }
