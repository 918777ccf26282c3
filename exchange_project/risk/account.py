"""One account as the risk desk sees it: what carries what, and how far liquidation is away."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from brokers.models import TradingAccount, User
from common.admin import as_uuid
from common.money import plain
from exchange_project.risk import calls, figures, liquidations, positions
from exchange_project.risk.access import may_freeze, risk_page
from exchange_project.risk.requests import PERIODS, choice_of
from margin.models import FreezeChange, MarginAccount
from margin.selectors.accounts import (
    EquityPoint,
    PositionAtMark,
    list_equity_points,
    list_positions,
)
from margin.selectors.calls import list_freeze_changes, list_margin_calls
from margin.selectors.exposures import list_marks
from margin.selectors.liquidations import HistoryFilter, list_liquidations
from margin.selectors.report import AccountMargin, find_account_margins
from marketdata.models import Instrument
from orders.models import Order

_ORDERS_MAX = 100
_LIQUIDATIONS_MAX = 10
_CHANGES_MAX = 10
# How a person is named as actor, before the id.
_PERSON = "user:"


@risk_page
def account_page(request: HttpRequest, account_id: int) -> HttpResponseBase:
    """An account's collateral, positions, open orders, and its equity over a `period`.

    Raises:
        Http404: there is no such account.
    """
    account = get_object_or_404(TradingAccount.objects.select_related("broker"), id=account_id)
    period = choice_of(request, "period", PERIODS, "1d")
    margins = find_account_margins(account_id)
    by_asset = {margin.asset: margin for margin in margins}
    own = HistoryFilter(account_id=account_id)
    frozen = MarginAccount.objects.filter(account=account, is_frozen=True).select_related("asset")
    quote_assets = {mark.asset for mark in list_marks()}
    points = list_equity_points(account_id, period=PERIODS[period][1])
    context = {
        "title": f"Account {account.id}",
        "account": account,
        "margins": [_margin(margin) for margin in margins],
        "frozen": frozen,
        "may_freeze": may_freeze(request),
        "freezable": [] if margins else sorted(quote_assets - {one.asset.code for one in frozen}),
        "calls": [calls.shown(call) for call in list_margin_calls(own, is_open=True)],
        "liquidations": [
            liquidations.shown(row)
            for row in list_liquidations(own).order_by("-id")[:_LIQUIDATIONS_MAX]
        ],
        "freeze_changes": _freeze_changes(account_id),
        "positions": [
            _position(position, by_asset[position.asset]) for position in list_positions(account_id)
        ],
        "orders": [_order(order) for order in _open_orders(account_id)],
        "charts": _charts(points),
        "period": period,
        "periods": [(name, label) for name, (label, _) in PERIODS.items()],
        "now": timezone.now(),
    }
    return render(request, "risk/account.html", context)


def _margin(margin: AccountMargin) -> dict[str, Any]:
    state, scale = margin.state, margin.scale
    pnl = figures.units(state.unrealized_pnl, scale)
    return {
        "asset": margin.asset,
        "is_frozen": margin.is_frozen,
        "level": figures.LEVELS[margin.level],
        "bar": figures.bar(state),
        "margin_ratio": figures.percent(state.margin_ratio),
        "facts": [
            ("Equity", figures.units(state.equity, scale), False),
            ("Collateral", figures.units(state.collateral, scale), False),
            ("Unrealized profit", pnl, figures.is_negative(pnl)),
            ("Initial margin", figures.units(state.initial_margin, scale), False),
            ("Maintenance margin", figures.units(state.maintenance_margin, scale), False),
            ("Loss reserve", figures.units(state.loss_reserve, scale), False),
            ("Free collateral", figures.units(state.free_collateral, scale), False),
        ],
    }


def _position(position: PositionAtMark, account: AccountMargin) -> dict[str, Any]:
    tick, scale = position.tick_size, position.scale
    liquidation = position.liquidation_price(account)
    realized = figures.money(position.realized_pnl, scale)
    return {
        **positions.shown(position),
        "realized_pnl": realized,
        "is_realized_loss": figures.is_negative(realized),
        "liquidation_price": figures.price(liquidation, tick),
        "bankruptcy_price": figures.price(position.bankruptcy_price(account), tick),
        "distance": _distance(position, liquidation),
        "open": f"{plain(position.open_buy)} / {plain(position.open_sell)}",
    }


def _freeze_changes(account_id: int) -> list[tuple[FreezeChange, str]]:
    """The last ones, each with the address of the person, or the key that did it."""
    changes = list(list_freeze_changes(account_id)[:_CHANGES_MAX])
    ids = filter(None, (as_uuid(change.actor.removeprefix(_PERSON)) for change in changes))
    emails = {
        f"{_PERSON}{user_id}": email
        for user_id, email in User.objects.filter(id__in=ids).values_list("id", "email")
    }
    return [(change, emails.get(change.actor, change.actor)) for change in changes]


def _distance(position: PositionAtMark, liquidation: Fraction | None) -> str:
    """How far the mark may move until liquidation; in words where it has passed that."""
    if liquidation is None:
        return "none" if position.quantity else figures.NOTHING
    move = liquidation / Fraction(position.mark) - 1
    is_passed = move >= 0 if position.quantity > 0 else move <= 0
    return "passed" if is_passed and move else figures.signed_percent(move)


def _open_orders(account_id: int) -> Iterable[Order]:
    orders = Order.objects.filter(
        account_id=account_id,
        status__in=Order.OPEN_STATUSES,
        instrument__kind=Instrument.Kind.PERPETUAL,
    )
    return orders.select_related("instrument").order_by("instrument__symbol", "-id")[:_ORDERS_MAX]


def _order(order: Order) -> dict[str, Any]:
    tick = order.instrument.tick_size
    return {
        "symbol": order.instrument.symbol,
        "side": order.get_side_display(),
        "remaining": plain(order.quantity - order.filled_quantity),
        "quantity": plain(order.quantity),
        "limit_price": figures.price(order.limit_price, tick),
        "reserve": plain(order.margin_reserve),
        "created_at": order.created_at,
    }


def _charts(points: list[EquityPoint]) -> list[dict[str, Any]]:
    """One chart for each quote asset: equity against both margins."""
    charts = []
    for asset, group in groupby(points, key=lambda point: point.asset):
        of_asset = list(group)
        data = {
            "times": [figures.milliseconds(point.at) for point in of_asset],
            "series": [
                _series("Equity", "safe", [point.equity for point in of_asset]),
                _series("Initial margin", "call", [point.initial_margin for point in of_asset]),
                _series(
                    "Maintenance margin",
                    "liquidate",
                    [point.maintenance_margin for point in of_asset],
                ),
            ],
        }
        charts.append({"asset": asset, "id": f"equity-{asset}", "data": data})
    return charts


def _series(name: str, color: str, values: list[Decimal]) -> dict[str, Any]:
    return {"name": name, "color": color, "values": [figures.number(value) for value in values]}
