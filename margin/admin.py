"""Positions, collateral accounts and equity in the back office: facts, written by the engine."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from common.admin import ReadOnlyAdmin, as_row_id
from margin.models import EquitySnapshot, MarginAccount, Position


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
