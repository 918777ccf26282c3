"""Positions, collateral, equity, liquidations and funding in the back office: facts, read-only.

Collateral is frozen and un-frozen by buttons.
"""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import TabularInline
from unfold.decorators import action

from common.admin import FoundById, ReadOnlyAdmin
from common.errors import ExchangeError
from ledger.admin.confirmation import Confirmation, ReasonForm, confirm, person_of, refuse
from margin.models import (
    EquitySnapshot,
    FreezeChange,
    Funding,
    FundingPayment,
    Liquidation,
    LiquidationStep,
    MarginAccount,
    MarginCall,
    Position,
    PremiumSample,
)
from margin.services.freezing import freeze_margin_account, unfreeze_margin_account


class _OfAccounts(FoundById):
    """Rows of trading accounts, found by the account's id."""

    search_help_text = "Id of a trading account, in full."
    searched_row_ids = ("account_id",)


@admin.register(Position)
class PositionAdmin(_OfAccounts):
    """Open and closed positions; the risk desk shows them with their margins."""

    list_display = (
        "account",
        "instrument",
        "quantity",
        "cost_basis",
        "open_buy",
        "open_sell",
        "loss_reserve",
        "realized_pnl",
        "updated_at",
    )
    list_filter = ("instrument",)
    list_select_related = ("account", "instrument")
    ordering = ("-id",)


