"""Deals, booked executions and portfolios in the OpenAPI document. The classes describe alone."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from common.api.schema import IDEMPOTENCY_KEY, PAGING, amount_field, problems
from orders.api.schema import (
    FILL_FILTERS,
    FILL_PAGE,
    ORDER_FILTERS,
    ORDER_PAGE,
    CashRow,
    OrderDocument,
    choice,
)
from orders.models import Order, Side

_ORDERS, _ACCOUNTS, _MONEY = "orders", "accounts", "money"


class DealRequestDocument(serializers.Serializer):
    account_id = serializers.IntegerField(
        required=False, help_text="Not needed where the key is bound to an account."
    )
    symbol = serializers.CharField(max_length=20, help_text="Also taken as `ticker`.")
    side = choice(Side, help_text="Also taken as `action`; in lower case too.")
    quantity = amount_field()
    price = amount_field(
        "The worst price that will do; left out: the market price.", required=False
    )
    client_order_id = serializers.CharField(
        max_length=64, required=False, help_text="The same again answers the first deal."
    )


class DealDocument(serializers.Serializer):
    trade_id = serializers.UUIDField()
    order_id = serializers.UUIDField()
    client_order_id = serializers.CharField(allow_null=True)
    account_id = serializers.IntegerField()
    symbol = serializers.CharField()
    side = choice(Side)
    status = choice(Order.Status)
    reason = serializers.CharField(allow_null=True)
    quantity = amount_field()
    price = amount_field("The market price.")
    notional = amount_field()
    fee = amount_field("In the quote asset.")
    price_source = serializers.CharField()
    price_as_of = serializers.DateTimeField()
    price_age_seconds = serializers.IntegerField()
    is_price_simulated = serializers.BooleanField()
    cash_balance = amount_field("Of the quote asset, right after the trade.")
    holding = amount_field("Of the base asset, right after the trade.")
    executed_at = serializers.DateTimeField()


class BookingRequestDocument(serializers.Serializer):
    client_order_id = serializers.CharField(max_length=64, required=False)
    symbol = serializers.CharField(max_length=20)
    side = choice(Side, help_text="Also taken as `order_type`.")
    quantity = amount_field()
    price = amount_field("At which it was executed elsewhere.")


class ExecutionRequest(serializers.Serializer):
    quantity = amount_field("A part of what remains; left out: all of it.", required=False)


class CashBalance(serializers.Serializer):
    account_id = serializers.IntegerField()
    asset = serializers.CharField(help_text="The venue's currency.")
    balance = amount_field()
    held_amount = amount_field()
    available_balance = amount_field()
    balances = CashRow(many=True)


class HoldingDocument(serializers.Serializer):
    symbol = serializers.CharField()
    asset = serializers.CharField()
    quote_asset = serializers.CharField()
    quantity = amount_field()
    held_quantity = amount_field()
    available_quantity = amount_field()
    average_price = amount_field("Null: nothing of it was bought.", allow_null=True)


class HoldingsDocument(serializers.Serializer):
    account_id = serializers.IntegerField()
    positions = HoldingDocument(many=True)


class ValuedHoldingDocument(HoldingDocument):
    market_price = amount_field(allow_null=True)
    price_source = serializers.CharField(allow_null=True)
    price_as_of = serializers.DateTimeField(allow_null=True)
    price_age_seconds = serializers.IntegerField(allow_null=True)
    is_price_simulated = serializers.BooleanField(allow_null=True)
    is_price_stale = serializers.BooleanField(allow_null=True)
    price_error = serializers.CharField(allow_null=True, help_text="Why there is no price.")
    market_value = amount_field(allow_null=True)
    cost = amount_field("Quantity × average price.", allow_null=True)
    profit = amount_field(allow_null=True)
    profit_rate = amount_field("Profit by cost.", allow_null=True)
    allocation_percent = amount_field(
        "Of the total value; null where it is not in the venue's currency.", allow_null=True
    )


class PortfolioDocument(serializers.Serializer):
    account_id = serializers.IntegerField()
    currency = serializers.CharField(help_text="The venue's, which the totals are in.")
    cash = amount_field()
    market_value = amount_field()
    total_value = amount_field("Cash and market value.")
    profit = amount_field("Of the holdings whose average price is known.")
    profit_rate = amount_field(allow_null=True)
    is_complete = serializers.BooleanField(help_text="Every holding has a market price.")
    holdings = ValuedHoldingDocument(many=True)
    balances = CashRow(many=True)


trade = extend_schema(
    operation_id="trade",
    tags=[_ORDERS],
    summary="Buy or sell at the market price, at once",
    parameters=[IDEMPOTENCY_KEY],
    request=DealRequestDocument,
    responses={
        201: DealDocument,
        200: OpenApiResponse(DealDocument, "Dealt before under this client_order_id"),
        **problems(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
    },
    examples=[
        OpenApiExample(
            "Buy",
            {"ticker": "AAPL", "action": "buy", "quantity": 10, "price": 150.00},
            request_only=True,
        )
    ],
)
get_portfolio = extend_schema(
    operation_id="portfolio_get",
    tags=[_MONEY],
    summary="Holdings at market prices, cash and totals",
    parameters=[
        OpenApiParameter(
            "account_id", OpenApiTypes.INT, description="Of a key that is not bound to an account."
        )
    ],
    responses={200: PortfolioDocument, **problems(401, 403, 404, 422)},
)
list_account_trades = extend_schema(
    operation_id="trades_list",
    tags=[_ORDERS],
    summary="List an account's half of its trades, newest first",
    parameters=[*FILL_FILTERS, *PAGING],
    responses={200: FILL_PAGE, **problems(401, 403, 404, 422)},
)
list_account_orders = extend_schema(
    operation_id="accounts_orders",
    tags=[_ACCOUNTS],
    summary="List the orders of an account, newest first, without their fills",
    parameters=[*ORDER_FILTERS, *PAGING],
    responses={200: ORDER_PAGE, **problems(401, 403, 404, 422)},
)
book_order = extend_schema(
    operation_id="accounts_book_order",
    tags=[_ORDERS],
    summary="Make a pending order for an execution elsewhere",
    request=BookingRequestDocument,
    responses={
        201: OrderDocument,
        200: OpenApiResponse(OrderDocument, "Made before under this client_order_id"),
        **problems(400, 401, 403, 404, 409, 413, 415, 422),
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
execute_order = extend_schema(
    operation_id="orders_execute",
    tags=[_ORDERS],
    summary="Settle a booked order, whole or in part",
    parameters=[IDEMPOTENCY_KEY],
    request=ExecutionRequest,
    responses={200: OrderDocument, **problems(400, 401, 403, 404, 409, 413, 415, 422, 503)},
)
get_account_balance = extend_schema(
    operation_id="accounts_balance",
    tags=[_ACCOUNTS],
    summary="Get the cash of an account",
    responses={200: CashBalance, **problems(401, 403, 404)},
)
list_positions = extend_schema(
    operation_id="accounts_positions",
    tags=[_ACCOUNTS],
    summary="List what an account holds, with average prices",
    responses={200: HoldingsDocument, **problems(401, 403, 404)},
)
