"""The classic dialect's requests: parse, permit, call, answer."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from brokers.api.callers import caller_of
from brokers.api.permissions import VENUE_ADMIN
from brokers.models import Scope
from brokers.services import register_broker
from common.api.fields import FieldReader
from common.api.idempotency import done_once, read_request_key, replayed_headers
from common.api.ratelimits import Bucket
from common.errors import FieldError, NotFound, ValidationFailed
from exchange_project.classic import errors, operations
from exchange_project.classic.cents import to_cents
from exchange_project.classic.documents import (
    ClassicBalance,
    ClassicPlaced,
    ClassicRegistered,
    ClassicReset,
    ClassicTradeCount,
    book_document,
    order_document,
    price_document,
)
from exchange_project.classic.orders import find_offered, prepare_classic_order, read_order
from exchange_project.classic.requests import (
    ClassicDepthQuery,
    ClassicPriceQuery,
    ClassicRegisterRequest,
)
from exchange_project.demo.market import list_market_accounts
from orders.errors import OrderOfAnother
from orders.selectors.books import get_book
from orders.selectors.orders import get_order
from orders.selectors.trades import count_trades, get_broker_net, get_last_and_average
from orders.services.accounts import get_broker_id
from orders.services.cancel import cancel_order
from orders.services.place import place_prepared
from orders.services.venue import reset_venue
from orders.types import Result


class ClassicView(APIView):
    """A view whose refusals are `{"detail": …}`."""

    def get_exception_handler(self) -> Any:
        return errors.handle_exception


class RegisterView(ClassicView):
    """`POST /register`: a new broker and its key, by the venue's admin key."""

    required_scope = VENUE_ADMIN

    @operations.register
    @done_once
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data, ignore_unknown=True)
        wanted = reader.struct(ClassicRegisterRequest)
        reader.finish()
        registered = register_broker(
            name=wanted.name, webhook_url=wanted.webhook_url, is_self_registered=True
        )
        answer = ClassicRegistered(registered.broker.id, registered.secret)
        return Response(answer, status=201)


class OrdersView(ClassicView):
    """`POST /orders`."""

    required_scope = Scope.TRADE.value

    @operations.place_order
    def post(self, request: Request) -> Response:
        key = read_request_key(request)
        order = read_order(request.data)
        prepared = prepare_classic_order(principal=caller_of(request), order=order, request_key=key)
        placed = place_prepared(prepared)
        answer = ClassicPlaced(placed.order.id)
        return Response(answer, status=201, headers=replayed_headers(placed.is_replay))


class OrderView(ClassicView):
    """`GET /orders/{id}`."""

    required_scope = Scope.READ.value

    @operations.get_order
    def get(self, request: Request, order_id: str) -> Response:
        order = get_order(principal=caller_of(request), order_id=_read_order_id(order_id))
        return Response(order_document(order))


class CancelView(ClassicView):
    """`POST /orders/{id}/cancel`: 204 also where there is nothing to cancel."""

    required_scope = Scope.TRADE.value
    rate_bucket = Bucket.CANCELS
    allowed_while_suspended = True

    @operations.cancel_order
    def post(self, request: Request, order_id: str) -> HttpResponse:
        result = cancel_order(principal=caller_of(request), order_id=_read_order_id(order_id))
        if result == Result.FORBIDDEN:
            raise OrderOfAnother
        return Response(status=204)


class PriceView(ClassicView):
    """`GET /stocks/{symbol}/price`."""

    required_scope = Scope.READ.value

    @operations.get_price
    def get(self, request: Request, symbol: str) -> Response:
        reader = FieldReader.of_query(request.query_params, ignore_unknown=True)
        trades = reader.struct(ClassicPriceQuery).trades
        reader.finish()
        instrument = find_offered(symbol)
        summary = instrument and get_last_and_average(instrument.id, trades)
        if not summary:
            raise NotFound(f"There are no trades of {symbol[:20]}")
        return Response(price_document(symbol, summary))


class BookView(ClassicView):
    """`GET /stocks/{symbol}/book`: empty for a symbol that nobody trades."""

    required_scope = Scope.READ.value

    @operations.get_book
    def get(self, request: Request, symbol: str) -> Response:
        reader = FieldReader.of_query(request.query_params, ignore_unknown=True)
        depth = reader.struct(ClassicDepthQuery).depth
        reader.finish()
        instrument = find_offered(symbol)
        book = get_book(instrument, depth) if instrument else None
        return Response(book_document(symbol, depth, book))


class BalanceView(ClassicView):
    """`GET /balance`: what the broker sold minus what it bought on the book."""

    required_scope = Scope.READ.value

    @operations.get_balance
    def get(self, request: Request) -> Response:
        broker_id = get_broker_id(caller_of(request))
        net = to_cents(get_broker_net(broker_id))
        return Response(ClassicBalance(broker_id, caller_of(request).broker_name, net))


class TradeCountView(ClassicView):
    """`GET /debug/trade-count`: without the trades of the demo's simulated traders."""

    required_scope = VENUE_ADMIN

    @operations.count_trades
    def get(self, request: Request) -> Response:
        trades = count_trades(without_accounts=list_market_accounts())
        return Response(ClassicTradeCount(trades))


class ResetView(ClassicView):
    """`POST /debug/reset`: works only where the deployment allows it."""

    required_scope = VENUE_ADMIN

    @operations.reset
    def post(self, request: Request) -> Response:
        reset_venue()
        return Response(ClassicReset("ok"))


def _read_order_id(text: str) -> UUID:
    """The id in a path.

    Raises:
        ValidationFailed: it is no UUID.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise ValidationFailed(
            errors=[FieldError("order_id", "invalid_uuid", "order_id must be a UUID")]
        ) from error
