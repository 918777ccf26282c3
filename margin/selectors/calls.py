"""Margin calls: who was asked for collateral, and has not answered yet; and who was frozen."""

from django.db.models import QuerySet

from margin.models import FreezeChange, MarginCall
from margin.selectors.liquidations import HistoryFilter


def list_margin_calls(
    filters: HistoryFilter, *, is_open: bool | None = None
) -> QuerySet[MarginCall]:
    """Margin calls with account, broker and asset, by no order: ids are in the order of time.

    `is_open` asks for those that are, or are no more; None: for all.
    """
    rows = MarginCall.objects.select_related("account__broker", "asset")
    if is_open is not None:
        rows = rows.filter(resolved_at__isnull=is_open)
    return rows.filter(filters.condition("raised_at"))


def list_freeze_changes(account_id: int) -> QuerySet[FreezeChange]:
    """Who froze and un-froze an account, with the asset, newest first."""
    changes = FreezeChange.objects.filter(account_id=account_id)
    return changes.select_related("asset").order_by("-id")
