"""The classic dialect in the OpenAPI document. No request goes through these classes."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

TAG = "classic"
SIDES = [("bid", "buy"), ("ask", "sell")]
ORDER_TYPES = [("limit", "limit"), ("market", "market")]
STATUSES = [("open", "open"), ("closed", "closed")]


class ClassicOrderRequest(serializers.Serializer):
    document_number = serializers.CharField(
        max_length=20, help_text="The client's document; its account is opened if need be."
    )
    side = serializers.ChoiceField(SIDES)
    order_type = serializers.ChoiceField(ORDER_TYPES, default="limit")
    symbol = serializers.CharField(max_length=10, help_text="Taken in upper case.")
    price = serializers.IntegerField(
        min_value=1,
        required=False,
        allow_null=True,
        help_text="Cents. A limit order needs it, a market order must not have it.",
    )
    quantity = serializers.IntegerField(min_value=1)
    valid_until = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="ISO 8601 with a zone, in the future. A limit order needs it.",
    )


class ClassicTrade(serializers.Serializer):
    trade_id = serializers.UUIDField()
    price = serializers.IntegerField()
    quantity = serializers.IntegerField()
    counterparty_broker = serializers.CharField()
    executed_at = serializers.DateTimeField()


class ClassicOrderAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    side = serializers.ChoiceField(SIDES)
    order_type = serializers.ChoiceField(ORDER_TYPES)
    symbol = serializers.CharField()
    price = serializers.IntegerField(allow_null=True)
    quantity = serializers.IntegerField()
    remaining_quantity = serializers.IntegerField()
    status = serializers.ChoiceField(STATUSES)
    valid_until = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    trades = ClassicTrade(many=True)


class ClassicLevel(serializers.Serializer):
    price = serializers.IntegerField()
    total_quantity = serializers.IntegerField()
    order_count = serializers.IntegerField()


class ClassicBook(serializers.Serializer):
    symbol = serializers.CharField()
    depth = serializers.IntegerField()
    asks = ClassicLevel(many=True)
    bids = ClassicLevel(many=True)


class ClassicError(serializers.Serializer):
    detail = serializers.JSONField(
        help_text="A text; for 422 a list of `{loc, msg, type}`, one for each wrong field."
    )


_TEXTS = {
    400: "Malformed JSON",
    401: "No key, or a wrong one",
    403: "Another broker's order, or a key without the scope",
    404: "There is no such thing",
    413: "More than 1 MiB",
    415: "The body is not JSON",
    422: "Some fields are not valid, or the order was refused",
    429: "Too many requests; see Retry-After",
    503: "Busy, or without an engine; nothing was written; see Retry-After",
    504: "Outcome not known yet; `order_id` tells what to ask for",
}


def _errors(*statuses: int) -> dict[int, OpenApiResponse]:
    return {status: OpenApiResponse(ClassicError, _TEXTS[status]) for status in statuses}


def _answer(component: str, /, **fields: serializers.Field) -> serializers.Serializer:
    return inline_serializer(component, fields)


def _query(name: str, default: int, maximum: int) -> OpenApiParameter:
    schema = {"type": "integer", "minimum": 1, "maximum": maximum, "default": default}
    return OpenApiParameter(name, schema)


def _operation(operation_id: str, summary: str, responses: dict, **rest):  # type: ignore[no-untyped-def]
    return extend_schema(
        operation_id=f"classic_{operation_id}",
        tags=[TAG],
        summary=summary,
        responses=responses,
        **rest,
    )


_SYMBOL = OpenApiParameter("symbol", OpenApiTypes.STR, OpenApiParameter.PATH)
_ORDER_ID = OpenApiParameter("order_id", OpenApiTypes.UUID, OpenApiParameter.PATH)

health = _operation(
    "health",
    "State of what the venue needs, and latency figures",
    {200: OpenApiTypes.OBJECT, 503: OpenApiTypes.OBJECT},
    auth=[],
)
register = _operation(
    "register",
    "Register a broker (the venue's admin key)",
    {
        201: _answer(
            "ClassicRegistered",
            broker_id=serializers.UUIDField(),
            api_key=serializers.CharField(help_text="Shown once."),
        ),
        **_errors(400, 401, 403, 422),
    },
    request=_answer(
        "ClassicRegisterRequest",
        name=serializers.CharField(max_length=100),
        webhook_url=serializers.URLField(required=False, allow_null=True),
    ),
    examples=[
        OpenApiExample(
            "A broker",
            {"name": "My Broker", "webhook_url": "https://example.com/hook"},
            request_only=True,
        )
    ],
)
place_order = _operation(
    "place_order",
    "Place an order; the answer is sent after matching and commit",
    {
        201: _answer("ClassicPlaced", order_id=serializers.UUIDField()),
        **_errors(400, 401, 403, 413, 415, 422, 429, 503, 504),
    },
    request=ClassicOrderRequest,
    examples=[
        OpenApiExample(
            "Limit",
            {
                "document_number": "12345678901",
                "side": "bid",
                "symbol": "PETR4",
                "price": 3500,
                "quantity": 1000,
                "valid_until": "2030-02-15T23:59:59Z",
            },
            request_only=True,
        ),
        OpenApiExample(
            "Market",
            {
                "document_number": "12345678901",
                "side": "ask",
                "order_type": "market",
                "symbol": "PETR4",
                "quantity": 500,
            },
            request_only=True,
        ),
    ],
)
get_order = _operation(
    "get_order",
    "An order and its trades",
    {200: ClassicOrderAnswer, **_errors(401, 403, 404, 422)},
    parameters=[_ORDER_ID],
)
cancel_order = _operation(
    "cancel_order",
    "Cancel an open limit order; a no-op for any other",
    {204: OpenApiResponse(description="Canceled, or nothing to cancel"), **_errors(401, 403, 503)},
    parameters=[_ORDER_ID],
    request=None,
)
get_price = _operation(
    "get_price",
    "Last price and moving average",
    {
        200: _answer(
            "ClassicPrice",
            symbol=serializers.CharField(),
            last_price=serializers.IntegerField(),
            average_price=serializers.IntegerField(),
            trades_in_average=serializers.IntegerField(),
        ),
        **_errors(401, 404, 422),
    },
    parameters=[_SYMBOL, _query("trades", 50, 1000)],
)
get_book = _operation(
    "get_book",
    "Open orders by price level",
    {200: ClassicBook, **_errors(401, 422)},
    parameters=[_SYMBOL, _query("depth", 10, 50)],
)
get_balance = _operation(
    "get_balance",
    "Sold minus bought on the book, in cents",
    {
        200: _answer(
            "ClassicBalance",
            broker_id=serializers.UUIDField(),
            broker_name=serializers.CharField(),
            balance=serializers.IntegerField(),
        ),
        **_errors(401, 403),
    },
)
count_trades = _operation(
    "count_trades",
    "Number of trades (the venue's admin key)",
    {
        200: _answer("ClassicTradeCount", count=serializers.IntegerField()),
        **_errors(401, 403),
    },
)
reset = _operation(
    "reset",
    "Empty the venue, where the deployment allows it (the venue's admin key)",
    {200: _answer("ClassicReset", status=serializers.CharField()), **_errors(401, 403, 503)},
    request=None,
)
