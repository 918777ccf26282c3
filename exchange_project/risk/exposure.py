"""Exposure and open interest by instrument."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from common.money import plain
from exchange_project.risk import figures
from exchange_project.risk.access import risk_page
from margin.selectors.exposures import InstrumentExposure, list_exposures


@risk_page
def exposure_page(request: HttpRequest) -> HttpResponseBase:
    """What all accounts together have in each perpetual, and how much of it the largest has."""
    exposures = list_exposures()
    context = {
        "title": "Exposure",
        "rows": [_shown(exposure) for exposure in exposures],
        "chart": _chart(exposures),
        "unbalanced": [exposure.mark.symbol for exposure in exposures if exposure.imbalance],
        "now": timezone.now(),
    }
    return render(request, "risk/exposure.html", context)


def _shown(exposure: InstrumentExposure) -> dict[str, Any]:
    mark = exposure.mark
    long_pnl = figures.money(exposure.long_pnl, mark.scale)
    short_pnl = figures.money(exposure.short_pnl, mark.scale)
    return {
        "mark": mark,
        "mark_price": f"{mark.price.normalize():,f}",
        "source": mark.source.lower(),
        "open_interest": plain(exposure.open_interest),
        "notional": figures.money(exposure.notional, mark.scale),
        "longs": f"{exposure.long_count:,}",
        "shorts": f"{exposure.short_count:,}",
        "largest_long": plain(exposure.largest_long),
        "largest_short": plain(exposure.largest_short),
        "concentration": figures.percent(exposure.concentration),
        "open_orders": f"{plain(exposure.open_buy)} / {plain(exposure.open_sell)}",
        "long_pnl": long_pnl,
        "is_long_loss": figures.is_negative(long_pnl),
        "short_pnl": short_pnl,
        "is_short_loss": figures.is_negative(short_pnl),
    }


def _chart(exposures: list[InstrumentExposure]) -> dict[str, Any] | None:
    """The open interest at the mark: bars, one for each instrument that has some."""
    shown = [exposure for exposure in exposures if exposure.open_interest]
    if not shown:
        return None
    return {
        "labels": [f"{exposure.mark.symbol} ({exposure.mark.asset})" for exposure in shown],
        "series": [
            {
                "name": "Open interest at the mark",
                "color": "safe",
                "kind": "bar",
                "values": [figures.number(exposure.notional) for exposure in shown],
            }
        ],
    }
