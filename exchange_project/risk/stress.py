"""The stress test: marks move, and the page says who would be liquidated and what that costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from exchange_project.risk import figures
from exchange_project.risk.access import risk_page
from exchange_project.risk.requests import percent_of, text_of
from ledger.selectors.funds import list_fund_balances
from ledger.types import AccountKind
from margin.selectors.exposures import HoldingMark, list_marks
from margin.selectors.fund import list_fund_positions
from margin.selectors.stress import (
    StressedAccount,
    StressPoint,
    get_stress_curve,
    list_stressed_accounts,
)

_SHOWN_MAX = 100
_STEPS = 10
_LEAST, _MOST, _DEFAULT = Decimal(-100), Decimal(500), Decimal(-10)
# The address says so where all perpetuals of a quote asset move together.
_ALL = "all:"


@dataclass(frozen=True, slots=True)
class _Fund:
    """The insurance fund at the marks that hold, in a quote asset.

    `equity` is its money with the profit or loss of what it has taken over, `moved_value` the
    signed value of those positions whose marks move.
    """

    equity: Decimal
    moved_value: Decimal

    def after(self, move: Decimal) -> Decimal:
        """Its equity when marks have moved, before it pays for anybody."""
        return self.equity + move * self.moved_value


@risk_page
def stress_page(request: HttpRequest) -> HttpResponseBase:
    """What a move of `percent` does to the marks `moved`: a symbol, or `all:` and a quote asset.

    The plot goes from that move down to that move up. Nothing is stored.
    """
    marks = list_marks()
    choices = _choices(marks)
    moved = text_of(request, "moved")
    if moved not in dict(choices):
        moved = choices[0][0] if choices else ""
    percent = percent_of(request, "percent", default=_DEFAULT, least=_LEAST, most=_MOST)
    context = {
        "title": "Stress test",
        "choices": choices,
        "moved": moved,
        "percent": f"{percent:f}",
        "now": timezone.now(),
    }
    if moved:
        context |= _test(marks, moved, percent / 100)
    return render(request, "risk/stress.html", context)


def _choices(marks: Sequence[HoldingMark]) -> list[tuple[str, str]]:
    assets = sorted({mark.asset for mark in marks})
    together = [(f"{_ALL}{asset}", f"All perpetuals in {asset}") for asset in assets]
    return together + [(mark.symbol, mark.symbol) for mark in marks]


def _test(marks: Sequence[HoldingMark], moved: str, move: Decimal) -> dict[str, Any]:
    moving = [mark for mark in marks if moved in (mark.symbol, f"{_ALL}{mark.asset}")]
    asset, scale = moving[0].asset, moving[0].scale
    given: dict[str, Any] = {
        "asset": asset,
        "instrument_ids": [mark.instrument_id for mark in moving],
    }
    curve = get_stress_curve(**given, moves=_moves(move))
    accounts = list_stressed_accounts(**given, move=move, limit=_SHOWN_MAX)
    point = next(one for one in curve if one.move == move)
    fund = _fund(asset, {mark.symbol for mark in moving})
    left = fund.after(move)
    paid = min(point.loss, max(left, Decimal(0)))
    return {
        "asset": asset,
        "move": figures.signed_percent(move),
        "point": point,
        "facts": [
            ("Liquidated", f"{point.liquidated_count:,}"),
            ("Of them bankrupt", f"{point.bankrupt_count:,}"),
            ("The insurance fund has", figures.money(fund.equity, scale)),
            ("After the move", figures.money(left, scale)),
            ("It would pay", figures.money(paid, scale)),
            ("Left to deleveraging", figures.money(point.loss - paid, scale)),
        ],
        "is_short": point.loss > paid,
        "accounts": [_account(account, scale) for account in accounts],
        "is_cut": point.liquidated_count > len(accounts),
        "curve": _chart(curve, fund),
        "points": [_point(one, fund, scale) for one in curve],
    }


def _fund(asset: str, moved: set[str]) -> _Fund:
    balances = list_fund_balances(AccountKind.INSURANCE)
    equity = sum((one.balance for one in balances if one.asset == asset), Decimal(0))
    moved_value = Decimal(0)
    for position in list_fund_positions():
        if position.asset == asset:
            value = position.quantity * position.mark
            equity += value - position.cost_basis
            moved_value += value if position.symbol in moved else 0
    return _Fund(equity, moved_value)


def _moves(move: Decimal) -> list[Decimal]:
    """From the move against the wanted one to the wanted one, in even steps; no mark below zero."""
    size = abs(move)
    steps = [size * step / _STEPS for step in range(-_STEPS, _STEPS + 1)]
    return sorted({step for step in steps if step >= -1} | {move})


def _account(account: StressedAccount, scale: int) -> dict[str, Any]:
    is_bankrupt = account.equity < 0
    return {
        "account": account,
        "link": reverse("risk:account", args=[account.account_id]),
        "outcome": {
            "css": "bankrupt" if is_bankrupt else "liquidate",
            "sign": "✕" if is_bankrupt else "■",
            "word": "Bankrupt" if is_bankrupt else "Liquidated",
        },
        "equity_before": figures.money(account.equity_before, scale),
        "equity": figures.money(account.equity, scale),
        "maintenance_margin": figures.money(account.maintenance_margin, scale),
        "loss": figures.money(account.loss, scale),
    }


def _point(point: StressPoint, fund: _Fund, scale: int) -> dict[str, str]:
    return {
        "move": figures.signed_percent(point.move),
        "liquidated": f"{point.liquidated_count:,}",
        "bankrupt": f"{point.bankrupt_count:,}",
        "loss": figures.money(point.loss, scale),
        "left": figures.money(fund.after(point.move) - point.loss, scale),
    }


def _chart(curve: Sequence[StressPoint], fund: _Fund) -> dict[str, Any]:
    return {
        "labels": [figures.signed_percent(point.move) for point in curve],
        "axes": {"y": "Money", "y1": "Accounts"},
        "series": [
            {
                "name": "Liquidated accounts",
                "color": "call",
                "kind": "bar",
                "axis": "y1",
                "values": [str(point.liquidated_count) for point in curve],
            },
            {
                "name": "Loss beyond collateral",
                "color": "liquidate",
                "values": [figures.number(point.loss) for point in curve],
            },
            {
                "name": "Insurance fund",
                "color": "safe",
                "values": [figures.number(fund.after(point.move)) for point in curve],
            },
        ],
    }
