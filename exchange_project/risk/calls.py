"""Margin calls: the open ones first, then those that are over."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from common.api.csv_answers import rows_csv_answer
from exchange_project.risk import figures
from exchange_project.risk.access import risk_page
from exchange_project.risk.requests import address, neighbours, page_of, text_of
from margin.api.history_documents import CALL_COLUMNS, call_document
from margin.models import MarginCall
from margin.selectors.calls import list_margin_calls
from margin.selectors.liquidations import HistoryFilter

PAGE_SIZE = 50
_OPEN_MAX = 500


@risk_page
def margin_calls_page(request: HttpRequest) -> HttpResponseBase:
    """Who was asked for collateral, and has not brought it yet; below, who has.

    Takes `search`, `cursor` of what is over, and `format=csv` for all under the filter.
    """
    now = timezone.now()
    chosen: dict[str, Any] = {"search": text_of(request, "search")}
    filters = HistoryFilter(search=chosen["search"])
    if request.GET.get("format") == "csv":
        return rows_csv_answer(
            list_margin_calls(filters),
            show=call_document,
            columns=CALL_COLUMNS,
            name=f"calls-{now:%Y%m%dT%H%M%SZ}",
        )
    still_open = list_margin_calls(filters, is_open=True).order_by("-id")[: _OPEN_MAX + 1]
    page = page_of(request, list_margin_calls(filters, is_open=False), int, size=PAGE_SIZE)
    context = {
        "title": "Margin calls",
        "open_calls": [shown(call) for call in still_open[:_OPEN_MAX]],
        "has_more_open": len(still_open) > _OPEN_MAX,
        "over_calls": [shown(call) for call in page.rows],
        "chosen": chosen,
        "csv": address(chosen, format="csv"),
        **neighbours(chosen, page),
        "now": now,
    }
    return render(request, "risk/margin_calls.html", context)


def shown(call: MarginCall) -> dict[str, Any]:
    """A margin call as its table shows it, with what the account had when it was raised."""
    scale = call.asset.scale
    return {
        "call": call,
        "level": figures.percent(call.level),
        "equity": figures.money(call.equity, scale),
        "maintenance_margin": figures.money(call.maintenance_margin, scale),
    }
