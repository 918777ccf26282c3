"""Deals, booked executions and portfolios in the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from common.api.openapi import operation
from common.api.pagination import PageQuery
from common.api.schema import IDEMPOTENCY_KEY, problems
from orders.api.documents import FillPage, OrderDocument, OrderRowPage
from orders.api.portfolio_documents import (
    CashBalance,
    DealDocument,
    HoldingsDocument,
    PortfolioDocument,
)
from orders.api.queries import AccountQuery
from orders.api.requests import BookingRequest, DealRequest, ExecutionRequest
from orders.selectors.orders import OrderFilter
from orders.selectors.trades import FillFilter

_ORDERS, _ACCOUNTS, _MONEY = "orders", "accounts", "money"

trade = operation(
    operation_id="trade",
    tags=[_ORDERS],
    summary="Buy or sell at the market price, at once",
    parameters=[IDEMPOTENCY_KEY],
    request=DealRequest,
    responses={
        201: DealDocument,
        200: OpenApiResponse(DealDocument, "Dealt before under this client_order_id"),
        **problems(400, 401, 403, 404, 409, 504),
    },
    examples=[
        OpenApiExample(
            "Buy",
            {"ticker": "AAPL", "action": "BUY", "quantity": 10, "price": 150.00},
            request_only=True,
        )
    ],
)
get_portfolio = operation(
    operation_id="portfolio_get",
    tags=[_MONEY],
    summary="Get holdings at market prices, cash and totals",
    query=(AccountQuery,),
    responses={200: PortfolioDocument, **problems(401, 403, 404)},
)
list_account_trades = operation(
    operation_id="trades_list",
    tags=[_ORDERS],
    summary="List an account's half of its trades, newest first",
    query=(FillFilter, PageQuery),
    without=["account_id"],
    responses={200: FillPage, **problems(401, 403, 404)},
)
list_account_orders = operation(
    operation_id="accounts_orders",
    tags=[_ACCOUNTS],
    summary="List the orders of an account, newest first, without their fills",
    query=(OrderFilter, PageQuery),
    without=["account_id"],
    responses={200: OrderRowPage, **problems(401, 403, 404)},
)
book_order = operation(
    operation_id="accounts_book_order",
    tags=[_ORDERS],
    summary="Make a pending order for an execution elsewhere",
    parameters=[IDEMPOTENCY_KEY],
    request=BookingRequest,
    responses={
        201: OrderDocument,
        200: OpenApiResponse(OrderDocument, "Made before under this client_order_id"),
        **problems(400, 401, 403, 404, 409),
    },
    examples=[
        OpenApiExample(
            "Buy",
            {
                "client_order_id": "a8c9b1a2-2b8c-4a3e-9b6b-3e5f2a1d7c4e",
                "symbol": "AAPL",
                "order_type": "BUY",
                "quantity": 10,
                "price": "150.75",
            },
            request_only=True,
        )
    ],
)
execute_order = operation(
    operation_id="orders_execute",
    tags=[_ORDERS],
    summary="Settle a booked order, whole or in part",
    parameters=[IDEMPOTENCY_KEY],
    request=ExecutionRequest,
    responses={200: OrderDocument, **problems(400, 401, 403, 404, 409)},
)
get_account_balance = operation(
    operation_id="accounts_balance",
    tags=[_ACCOUNTS],
    summary="Get the cash of an account",
    responses={200: CashBalance, **problems(401, 403, 404)},
)
list_positions = operation(
    operation_id="accounts_positions",
    tags=[_ACCOUNTS],
    summary="List what an account holds, with average prices",
    responses={200: HoldingsDocument, **problems(401, 403, 404)},
)
