"""Orders in the OpenAPI document. The classes describe; no request goes through them."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from common.api.schema import PAGING, amount_field, page_of, problems
from orders.models import Fill, Order, Side, Venue
from orders.types import Result

_ORDERS, _MARKET, _MONEY = "orders", "market data", "money"


def choice(choices: Any, **options: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices.choices, **options)


class OrderFillDocument(serializers.Serializer):
    trade_id = serializers.UUIDField()
    price = amount_field()
    quantity = amount_field()
    fee = amount_field("In the quote asset.")
    liquidity_role = choice(Fill.Role)
    executed_at = serializers.DateTimeField()


class OrderRow(serializers.Serializer):
    id = serializers.UUIDField()
    account_id = serializers.IntegerField()
    symbol = serializers.CharField()
    client_order_id = serializers.CharField(allow_null=True)
    venue = choice(Venue)
    side = choice(Side)
    order_type = choice(Order.Type)
    time_in_force = choice(Order.TimeInForce)
    limit_price = amount_field(allow_null=True)
    quantity = amount_field()
    filled_quantity = amount_field()
    remaining_quantity = amount_field()
    average_fill_price = amount_field("None without fills.", allow_null=True)
    notional = amount_field("Of all fills, in the quote asset.")
    fee = amount_field("Of all fills, in the quote asset.")
    valid_until = serializers.DateTimeField(allow_null=True)
    status = choice(Order.Status)
    reason = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class OrderDocument(OrderRow):
    fills = OrderFillDocument(many=True)


class PlaceOrderRequest(serializers.Serializer):
    account_id = serializers.IntegerField(required=False)
    document_number = serializers.CharField(
        max_length=20,
        required=False,
        help_text="Instead of account_id; a key that is bound to an account needs neither.",
    )
    symbol = serializers.CharField(max_length=20)
    side = choice(Side)
    order_type = choice(Order.Type, default=Order.Type.LIMIT)
    time_in_force = choice(
        Order.TimeInForce,
        required=False,
        help_text="GTC; GTD when valid_until is given; IOC for a market order.",
    )
    limit_price = amount_field("Also taken as `price`. Not for market orders.", required=False)
    quantity = amount_field()
    valid_until = serializers.DateTimeField(required=False)
    client_order_id = serializers.CharField(
        max_length=64, required=False, help_text="The same again answers the first order."
    )


class CanceledOrder(serializers.Serializer):
    result = serializers.ChoiceField([Result.CANCELED.value, Result.NOT_OPEN.value])
    order = OrderDocument()


class CancelAllResult(serializers.Serializer):
    order_id = serializers.UUIDField()
    result = serializers.ChoiceField(
        [result.value for result in Result], allow_null=True, help_text="Null: not known yet."
    )


class FillDocument(OrderFillDocument):
    order_id = serializers.UUIDField(
        allow_null=True, help_text="None of a forced trade off the book."
    )
    account_id = serializers.IntegerField()
    symbol = serializers.CharField()
    venue = choice(Venue)
    side = choice(Side)
    notional = amount_field()


class PublicTrade(serializers.Serializer):
    id = serializers.UUIDField()
    price = amount_field()
    quantity = amount_field()
    notional = amount_field()
    taker_side = choice(Side)
    executed_at = serializers.DateTimeField()


class Level(serializers.Serializer):
    price = amount_field()
    quantity = amount_field()
    order_count = serializers.IntegerField()


class BookDocument(serializers.Serializer):
    symbol = serializers.CharField()
    depth = serializers.IntegerField()
    bids = Level(many=True)
    asks = Level(many=True)


class Ticker(serializers.Serializer):
    symbol = serializers.CharField()
    last_price = amount_field(allow_null=True)
    mark_price = amount_field("Of a perpetual that has one.", allow_null=True)
    best_bid = amount_field(allow_null=True)
    best_bid_quantity = amount_field(allow_null=True)
    best_ask = amount_field(allow_null=True)
    best_ask_quantity = amount_field(allow_null=True)
    mid_price = amount_field(allow_null=True)
    spread = amount_field(allow_null=True)


class CashRow(serializers.Serializer):
    asset = serializers.CharField()
    kind = serializers.CharField()
    balance = amount_field()
    held_amount = amount_field()
    available_balance = amount_field()


class CashOrNetBalance(serializers.Serializer):
    account_id = serializers.IntegerField(required=False, help_text="Of a bound key.")
    broker_id = serializers.UUIDField(required=False, help_text="Of a broker's key.")
    broker_name = serializers.CharField(required=False)
    asset = serializers.CharField()
    balance = amount_field("Posted cash, or what the broker sold minus what it bought.")
    held_amount = amount_field(required=False)
    available_balance = amount_field(required=False)
    balances = CashRow(many=True, required=False)


def _text(name: str, **options: Any) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, **options)


_SYMBOL = _text("symbol", location=OpenApiParameter.PATH)
_OF_ACCOUNT = OpenApiParameter("account_id", OpenApiTypes.INT)
ORDER_FILTERS = (
    _text("symbol"),
    _text("side", enum=Side.values),
    _text("status", enum=Order.Status.values),
    _text("client_order_id"),
    OpenApiParameter("since", OpenApiTypes.DATETIME),
    OpenApiParameter("until", OpenApiTypes.DATETIME),
)
FILL_FILTERS = (
    _text("symbol"),
    OpenApiParameter("order_id", OpenApiTypes.UUID),
    _text("side", enum=Side.values),
    _text("venue", enum=Venue.values),
    OpenApiParameter("since", OpenApiTypes.DATETIME),
    OpenApiParameter("until", OpenApiTypes.DATETIME),
)
ORDER_PAGE, FILL_PAGE = page_of(OrderRow), page_of(FillDocument)
_ORDER_ERRORS = problems(400, 401, 403, 404, 409, 413, 415, 422, 429, 503, 504)
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

place_order = extend_schema(
    operation_id="orders_place",
    tags=[_ORDERS],
    summary="Place an order; the answer is sent after matching and commit",
    request=PlaceOrderRequest,
    responses={
        201: OrderDocument,
        200: OpenApiResponse(OrderDocument, "Placed before under this client_order_id"),
        **_ORDER_ERRORS,
    },
    examples=_EXAMPLES,
)
test_order = extend_schema(
    operation_id="orders_test",
    tags=[_ORDERS],
    summary="Check an order's shape; nothing is sent",
    request=PlaceOrderRequest,
    responses={
        200: inline_serializer("OrderTested", {"is_valid": serializers.BooleanField()}),
        **problems(400, 401, 403, 422),
    },
)
list_orders = extend_schema(
    operation_id="orders_list",
    tags=[_ORDERS],
    summary="Orders, newest first, without their fills",
    parameters=[_OF_ACCOUNT, *ORDER_FILTERS, *PAGING],
    responses={200: ORDER_PAGE, **problems(401, 403, 404, 422)},
)
get_order = extend_schema(
    operation_id="orders_get",
    tags=[_ORDERS],
    summary="An order with its fills",
    responses={200: OrderDocument, **problems(401, 403, 404)},
)
get_order_by_client_id = extend_schema(
    operation_id="orders_get_by_client_id",
    tags=[_ORDERS],
    summary="The order of a client_order_id",
    parameters=[_OF_ACCOUNT],
    responses={200: OrderDocument, **problems(401, 403, 404, 422)},
)


def _cancel(summary: str, operation_id: str) -> Any:
    return extend_schema(
        tags=[_ORDERS],
        summary=summary,
        operation_id=operation_id,
        request=None,
        responses={200: CanceledOrder, **problems(401, 403, 404, 503, 504)},
    )


cancel_order = _cancel("Cancel an order", "orders_cancel")
delete_order = _cancel("Cancel an order (the same by another name)", "orders_delete")
cancel_all = extend_schema(
    operation_id="orders_cancel_all",
    tags=[_ORDERS],
    summary="Cancel all open orders, or those of a symbol or an account",
    request=inline_serializer(
        "CancelAllRequest",
        {
            "symbol": serializers.CharField(required=False),
            "account_id": serializers.IntegerField(required=False),
        },
    ),
    responses={
        200: inline_serializer(
            "CanceledAll",
            {"canceled": serializers.IntegerField(), "results": CancelAllResult(many=True)},
        ),
        **problems(400, 401, 403, 404, 422, 503),
    },
)
list_fills = extend_schema(
    operation_id="fills_list",
    tags=[_ORDERS],
    summary="Fills, newest first",
    parameters=[_OF_ACCOUNT, *FILL_FILTERS, *PAGING],
    responses={200: FILL_PAGE, **problems(401, 403, 404, 422)},
)
get_book = extend_schema(
    operation_id="instruments_book",
    tags=[_MARKET],
    summary="Open orders by price level",
    parameters=[
        _SYMBOL,
        OpenApiParameter("depth", {"type": "integer", "minimum": 1, "maximum": 50, "default": 10}),
    ],
    responses={200: BookDocument, **problems(401, 403, 404, 422)},
)
list_trades = extend_schema(
    operation_id="instruments_trades",
    tags=[_MARKET],
    summary="Trades of an instrument, newest first",
    parameters=[_SYMBOL, *PAGING],
    responses={200: page_of(PublicTrade), **problems(401, 403, 404, 422)},
)
get_ticker = extend_schema(
    operation_id="instruments_ticker",
    tags=[_MARKET],
    summary="Last price, mark price, best bid and ask, mid price and spread",
    parameters=[_SYMBOL],
    responses={200: Ticker, **problems(401, 403, 404)},
)
get_balance = extend_schema(
    operation_id="balance_get",
    tags=[_MONEY],
    summary="Cash of the account that a key is bound to, or a broker's net",
    responses={200: CashOrNetBalance, **problems(401, 403)},
)
