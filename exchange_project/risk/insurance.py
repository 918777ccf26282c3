"""The insurance fund over time, from its postings, and the positions that it has taken over."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from exchange_project.risk import figures, positions
from exchange_project.risk.access import risk_page
from exchange_project.risk.requests import PERIODS, choice_of
from ledger.selectors.funds import (
    FundLine,
    list_fund_balances,
    list_fund_lines,
    list_fund_points,
)
from ledger.types import AccountKind
from margin.selectors.fund import list_fund_positions

_LINES_MAX = 50


@risk_page
def insurance_page(request: HttpRequest) -> HttpResponseBase:
    """What the insurance fund has in each asset and position; of one `asset` how it went over a
    `period`."""
    balances = list_fund_balances(AccountKind.INSURANCE)
    scales = {one.asset: one.scale for one in balances}
    period = choice_of(request, "period", PERIODS, "7d")
    asset = choice_of(request, "asset", scales, next(iter(scales), ""))
    context: dict[str, Any] = {
        "title": "Insurance fund",
        "balances": [
            (one.asset, figures.money(one.balance, one.scale), one.balance < 0) for one in balances
        ],
        "positions": [positions.shown(one) for one in list_fund_positions()],
        "asset": asset,
        "period": period,
        "periods": [(name, label) for name, (label, _) in PERIODS.items()],
        "now": timezone.now(),
    }
    if asset:
        points = list_fund_points(AccountKind.INSURANCE, asset, period=PERIODS[period][1])
        lines = list_fund_lines(AccountKind.INSURANCE, asset, limit=_LINES_MAX)
        context["lines"] = [_line(line, scales[asset]) for line in lines]
        context["chart"] = {
            "times": [figures.milliseconds(point.at) for point in points],
            "series": [
                {
                    "name": f"Insurance fund in {asset}",
                    "color": "safe",
                    "kind": "steps",
                    "values": [figures.number(point.balance) for point in points],
                }
            ],
        }
    return render(request, "risk/insurance.html", context)


def _line(line: FundLine, scale: int) -> dict[str, Any]:
    amount = figures.money(line.amount, scale)
    return {
        "posted_at": line.posted_at,
        "kind": line.entry_kind.replace("_", " ").capitalize(),
        "memo": line.memo,
        "amount": amount if line.amount < 0 else f"+{amount}",
        "is_paid": line.amount < 0,
    }
