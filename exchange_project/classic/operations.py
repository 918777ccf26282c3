"""The classic dialect in the OpenAPI document."""

from collections.abc import Callable, Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from common.api.openapi import operation
from common.api.schema import IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_ONCE, unkeyed
from exchange_project.classic import documents, requests

_TEXTS = {
    400: "Malformed JSON",
    401: "No key, or a wrong one",
    403: "Another broker's order, or a key without the scope",
    404: "There is no such thing",
    409: "The Idempotency-Key is in use, or its answer was not kept",
    411: "The body has no Content-Length",
    413: "More than 1 MiB",
    415: "The body is not JSON",
    422: "Some fields are not valid, or the order was refused",
    429: "Too many requests; see Retry-After",
    503: "Busy, or without an engine; nothing was written; see Retry-After",
    504: "Outcome not known yet; `order_id` says what to ask for",
}
_ANY_OPERATION = (400, 401, 403, 422, 429, 503)
_SYMBOL = OpenApiParameter("symbol", OpenApiTypes.STR, OpenApiParameter.PATH)
_ORDER_ID = OpenApiParameter("order_id", OpenApiTypes.UUID, OpenApiParameter.PATH)


def _operation(
    operation_id: str, summary: str, answers: Mapping[int, Any], *refusals: int, **rest: Any
) -> Callable[[Any], Any]:
    statuses = {*refusals, *_ANY_OPERATION}
    errors = {
        status: OpenApiResponse(documents.ClassicError, _TEXTS[status])
        for status in sorted(statuses)
    }
    return operation(
        operation_id=f"classic_{operation_id}",
        tags=["classic"],
        summary=summary,
        responses={**answers, **errors},
        **rest,
    )


health = operation(
    operation_id="classic_health",
    tags=["classic"],
    summary="State of what the venue needs, and latency figures",
    responses={200: OpenApiTypes.OBJECT, 503: OpenApiTypes.OBJECT},
    auth=[],
)
ready = operation(
    operation_id="classic_ready",
    tags=["classic"],
    summary="Whether orders can be taken; within two seconds",
    responses={200: OpenApiTypes.OBJECT, 503: OpenApiTypes.OBJECT},
    auth=[],
)
live = operation(
    operation_id="classic_live",
    tags=["classic"],
    summary="That the process which was asked answers, whatever else is away",
    responses={200: OpenApiTypes.OBJECT},
    auth=[],
)
register = _operation(
    "register",
    "Register a broker (the venue's admin key)",
    {201: documents.ClassicRegistered},
    409,
    parameters=[IDEMPOTENCY_KEY_ONCE],
    request=requests.ClassicRegisterRequest,
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
    {201: documents.ClassicPlaced},
    409,
    504,
    parameters=[IDEMPOTENCY_KEY],
    request=requests.ClassicOrderRequest,
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
    {200: documents.ClassicOrderAnswer},
    404,
    parameters=[_ORDER_ID],
)
cancel_order = _operation(
    "cancel_order",
    "Cancel an open limit order; a no-op for any other",
    {204: OpenApiResponse(description="Canceled, or nothing to cancel")},
    504,
    description=unkeyed("canceling again is a no-op with the same answer."),
    parameters=[_ORDER_ID],
    request=None,
)
get_price = _operation(
    "get_price",
    "Last price and moving average",
    {200: documents.ClassicPrice},
    404,
    query=(requests.ClassicPriceQuery,),
    parameters=[_SYMBOL],
)
get_book = _operation(
    "get_book",
    "Open orders by price level",
    {200: documents.ClassicBook},
    query=(requests.ClassicDepthQuery,),
    parameters=[_SYMBOL],
)
get_balance = _operation(
    "get_balance", "Sold minus bought on the book, in cents", {200: documents.ClassicBalance}
)
count_trades = _operation(
    "count_trades",
    "Number of trades (the venue's admin key)",
    {200: documents.ClassicTradeCount},
)
reset = _operation(
    "reset",
    "Empty the venue, where the deployment allows it (the venue's admin key)",
    {200: documents.ClassicReset},
    504,
    description=unkeyed("it empties the venue, the keys that are kept included."),
    request=None,
)
