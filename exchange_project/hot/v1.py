"""`/api/v1/` in the hot lane: read, place or cancel, show."""

from typing import TypeAlias
from uuid import UUID

from common.errors import NotFound
from exchange_project.hot import orders
from exchange_project.hot.requests import HotRequest
from exchange_project.hot.responses import HotResponse, json_response
from exchange_project.hot.threads import run_in_thread
from orders.api.documents import cancel_document, order_document
from orders.api.placing import prepare_requested_order
from orders.api.reading import read_order_request
from orders.errors import OrderOfAnother
from orders.selectors.orders import get_order
from orders.services.sandbox import parse_trigger
from orders.types import Result

Answer: TypeAlias = HotResponse | None


async def place_order(request: HotRequest, _: str) -> Answer:
    """`POST orders`. What a sandbox account may force is for the Django view."""
    caller = request.caller
    wanted = read_order_request(await request.json(), caller)
    if parse_trigger(wanted.client_order_id) is not None:
        return None
    placed = await orders.place(lambda: prepare_requested_order(principal=caller, request=wanted))
    return json_response(order_document(placed.order), 201 if placed.was_created else 200)


async def cancel_order(request: HotRequest, order_id: str) -> Answer:
    """`DELETE orders/{id}` and `POST orders/{id}/cancel`."""
    caller, wanted = request.caller, UUID(order_id)
    result = await orders.cancel(caller, wanted)
    if result == Result.FORBIDDEN:
        raise OrderOfAnother
    if result == Result.UNKNOWN_ORDER:
        raise NotFound("There is no such order")
    order = await run_in_thread(lambda: get_order(principal=caller, order_id=wanted))
    return json_response(cancel_document(result, order))
