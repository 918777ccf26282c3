"""`/api/v1/` in the hot lane: read, place or cancel, show."""

from typing import TypeAlias
from uuid import UUID

from common.api.idempotency import replayed_headers
from common.errors import NotFound
from exchange_project.hot import orders, reads
from exchange_project.hot.requests import HotRequest
from exchange_project.hot.responses import HotResponse, json_response
from exchange_project.hot.threads import run_cached
from marketdata.models import Instrument
from marketdata.selectors import get_instrument_spec
from orders.api.documents import book_document, cancel_document, order_document, ticker_document
from orders.api.placing import prepare_requested_order
from orders.api.portfolio_documents import net_document
from orders.api.queries import DepthQuery
from orders.api.reading import read_order_request
from orders.errors import OrderOfAnother
from orders.services.accounts import get_broker_id
from orders.services.sandbox import parse_trigger
from orders.types import Result

Answer: TypeAlias = HotResponse | None


async def place_order(request: HotRequest, _: str) -> Answer:
    """`POST orders`. What a sandbox account may force is for the Django view."""
    caller = request.caller
    key = await request.request_key()
    wanted = read_order_request(await request.json(), caller)
    if parse_trigger(wanted.client_order_id) is not None:
        return None
    placed = await orders.place(
        lambda: prepare_requested_order(principal=caller, request=wanted, request_key=key)
    )
    status = 201 if placed.was_created else 200
    return json_response(order_document(placed.order), status, replayed_headers(placed.is_replay))


async def cancel_order(request: HotRequest, order_id: str) -> Answer:
    """`DELETE orders/{id}` and `POST orders/{id}/cancel`."""
    caller, wanted = request.caller, UUID(order_id)
    result = await orders.cancel(caller, wanted)
    if result == Result.FORBIDDEN:
        raise OrderOfAnother
    if result == Result.UNKNOWN_ORDER:
        raise NotFound("There is no such order")
    order = await reads.get_order(caller, wanted)
    return json_response(cancel_document(result, order))


async def get_order(request: HotRequest, order_id: str) -> Answer:
    """`GET orders/{id}`."""
    request.check_no_query()
    return json_response(order_document(await reads.get_order(request.caller, UUID(order_id))))


async def get_book(request: HotRequest, symbol: str) -> Answer:
    """`GET instruments/{symbol}/book`."""
    depth = request.query(DepthQuery).depth
    instrument = await run_cached(lambda: get_instrument_spec(symbol))
    book = await reads.get_book(instrument, depth)
    return json_response(book_document(instrument.symbol, depth, book))


async def get_ticker(request: HotRequest, symbol: str) -> Answer:
    """`GET instruments/{symbol}/ticker`. That of a perpetual, with its mark, is Django's."""
    request.check_no_query()
    instrument = await run_cached(lambda: get_instrument_spec(symbol))
    if instrument.kind == Instrument.Kind.PERPETUAL:
        return None
    summary = await reads.get_prices(instrument.id, 1)
    book = await reads.get_book(instrument, 1)
    last_price = None if summary is None else summary.last_price
    return json_response(ticker_document(instrument.symbol, book, last_price, None))


async def get_balance(request: HotRequest, _: str) -> Answer:
    """`GET balance` of a broker's key: its net. The cash of a bound account is Django's."""
    request.check_no_query()
    caller = request.caller
    if caller.account_id is not None:
        return None
    broker_id = get_broker_id(caller)
    net = await reads.get_broker_net(broker_id)
    return json_response(net_document(broker_id, caller.broker_name, net))
