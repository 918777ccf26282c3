"""Liquidations that happened, newest first, and each with its steps."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from common.api.csv_answers import rows_csv_answer
from common.money import plain
from exchange_project.risk import figures
from exchange_project.risk.access import risk_page
from exchange_project.risk.requests import (
    PERIODS,
    address,
    choice_of,
    neighbours,
    page_of,
    text_of,
)
from margin.api.history_documents import LIQUIDATION_COLUMNS, liquidation_document
from margin.errors import LiquidationNotFound
from margin.models import Liquidation, LiquidationStep
from margin.selectors.exposures import list_marks
from margin.selectors.liquidations import HistoryFilter, get_liquidation, list_liquidations

PAGE_SIZE = 50
_SIGNS = {
    Liquidation.Outcome.RESTORED.value: ("call", "▲", "Restored"),
    Liquidation.Outcome.CLOSED.value: ("bankrupt", "✕", "Closed"),
}


@risk_page
def liquidations_page(request: HttpRequest) -> HttpResponseBase:
    """The history, newest first.

    Takes `search`, `asset`, `outcome`, `period`, `cursor`, and `format=csv` for all under the
    filter.
    """
    now = timezone.now()
    chosen: dict[str, Any] = {
        "search": text_of(request, "search"),
        "asset": text_of(request, "asset"),
        "outcome": choice_of(request, "outcome", _SIGNS, ""),
        "period": choice_of(request, "period", PERIODS, ""),
    }
    filters = HistoryFilter(
        search=chosen["search"],
        asset=chosen["asset"] or None,
        since=now - PERIODS[chosen["period"]][1] if chosen["period"] else None,
    )
    rows = list_liquidations(filters, outcome=chosen["outcome"] or None)
    if request.GET.get("format") == "csv":
        name = f"liquidations-{now:%Y%m%dT%H%M%SZ}"
        return rows_csv_answer(
            rows, show=liquidation_document, columns=LIQUIDATION_COLUMNS, name=name
        )
    page = page_of(request, rows, UUID, size=PAGE_SIZE)
    context = {
        "title": "Liquidations",
        "rows": [shown(row) for row in page.rows],
        "chosen": chosen,
        "assets": sorted({mark.asset for mark in list_marks()}),
        "outcomes": Liquidation.Outcome.choices,
        "periods": [(name, label) for name, (label, _) in PERIODS.items()],
        "is_filtered": any(chosen.values()),
        "csv": address(chosen, format="csv"),
        **neighbours(chosen, page),
        "now": now,
    }
    return render(request, "risk/liquidations.html", context)


@risk_page
def liquidation_page(request: HttpRequest, liquidation_id: UUID) -> HttpResponseBase:
    """One liquidation: what there was, what was done step by step, what was left.

    Raises:
        Http404: there is no such liquidation.
    """
    try:
        found = get_liquidation(liquidation_id)
    except LiquidationNotFound as error:
        raise Http404 from error
    context = {
        "title": "Liquidation",
        "row": shown(found),
        "steps": [_step(step, found.asset.scale) for step in found.steps.all()],
    }
    return render(request, "risk/liquidation.html", context)


def shown(row: Liquidation) -> dict[str, Any]:
    """A liquidation as its table shows it."""
    scale = row.asset.scale
    css, sign, word = _SIGNS[row.outcome]
    result = figures.money(row.fund_result, scale)
    return {
        "liquidation": row,
        "outcome": figures.Level(css, sign, word),
        "collateral_before": figures.money(row.collateral_before, scale),
        "collateral_after": figures.money(row.collateral_after, scale),
        "equity_before": figures.money(row.equity_before, scale),
        "equity_after": figures.money(row.equity_after, scale),
        "margin_before": figures.money(row.maintenance_margin_before, scale),
        "margin_after": figures.money(row.maintenance_margin_after, scale),
        "fee": figures.money(row.fee, scale),
        "fund_result": result,
        "is_fund_loss": figures.is_negative(result),
        "bad_debt": figures.money(row.bad_debt, scale),
        "is_bad": row.bad_debt > 0,
    }


def _step(step: LiquidationStep, scale: int) -> dict[str, Any]:
    instrument = step.instrument
    tick = None if instrument is None else instrument.tick_size
    return {
        "step": step,
        "symbol": figures.NOTHING if instrument is None else instrument.symbol,
        "quantity": figures.NOTHING if step.quantity is None else plain(step.quantity),
        "price": figures.NOTHING if tick is None else figures.price(step.price, tick),
        "mark": figures.NOTHING if tick is None else figures.price(step.mark_price, tick),
        "amount": figures.money(step.amount, scale) if step.amount else figures.NOTHING,
        "equity_before": figures.money(step.equity_before, scale),
        "equity_after": figures.money(step.equity_after, scale),
        "margin_before": figures.money(step.maintenance_margin_before, scale),
        "margin_after": figures.money(step.maintenance_margin_after, scale),
    }
