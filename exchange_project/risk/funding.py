"""Funding of a perpetual: its rates over time, and what was paid, received and left by each."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from common.api.csv_answers import rows_csv_answer
from exchange_project.risk import figures
from exchange_project.risk.access import risk_page
from exchange_project.risk.requests import PERIODS, address, choice_of
from margin.api.funding_documents import FUNDING_COLUMNS, funding_document
from margin.models import Funding
from margin.selectors.funding import (
    FundingInterval,
    count_unbooked,
    get_running_interval,
    list_fundings,
)
from marketdata.models import Instrument
from marketdata.selectors import list_instruments, make_spec
from marketdata.types import InstrumentSpec

# Within an hour there is at most a funding or two.
_PERIODS = {name: PERIODS[name] for name in ("1d", "7d", "90d")}
_LINES_MAX = 100
_POINTS_MAX = 1_000
_RATE_PLACES = 4
_BASIS_POINTS = 10_000


@risk_page
def funding_page(request: HttpRequest) -> HttpResponseBase:
    """The fundings of the perpetual `symbol` over a `period`; `format=csv` has all of them."""
    perpetuals = list_instruments(kind=Instrument.Kind.PERPETUAL.value).order_by("symbol")
    specs = {row.symbol: make_spec(row) for row in perpetuals}
    period = choice_of(request, "period", _PERIODS, "7d")
    symbol = choice_of(request, "symbol", specs, next(iter(specs), ""))
    now = timezone.now()
    context: dict[str, Any] = {
        "title": "Funding",
        "symbols": list(specs),
        "symbol": symbol,
        "period": period,
        "periods": [(name, label) for name, (label, _) in _PERIODS.items()],
        "now": now,
    }
    if not symbol:
        return render(request, "risk/funding.html", context)
    spec = specs[symbol]
    fundings = list_fundings(spec.id, since=now - _PERIODS[period][1])
    if request.GET.get("format") == "csv":
        name = f"funding-{symbol}-{now:%Y%m%dT%H%M%SZ}"
        return rows_csv_answer(fundings, show=funding_document, columns=FUNDING_COLUMNS, name=name)
    newest = list(fundings.order_by("-id")[:_POINTS_MAX])
    context |= {
        "asset": spec.quote_asset,
        "csv": address({"symbol": symbol, "period": period}, format="csv"),
        "running": _running(get_running_interval(spec, now=now)),
        "unbooked": count_unbooked(spec.id),
        "lines": [_line(funding, spec) for funding in newest[:_LINES_MAX]],
        "chart": _chart(newest[::-1]) if newest else None,
    }
    return render(request, "risk/funding.html", context)


def _running(interval: FundingInterval) -> dict[str, Any]:
    return {
        "due_at": interval.due_at,
        "rate": figures.percent(interval.rate, _RATE_PLACES),
        "sample_count": len(interval.samples),
    }


def _line(funding: Funding, spec: InstrumentSpec) -> dict[str, Any]:
    rate = figures.percent(funding.rate, _RATE_PLACES)
    return {
        "funding": funding,
        "rate": rate,
        "is_negative": figures.is_negative(rate),
        "mark_price": figures.price(funding.mark_price, spec.tick_size),
        "paid": figures.money(funding.paid, spec.quote_scale),
        "received": figures.money(funding.received, spec.quote_scale),
        # Rounding leaves millionths: to the cent they would all be nothing.
        "remainder": f"{funding.remainder.normalize():,f}",
    }


def _chart(fundings: Sequence[Funding]) -> dict[str, Any]:
    return {
        "times": [figures.milliseconds(funding.due_at) for funding in fundings],
        "axes": {"y": "Basis points of an interval"},
        "series": [
            {
                "name": "Funding rate",
                "color": "safe",
                "kind": "steps",
                "values": [figures.number(funding.rate * _BASIS_POINTS) for funding in fundings],
            }
        ],
    }
