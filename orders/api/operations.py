"""Orders, fills, books and mark prices in the OpenAPI document."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from common.api.csv_answers import FormatQuery
from common.api.openapi import AnyOf, operation
from common.api.pagination import PageQuery
from common.api.schema import IDEMPOTENCY_KEY, problems, unkeyed
from orders.api import documents
from orders.api.mark_documents import MarkDocument
from orders.api.portfolio_documents import CashBalance, NetBalance
from orders.api.queries import AccountQuery, DepthQuery
from orders.api.requests import CancelAllRequest, MarkPriceRequest, PlaceOrderRequest
from orders.selectors.orders import OrderFilter
from orders.selectors.trades import FillFilter

_ORDERS, _MARKET, _MONEY, _MARGIN = "orders", "market data", "money", "margin"
_SYMBOL = OpenApiParameter("symbol", OpenApiTypes.STR, OpenApiParameter.PATH)
_EXAMPLES = [
    OpenApiExample(
        "Limit",
        {
            "account_id": 1,
            "symbol": "BTC-USD",
            "side": "BUY",
            "limit_price": "50000.00",
            "quantity": "0.1",
            "client_order_id": "a8c9b1a2",
        },
        request_only=True,
    ),
    OpenApiExample(
        "Market",
        {
            "document_number": "12345678901",
            "symbol": "PETR4",
            "side": "SELL",
            "order_type": "MARKET",
            "quantity": "500",
        },
        request_only=True,
    ),
]


def page_or_file(page: Any) -> dict[tuple[int, str], Any]:
    """A page, or with `format=csv` all rows as a file."""
    return {(200, "application/json"): page, (200, "text/csv"): OpenApiTypes.STR}


def _cancel(operation_id: str, summary: str) -> Any:
    return operation(
        operation_id=operation_id,
        tags=[_ORDERS],
        summary=summary,
        description=unkeyed("canceling again cancels nothing more, and the answer says so."),
        request=None,
        responses={200: documents.CanceledOrder, **problems(401, 403, 404, 504)},
    )


place_order = operation(
    operation_id="orders_place",
    tags=[_ORDERS],
    summary="Place an order; the answer is sent after matching and commit",
    parameters=[IDEMPOTENCY_KEY],
    request=PlaceOrderRequest,
    responses={
        201: documents.OrderDocument,
        200: OpenApiResponse(documents.OrderDocument, "Placed before under this client_order_id"),
        **problems(400, 401, 403, 404, 409, 504),
    },
    examples=_EXAMPLES,
)
test_order = operation(
    operation_id="orders_test",
    tags=[_ORDERS],
    summary="Check an order's shape; nothing is sent",
    description=unkeyed("nothing is done."),
    request=PlaceOrderRequest,
    responses={200: documents.OrderTested, **problems(400, 401, 403)},
    examples=_EXAMPLES,
)
list_orders = operation(
    operation_id="orders_list",
    tags=[_ORDERS],
    summary="List orders, newest first, without their fills",
    query=(OrderFilter, FormatQuery, PageQuery),
    responses={**page_or_file(documents.OrderRowPage), **problems(401, 403, 404)},
)
get_order = operation(
    operation_id="orders_get",
    tags=[_ORDERS],
    summary="Get an order with its fills",
    responses={200: documents.OrderDocument, **problems(401, 403, 404)},
)
get_order_by_client_id = operation(
    operation_id="orders_get_by_client_id",
    tags=[_ORDERS],
    summary="Get the order of a client_order_id",
    query=(AccountQuery,),
    responses={200: documents.OrderDocument, **problems(401, 403, 404)},
)
cancel_order = _cancel("orders_cancel", "Cancel an order")
delete_order = _cancel("orders_delete", "Cancel an order (the same by another name)")
cancel_all = operation(
    operation_id="orders_cancel_all",
    tags=[_ORDERS],
    summary="Cancel all open orders, or those of a symbol or an account",
    parameters=[IDEMPOTENCY_KEY],
    request=CancelAllRequest,
    responses={200: documents.CanceledAll, **problems(400, 401, 403, 404, 409)},
)
list_fills = operation(
    operation_id="fills_list",
    tags=[_ORDERS],
    summary="List fills, newest first",
    query=(FillFilter, FormatQuery, PageQuery),
    responses={**page_or_file(documents.FillPage), **problems(401, 403, 404)},
)
get_book = operation(
    operation_id="instruments_book",
    tags=[_MARKET],
    summary="Get open orders by price level",
    query=(DepthQuery,),
    parameters=[_SYMBOL],
    responses={200: documents.BookDocument, **problems(401, 403, 404)},
)
list_trades = operation(
    operation_id="instruments_trades",
    tags=[_MARKET],
    summary="List trades of an instrument, newest first",
    query=(PageQuery,),
    parameters=[_SYMBOL],
    responses={200: documents.PublicTradePage, **problems(401, 403, 404)},
)
get_ticker = operation(
    operation_id="instruments_ticker",
    tags=[_MARKET],
    summary="Get last price, mark price, best bid and ask, mid price and spread",
    parameters=[_SYMBOL],
    responses={200: documents.Ticker, **problems(401, 403, 404)},
)
get_balance = operation(
    operation_id="balance_get",
    tags=[_MONEY],
    summary="Get the cash of the account that a key is bound to, or a broker's net",
    responses={200: AnyOf("CashOrNetBalance", CashBalance, NetBalance), **problems(401, 403)},
)
post_mark = operation(
    operation_id="mark_price_post",
    tags=[_MARGIN],
    summary="Set the mark price of a perpetual",
    parameters=[IDEMPOTENCY_KEY],
    request=MarkPriceRequest,
    responses={200: MarkDocument, **problems(400, 401, 403, 404, 409, 504)},
)
get_mark = operation(
    operation_id="instruments_mark_get",
    tags=[_MARGIN],
    summary="Get the mark price of a perpetual",
    responses={200: MarkDocument, **problems(401, 403, 404)},
)
