"""The ledger in the back office: facts to look at. A mistake is corrected by a reversal."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from common.admin import FoundById, ReadOnlyAdmin, as_row_id, as_uuid
from common.money import plain
from ledger.admin.corrections import AdjustmentButton, ReversalButton
from ledger.admin.transfers import WalletActions
from ledger.models import EntrySource, JournalEntry, LedgerAccount, Posting

_LAST_POSTINGS = 50
_HEAD = format_html_join(
    "", "<th>{}</th>", [("Version",), ("Posted",), ("Entry",), ("Amount",), ("Balance after",)]
)
_ROW = "<tr><td>{}</td><td>{}</td><td><a href='{}'>{}</a></td><td>{}</td><td>{}</td></tr>"


class PostingInline(TabularInline):
    """The lines of an entry."""

    model = Posting
    fields = ("ledger_account", "asset", "amount", "balance_after", "account_version")
    readonly_fields = fields
    extra = 0
    can_delete = False
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        return super().get_queryset(request).select_related("ledger_account", "asset")

    def has_add_permission(self, request: HttpRequest, obj: JournalEntry | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: JournalEntry | None = None) -> bool:
        return False


@admin.register(JournalEntry)
class JournalEntryAdmin(ReversalButton, ReadOnlyAdmin):
    """Entries, newest first, each with its postings."""

    list_display = ("id", "kind", "source_kind", "source_id", "actor", "memo", "posted_at")
    list_filter = ("kind",)
    ordering = ("-id",)
    inlines = (PostingInline,)
    search_fields = ("id",)
    search_help_text = "Id of the entry (of a trade: the trade's id), or of its source, in full."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[JournalEntry], search_term: str
    ) -> tuple[QuerySet[JournalEntry], bool]:
        """By primary key or by a service's claim: never through the whole table."""
        if not search_term.strip():
            return queryset, False
        wanted = as_uuid(search_term.strip())
        if wanted is None:
            return queryset.none(), False
        claimed = EntrySource.objects.filter(source_id=wanted).values("entry_id")
        return queryset.filter(Q(id=wanted) | Q(id__in=claimed)), False


@admin.register(LedgerAccount)
class LedgerAccountAdmin(AdjustmentButton, WalletActions, ReadOnlyAdmin):
    """Balances of clients and of the venue, each with its last postings."""

    list_display = (
        "id",
        "trading_account",
        "kind",
        "asset",
        "shard",
        "posted_balance",
        "held_amount",
        "overdraft_limit",
        "status",
    )
    list_filter = ("kind", "status")
    list_select_related = ("trading_account", "asset")
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = "Id of a trading account, or the code of an asset, in full."
    readonly_fields = ("last_postings",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LedgerAccount], search_term: str
    ) -> tuple[QuerySet[LedgerAccount], bool]:
        """A number is a trading account, any other word an asset."""
        term = search_term.strip()
        if not term:
            return queryset, False
        account_id = as_row_id(term)
        if account_id is not None:
            return queryset.filter(trading_account_id=account_id), False
        return queryset.filter(asset__code=term.upper()), False

    @admin.display(description=f"Last {_LAST_POSTINGS} postings")
    def last_postings(self, account: LedgerAccount) -> SafeString:
        """The newest lines with links to their entries."""
        postings = account.postings.select_related("entry").order_by("-account_version")
        rows = format_html_join("", _ROW, map(_cells, postings[:_LAST_POSTINGS]))
        return format_html("<table class='w-full text-left'><tr>{}</tr>{}</table>", _HEAD, rows)


@admin.register(Posting)
class PostingAdmin(ReadOnlyAdmin):
    """Lines, newest first."""

    list_display = (
        "id",
        "ledger_account",
        "asset",
        "amount",
        "balance_after",
        "account_version",
        "entry",
    )
    list_select_related = ("ledger_account", "asset", "entry")
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = "Id of an entry, or of a trading account, in full."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Posting], search_term: str
    ) -> tuple[QuerySet[Posting], bool]:
        """By the entry's index, or by those of the account's ledger accounts."""
        term = search_term.strip()
        if not term:
            return queryset, False
        account_id = as_row_id(term)
        if account_id is not None:
            accounts = LedgerAccount.objects.filter(trading_account_id=account_id)
            return queryset.filter(ledger_account_id__in=accounts.values("id")), False
        entry_id = as_uuid(term)
        if entry_id is None:
            return queryset.none(), False
        return queryset.filter(entry_id=entry_id), False


@admin.register(EntrySource)
class EntrySourceAdmin(FoundById):
    """Which entry books which cause."""

    list_display = ("kind", "source_id", "entry")
    list_select_related = ("entry",)
    ordering = ("-id",)
    search_help_text = "The id of a source, in full."
    searched_uuids = ("source_id",)


def _cells(posting: Posting) -> tuple[int | str, ...]:
    entry = posting.entry
    return (
        posting.account_version,
        f"{entry.posted_at:%Y-%m-%d %H:%M:%S}",
        reverse("admin:ledger_journalentry_change", args=[entry.pk]),
        entry.kind,
        plain(posting.amount),
        plain(posting.balance_after),
    )
