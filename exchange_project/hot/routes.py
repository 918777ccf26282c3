"""Which requests are hot: the table of paths and methods, each with the Django view it stands for.

The view holds the scope, the rate bucket and the dialect, and answers what is not in the table.
"""

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from common.errors import ExchangeError
from exchange_project.classic import views as classic_views
from exchange_project.health import HealthView, LiveView, ReadyView
from exchange_project.hot import classic, health, v1
from exchange_project.hot.requests import HotRequest
from exchange_project.hot.responses import HotResponse, classic_problem, problem
from orders.api import market_views
from orders.api import views as order_views

# Gets the part of the path that varies. None: the Django view has to answer after all.
Handler: TypeAlias = Callable[[HotRequest, str], Awaitable[HotResponse | None]]


class Endpoint(NamedTuple):
    """A hot method of a Django view. One that is public needs no key, and takes any host."""

    view: type
    handle: Handler
    show_error: Callable[[ExchangeError, HotRequest], HotResponse]
    is_public: bool = False


def _of_v1(view: type, handle: Handler) -> Endpoint:
    return Endpoint(view, handle, problem)


def _of_classic(view: type, handle: Handler) -> Endpoint:
    return Endpoint(view, handle, classic_problem)


_ID, _SYMBOL = "{id}", "{symbol}"
ENDPOINTS = {
    "GET /health": Endpoint(HealthView, health.get_health, classic_problem, is_public=True),
    "GET /readyz": Endpoint(ReadyView, health.get_ready, classic_problem, is_public=True),
    "GET /livez": Endpoint(LiveView, health.get_live, classic_problem, is_public=True),
    "POST /orders": _of_classic(classic_views.OrdersView, classic.place_order),
    "POST /orders/{id}/cancel": _of_classic(classic_views.CancelView, classic.cancel_order),
    "POST /api/v1/orders": _of_v1(order_views.OrdersView, v1.place_order),
    "POST /api/v1/orders/{id}/cancel": _of_v1(order_views.CancelView, v1.cancel_order),
    "DELETE /api/v1/orders/{id}": _of_v1(order_views.OrderView, v1.cancel_order),
    "GET /orders/{id}": _of_classic(classic_views.OrderView, classic.get_order),
    "GET /stocks/{symbol}/price": _of_classic(classic_views.PriceView, classic.get_price),
    "GET /stocks/{symbol}/book": _of_classic(classic_views.BookView, classic.get_book),
    "GET /balance": _of_classic(classic_views.BalanceView, classic.get_balance),
    "GET /api/v1/orders/{id}": _of_v1(order_views.OrderView, v1.get_order),
    "GET /api/v1/instruments/{symbol}/book": _of_v1(market_views.BookView, v1.get_book),
    "GET /api/v1/instruments/{symbol}/ticker": _of_v1(market_views.TickerView, v1.get_ticker),
    "GET /api/v1/balance": _of_v1(market_views.BalanceView, v1.get_balance),
}
_ORDER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Where the part that varies stands in a path that is split at its slashes.
_AT_CLASSIC, _AT_V1 = 2, 4


def find_endpoint(method: str, path: str) -> tuple[Endpoint, str] | None:
    """The hot endpoint of a request, with the part of the path that varies; None: it is not hot."""
    endpoint = ENDPOINTS.get(f"{method} {path}")
    if endpoint is not None:
        return endpoint, ""
    parts = path.split("/")
    at = _AT_V1 if path.startswith("/api/v1/") else _AT_CLASSIC
    if len(parts) <= at:
        return None
    argument = parts[at]
    if _ORDER_ID.fullmatch(argument):
        parts[at] = _ID
    else:
        parts[at], argument = _SYMBOL, argument.upper()
    endpoint = ENDPOINTS.get(f"{method} {'/'.join(parts)}")
    return None if endpoint is None else (endpoint, argument)
