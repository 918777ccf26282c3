"""The classic dialect in the hot lane."""

from uuid import UUID

from exchange_project.classic.orders import prepare_classic_order, read_order
from exchange_project.hot import orders
from exchange_project.hot.requests import HotRequest
from exchange_project.hot.responses import HotResponse, json_response
from orders.errors import OrderOfAnother
from orders.types import Result

_CANCELED = HotResponse(204, None)


async def place_order(request: HotRequest, _: str) -> HotResponse:
    """`POST /orders`."""
    caller = request.caller
    wanted = read_order(await request.json())
    placed = await orders.place(lambda: prepare_classic_order(principal=caller, order=wanted))
    return json_response({"order_id": placed.order.id}, 201)


async def cancel_order(request: HotRequest, order_id: str) -> HotResponse:
    """`POST /orders/{id}/cancel`: 204 also where there is nothing to cancel."""
    result = await orders.cancel(request.caller, UUID(order_id))
    if result == Result.FORBIDDEN:
        raise OrderOfAnother
    return _CANCELED
