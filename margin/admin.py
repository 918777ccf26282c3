"""Positions, collateral accounts, equity and funding in the back office: facts, read-only."""

from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from common.admin import ReadOnlyAdmin, as_row_id
from margin.models import (
    EquitySnapshot,
    Funding,
    FundingPayment,
    MarginAccount,
    Position,
    PremiumSample,
)


class _OfAccounts(ReadOnlyAdmin):
    """Rows of trading accounts, found by the account's id."""

    search_fields = ("id",)
    search_help_text = "Id of a trading account, in full."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """By the index of the account, never through the whole table."""
        term = search_term.strip()
        if not term:
            return queryset, False
        account_id = as_row_id(term)
        if account_id is None:
            return queryset.none(), False
        return queryset.filter(account_id=account_id), False


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
    """Which accounts are frozen, and why."""

    list_display = ("account", "asset", "is_frozen", "frozen_reason", "updated_at")
    list_filter = ("is_frozen", "asset")
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

    list_display = ("instrument", "at", "premium_rate", "best_bid", "best_ask", "index_price")
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
