"""The margin report as a page and as CSV."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from brokers.models import Broker
from common.csv_files import as_text, csv_lines
from common.money import from_units8, plain
from exchange_project.risk import figures
from exchange_project.risk.access import risk_page
from exchange_project.risk.requests import address, broker_of, choice_of, count_of, text_of
from margin.selectors.exposures import list_marks
from margin.selectors.report import (
    SORTS,
    AccountMargin,
    ReportFilter,
    call_ratio,
    get_margin_report,
    stream_margin_report,
)

PAGE_SIZE = 50
_BROKERS_MAX = 300

# Sort (None: none) and heading.
_COLUMNS = (
    ("account", "Account"),
    ("risk", "State"),
    ("utilization", "Utilization"),
    (None, "Margin ratio"),
    ("equity", "Equity"),
    ("unrealized_pnl", "Unrealized"),
    ("initial_margin", "Initial margin"),
    ("maintenance_margin", "Maintenance"),
    (None, "Liquidation price"),
)
CSV_COLUMNS = (
    "account_id",
    "document_number",
    "broker",
    "asset",
    "state",
    "is_frozen",
    "positions",
    "collateral",
    "unrealized_pnl",
    "equity",
    "initial_margin",
    "maintenance_margin",
    "loss_reserve",
    "free_collateral",
    "utilization",
    "margin_ratio",
    "liquidation_price",
)


@risk_page
def report_page(request: HttpRequest) -> HttpResponseBase:
    """Every account with positions or open orders in perpetuals; the nearest to liquidation first.

    Takes `search`, `asset`, `broker`, `at_risk`, `sort`, `order`, `page`, and `format=csv` for all
    lines under the filter.
    """
    broker_id = broker_of(request)
    chosen: dict[str, Any] = {
        "search": text_of(request, "search"),
        "asset": text_of(request, "asset"),
        "broker": broker_id,
        "at_risk": choice_of(request, "at_risk", ["1"], ""),
        "sort": choice_of(request, "sort", SORTS, "risk"),
        "order": choice_of(request, "order", ["asc", "desc"], "desc"),
    }
    filters = ReportFilter(
        asset=chosen["asset"] or None,
        broker_id=broker_id,
        search=chosen["search"],
        is_at_risk=bool(chosen["at_risk"]),
    )
    order = {"sort": chosen["sort"], "is_descending": chosen["order"] == "desc"}
    if request.GET.get("format") == "csv":
        return _csv(filters, order)
    page = count_of(request, "page")
    report = get_margin_report(filters=filters, page=page, page_size=PAGE_SIZE, **order)
    marks = list_marks()
    context = {
        "title": "Margin report",
        "report": report,
        "lines": [_shown(line) for line in report.lines],
        "chosen": chosen,
        "columns": [_column(chosen, sort, name) for sort, name in _COLUMNS],
        "assets": sorted({mark.asset for mark in marks}),
        "brokers": Broker.objects.order_by("name").values_list("id", "name")[:_BROKERS_MAX],
        "stale": [mark for mark in marks if mark.is_stale],
        "call_percent": figures.percent(call_ratio(), 0),
        "csv": address(chosen, format="csv"),
        "earlier": address(chosen, page=report.page - 1) if report.page > 1 else None,
        "later": address(chosen, page=report.page + 1) if report.page < report.page_count else None,
        "now": timezone.now(),
    }
    return render(request, "risk/report.html", context)


def _column(chosen: dict[str, Any], sort: str | None, name: str) -> dict[str, Any]:
    is_sorted = sort == chosen["sort"]
    order = "asc" if is_sorted and chosen["order"] == "desc" else "desc"
    return {
        "name": name,
        "link": address(chosen, sort=sort, order=order) if sort else None,
        "sorted": f"{chosen['order']}ending" if is_sorted else None,
    }


def _shown(line: AccountMargin) -> dict[str, Any]:
    state, scale = line.state, line.scale
    pnl = figures.units(state.unrealized_pnl, scale)
    return {
        "line": line,
        "link": reverse("risk:account", args=[line.account_id]),
        "level": figures.LEVELS[line.level],
        "bar": figures.bar(state),
        "margin_ratio": figures.percent(state.margin_ratio),
        "equity": figures.units(state.equity, scale),
        "collateral": figures.units(state.collateral, scale),
        "unrealized_pnl": pnl,
        "is_loss": figures.is_negative(pnl),
        "initial_margin": figures.units(state.initial_margin, scale),
        "maintenance_margin": figures.units(state.maintenance_margin, scale),
        "liquidation_price": _liquidation_price(line),
    }


def _liquidation_price(line: AccountMargin) -> str:
    if line.sole is None:
        return "several" if line.position_count else figures.NOTHING
    if line.liquidation_price is None:
        return "none"
    return figures.price(line.liquidation_price, line.sole.tick_size)


def _csv(filters: ReportFilter, order: dict[str, Any]) -> StreamingHttpResponse:
    lines = stream_margin_report(filters=filters, **order)
    name = f"margin-{timezone.now():%Y%m%dT%H%M%SZ}.csv"
    return StreamingHttpResponse(
        csv_lines(_csv_rows(lines)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _csv_rows(lines: Iterator[AccountMargin]) -> Iterator[tuple[str, ...]]:
    yield CSV_COLUMNS
    for line in lines:
        yield _csv_row(line)


def _csv_row(line: AccountMargin) -> tuple[str, ...]:
    state = line.state
    amounts = (
        state.collateral,
        state.unrealized_pnl,
        state.equity,
        state.initial_margin,
        state.maintenance_margin,
        state.loss_reserve,
        state.free_collateral,
    )
    shares = (state.utilization, state.margin_ratio, line.liquidation_price)
    return (
        str(line.account_id),
        as_text(line.document_number),
        as_text(line.broker),
        line.asset,
        line.level,
        "true" if line.is_frozen else "false",
        str(line.position_count),
        *(plain(from_units8(amount)) for amount in amounts),
        *("" if share is None else figures.exact(share) for share in shares),
    )