@admin.register(MarginAccount)
class MarginAccountAdmin(_OfAccounts):
    """Which accounts are frozen, and why; with the buttons that change it.

    An account is here from its first freeze on; the first is made at the risk desk.
    """

    list_display = ("account", "asset", "is_frozen", "frozen_reason", "updated_at")
    list_filter = ("is_frozen", "asset")
    list_select_related = ("account", "asset")
    ordering = ("-id",)
    actions_detail = ("freeze", "unfreeze")

    def has_freeze_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether this member of staff freezes, although nobody edits a row."""
        return request.user.has_perm("margin.change_marginaccount")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """The button that changes something."""
        row = self.get_object(request, str(object_id))
        wanted = "unfreeze" if row is not None and row.is_frozen else "_freeze"
        return [
            one
            for one in super().get_actions_detail(request, object_id)
            if one.action_name.endswith(wanted)
        ]

    @action(description="Freeze…", url_path="freeze", permissions=["freeze"], icon="ac_unit")
    def freeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._change(request, object_id, is_frozen=True)

    @action(description="Un-freeze…", url_path="unfreeze", permissions=["freeze"], icon="undo")
    def unfreeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._change(request, object_id, is_frozen=False)

    def _change(self, request: HttpRequest, object_id: str, *, is_frozen: bool) -> HttpResponse:
        row: MarginAccount | None = self.get_object(request, object_id)
        if row is None:
            raise Http404
        page = reverse("admin:margin_marginaccount_change", args=[row.pk])
        form = ReasonForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return confirm(self, request, _confirmation(row, page, is_frozen=is_frozen), form)
        change = freeze_margin_account if is_frozen else unfreeze_margin_account
        try:
            change(
                account_id=row.account_id,
                asset=row.asset.code,
                reason=form.cleaned_data["note"],
                actor=f"user:{person_of(request)}",
            )
        except ExchangeError as error:
            return refuse(self, request, error, page)
        done = "Frozen." if is_frozen else "Un-frozen."
        self.log_change(request, row, done)
        self.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(page)


def _confirmation(row: MarginAccount, back: str, *, is_frozen: bool) -> Confirmation:
    verb = "Freeze" if is_frozen else "Un-freeze"
    facts = [("Account", str(row.account)), ("Asset", row.asset.code)]
    if row.is_frozen:
        facts.append(("Frozen because", row.frozen_reason))
    return Confirmation(
        title=f"{verb} this account?",
        button=f"{verb} the account",
        back=back,
        facts=facts,
        is_harmful=is_frozen,
    )


@admin.register(FreezeChange)
class FreezeChangeAdmin(_OfAccounts):
    """Who froze and un-froze, when and why."""

    list_display = ("changed_at", "account_id", "asset", "is_frozen", "reason", "actor")
    list_filter = ("is_frozen", "asset")
    list_select_related = ("asset",)
    fields = ("changed_at", "account_id", "asset", "is_frozen", "reason", "actor")
    readonly_fields = fields
    ordering = ("-id",)


class LiquidationStepInline(TabularInline):
    """What was done, step by step."""

    model = LiquidationStep
    fields = (
        "number",
        "kind",
        "instrument",
        "quantity",
        "price",
        "mark_price",
        "amount",
        "equity_before",
        "equity_after",
        "maintenance_margin_before",
        "maintenance_margin_after",
    )
    readonly_fields = fields
    extra = 0
    can_delete = False
    ordering = ("number",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LiquidationStep]:
        return super().get_queryset(request).select_related("instrument")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Liquidation)
class LiquidationAdmin(_OfAccounts):
    """Liquidations, newest first, each with its steps."""

    list_display = (
        "executed_at",
        "account",
        "asset",
        "outcome",
        "equity_before",
        "equity_after",
        "fee",
        "fund_result",
        "bad_debt",
    )
    list_filter = ("outcome", "asset")
    list_select_related = ("account", "asset")
    inlines = (LiquidationStepInline,)
    ordering = ("-id",)


@admin.register(LiquidationStep)
class LiquidationStepAdmin(FoundById):
    """Steps of all liquidations: what the fund took, who was deleveraged, what was owed."""

    list_display = (
        "liquidation",
        "number",
        "kind",
        "instrument",
        "quantity",
        "price",
        "mark_price",
        "amount",
        "counterparty",
    )
    list_filter = ("kind", "instrument")
    list_select_related = ("liquidation", "instrument", "counterparty")
    search_help_text = "Id of a liquidation, in full."
    searched_uuids = ("liquidation_id",)
    ordering = ("-id",)


@admin.register(MarginCall)
class MarginCallAdmin(_OfAccounts):
    """Who was asked for collateral."""

    list_display = (
        "raised_at",
        "account",
        "asset",
        "level",
        "equity",
        "maintenance_margin",
        "resolved_at",
    )
    list_filter = (("resolved_at", admin.EmptyFieldListFilter), "asset")
    list_select_related = ("account", "asset")
    ordering = ("-id",)


@admin.register(EquitySnapshot)
class EquitySnapshotAdmin(_OfAccounts):
    """Equity and margins by the minute."""

    list_display = ("account", "asset", "at", "equity", "initial_margin", "maintenance_margin")
    list_select_related = ("account", "asset")
    ordering = ("-id",)


@admin.register(PremiumSample)
class PremiumSampleAdmin(ReadOnlyAdmin):
    """How far books were from their indexes, by the minute."""

    list_display = ("instrument", "at", "premium_rate", "impact_bid", "impact_ask", "index_price")
    list_filter = ("instrument",)
    list_select_related = ("instrument",)
    ordering = ("-id",)


@admin.register(Funding)
class FundingAdmin(ReadOnlyAdmin):
    """Rates that were fixed, with the sums of their payments; the risk desk draws them."""

    list_display = (
        "instrument",
        "due_at",
        "rate",
        "sample_count",
        "mark_price",
        "paid",
        "received",
        "remainder",
        "booked_at",
    )
    list_filter = ("instrument",)
    list_select_related = ("instrument",)
    ordering = ("-id",)


@admin.register(FundingPayment)
class FundingPaymentAdmin(_OfAccounts):
    """Who paid (below zero) and who got what."""

    list_display = ("account", "instrument", "due_at", "quantity", "amount", "booked_at")
    list_select_related = ("account", "funding__instrument")
    ordering = ("-id",)

    @admin.display(description="instrument")
    def instrument(self, payment: FundingPayment) -> str:
        """The symbol of the perpetual."""
        return payment.funding.instrument.symbol

    @admin.display(description="due at")
    def due_at(self, payment: FundingPayment) -> datetime:
        """The end of the interval."""
        return payment.funding.due_at
