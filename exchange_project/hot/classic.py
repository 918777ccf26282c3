"""The classic dialect in the hot lane."""

from uuid import UUID

from common.api.idempotency import replayed_headers
from common.errors import NotFound
from exchange_project.classic.cents import to_cents
from exchange_project.classic.documents import (
    ClassicBalance,
    ClassicPlaced,
    book_document,
    order_document,
    price_document,
)
from exchange_project.classic.orders import find_offered, prepare_classic_order, read_order
from exchange_project.classic.requests import ClassicDepthQuery, ClassicPriceQuery
from exchange_project.hot import orders, reads
from exchange_project.hot.requests import HotRequest
from exchange_project.hot.responses import HotResponse, json_response
from exchange_project.hot.threads import run_cached
from orders.errors import OrderOfAnother
from orders.services.accounts import get_broker_id
from orders.types import Result

_CANCELED = HotResponse(204, None)


async def place_order(request: HotRequest, _: str) -> HotResponse:
    """`POST /orders`."""
    caller = request.caller
    key = await request.request_key()
    wanted = read_order(await request.json())
    placed = await orders.place(
        lambda: prepare_classic_order(principal=caller, order=wanted, request_key=key)
    )
    return json_response(ClassicPlaced(placed.order.id), 201, replayed_headers(placed.is_replay))


async def cancel_order(request: HotRequest, order_id: str) -> HotResponse:
    """`POST /orders/{id}/cancel`: 204 also where there is nothing to cancel."""
    result = await orders.cancel(request.caller, UUID(order_id))
    if result == Result.FORBIDDEN:
        raise OrderOfAnother
    return _CANCELED


async def get_order(request: HotRequest, order_id: str) -> HotResponse:
    """`GET /orders/{id}`."""
    return json_response(order_document(await reads.get_order(request.caller, UUID(order_id))))


async def get_price(request: HotRequest, symbol: str) -> HotResponse:
    """`GET /stocks/{symbol}/price`."""
    trades = request.query(ClassicPriceQuery, ignore_unknown=True).trades
    instrument = await run_cached(lambda: find_offered(symbol))
    summary = await reads.get_prices(instrument.id, trades) if instrument else None
    if summary is None:
        raise NotFound(f"There are no trades of {symbol[:20]}")
    return json_response(price_document(symbol, summary))


async def get_book(request: HotRequest, symbol: str) -> HotResponse:
    """`GET /stocks/{symbol}/book`: empty for a symbol that nobody trades."""
    depth = request.query(ClassicDepthQuery, ignore_unknown=True).depth
    instrument = await run_cached(lambda: find_offered(symbol))
    book = await reads.get_book(instrument, depth) if instrument else None
    return json_response(book_document(symbol, depth, book))


async def get_balance(request: HotRequest, _: str) -> HotResponse:
    """`GET /balance`."""
    broker_id = get_broker_id(request.caller)
    net = to_cents(await reads.get_broker_net(broker_id))
    return json_response(ClassicBalance(broker_id, request.caller.broker_name, net))
