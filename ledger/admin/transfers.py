"""Transfers, kept answers and the state of wallets in the back office."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from common.admin import FoundById, ReadOnlyAdmin
from common.service_admin import ServiceActions, ask_first
from ledger.models import IdempotencyKey, LedgerAccount, Transfer
from ledger.services.wallets import activate_wallet, suspend_wallet


@admin.register(Transfer)
class TransferAdmin(FoundById):
    """Transfers, newest first. A mistake is corrected by the reversal of the entry."""

    list_display = (
        "id",
        "source",
        "destination",
        "asset",
        "amount",
        "posted_amount",
        "status",
        "reason",
        "created_at",
    )
    list_filter = ("status", "is_two_step")
    list_select_related = ("source", "destination", "asset")
    ordering = ("-id",)
    search_help_text = "Id of the transfer (its entry has the same), or of a wallet, in full."
    searched_row_ids = ("source_id", "destination_id")
    searched_uuids = ("id",)


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    """Which answer was given to which request; kept for a week."""

    list_display = ("key", "owner", "status", "created_at")
    ordering = ("-id",)
    search_fields = ("owner",)
    search_help_text = "Owner (`account:1`), or owner and key (`account:1 the-key`), in full."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[IdempotencyKey], search_term: str
    ) -> tuple[QuerySet[IdempotencyKey], bool]:
        """By the index of (owner, key)."""
        owner, _, key = search_term.strip().partition(" ")
        if not owner:
            return queryset, False
        found = queryset.filter(owner=owner)
        return (found.filter(key=key) if key else found), False


class WalletActions(ServiceActions):
    """Suspend and activate wallets, from the list of ledger accounts."""

    actions = ("suspend_wallets", "activate_wallets")

    def has_manage_wallets_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff may change ledger accounts, of which wallets are some."""
        return request.user.has_perm("ledger.change_ledgeraccount")

    @admin.action(description="Suspend wallets…", permissions=["manage_wallets"])
    def suspend_wallets(
        self, request: HttpRequest, rows: QuerySet[LedgerAccount]
    ) -> HttpResponse | None:
        question = (
            "Suspend these wallets? Only staff debit and credit them then; orders are refused."
        )
        page = ask_first(self, request, rows, action="suspend_wallets", question=question)
        if page is None:
            self.run_action(request, rows, _suspend, done="Suspended.")
        return page

    @admin.action(description="Activate wallets…", permissions=["manage_wallets"])
    def activate_wallets(
        self, request: HttpRequest, rows: QuerySet[LedgerAccount]
    ) -> HttpResponse | None:
        question = "Let these wallets, suspended or closed, be debited and credited again?"
        page = ask_first(self, request, rows, action="activate_wallets", question=question)
        if page is None:
            self.run_action(request, rows, _activate, done="Activated.")
        return page


def _suspend(row: Model) -> object:
    return suspend_wallet(wallet_id=row.pk)


def _activate(row: Model) -> object:
    return activate_wallet(wallet_id=row.pk)
