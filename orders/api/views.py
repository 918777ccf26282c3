"""Orders and fills under `/api/v1/`: parse, permit, call, answer."""

from uuid import UUID

from django.http import HttpResponseBase, StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.api.permissions import check_named_account
from brokers.models import Scope
from common.api.csv_answers import csv_answer, document_csv, page_or_csv, read_is_csv
from common.api.fields import FieldReader
from common.api.idempotency import idempotent, read_request_key, replayed_headers
from common.api.pagination import read_page_request
from common.api.ratelimits import Bucket
from common.api.views import ApiView
from common.errors import NotFound
from marketdata.errors import UnknownSymbol
from marketdata.selectors import find_instrument_spec
from orders.api import operations
from orders.api.documents import (
    CanceledOrder,
    FillDocument,
    OrderRow,
    OrderTested,
    cancel_all_document,
    cancel_document,
    fill_document,
    order_document,
    order_row,
)
from orders.api.placing import deal_instead, is_dealt_instead, prepare_requested_order
from orders.api.reading import read_one_account_id, read_order_request
from orders.api.requests import CancelAllRequest, PlaceOrderRequest
from orders.api.sandbox import answer_as_forced
from orders.errors import OrderOfAnother
from orders.selectors.orders import (
    OrderFilter,
    as_state,
    find_order_by_client_id,
    get_order,
    list_orders,
)
from orders.selectors.trades import FillFilter, fetch_fills, iterate_fills
from orders.services.cancel import cancel_all_orders, cancel_order
from orders.services.dealer import Quote, quote_market
from orders.services.place import place_prepared
from orders.services.terms import check_still_valid, check_terms
from orders.types import PlacedOrder, Result

_READ_OR_TRADE = {"GET": Scope.READ.value, "POST": Scope.TRADE.value, "DELETE": Scope.TRADE.value}


class OrdersView(ApiView):
    """`orders`: place one, list them."""

    required_scope = _READ_OR_TRADE

    @operations.place_order
    def post(self, request: Request) -> HttpResponseBase:
        caller = caller_of(request)
        # A key is a digest of the raw body, which can only be read before it is parsed.
        key = read_request_key(request)
        wanted = read_order_request(request.data, caller)

        def place() -> HttpResponseBase:
            if is_dealt_instead(principal=caller, request=wanted):
                # The transaction of an Idempotency-Key does not wait for price services.
                return self._deal(request, wanted, quote_market(symbol=wanted.symbol))
            prepared = prepare_requested_order(principal=caller, request=wanted, request_key=key)
            return _placed_response(place_prepared(prepared))

        return answer_as_forced(
            request,
            account_id=wanted.account_id,
            document_number=wanted.document_number,
            client_order_id=wanted.client_order_id,
            answer=place,
        )

    @idempotent
    def _deal(self, request: Request, wanted: PlaceOrderRequest, quote: Quote) -> HttpResponseBase:
        return _placed_response(
            deal_instead(principal=caller_of(request), request=wanted, quote=quote)
        )

    @operations.list_orders
    def get(self, request: Request) -> Response | StreamingHttpResponse:
        reader = FieldReader.of_query(request.query_params)
        filters = reader.struct(OrderFilter)
        is_csv = read_is_csv(reader)
        wanted = read_page_request(reader, UUID)
        reader.finish()
        check_named_account(caller_of(request), filters.account_id)
        return page_or_csv(
            request,
            list_orders(principal=caller_of(request), filters=filters),
            wanted,
            is_csv=is_csv,
            show=lambda row: order_row(as_state(row)),
            columns=OrderRow.__struct_fields__,
            name="orders",
        )


class TestOrderView(ApiView):
    """`orders/test`: says what is wrong with an order's shape, and sends nothing."""

    required_scope = Scope.TRADE.value

    @operations.test_order
    def post(self, request: Request) -> Response:
        wanted = read_order_request(request.data, caller_of(request))
        instrument = find_instrument_spec(wanted.symbol)
        if instrument is None:
            raise UnknownSymbol(symbol=wanted.symbol)
        check_terms(
            instrument=instrument,
            order_type=wanted.order_type,
            time_in_force=wanted.time_in_force,
            limit_price=wanted.limit_price,
            quantity=wanted.quantity,
            valid_until=wanted.valid_until,
            client_order_id=wanted.client_order_id,
        )
        check_still_valid(wanted.valid_until)
        return Response(OrderTested(is_valid=True))


class OrderView(ApiView):
    """`orders/{id}`: show it, cancel it."""

    required_scope = _READ_OR_TRADE
    rate_bucket = {"DELETE": Bucket.CANCELS}
    allowed_while_suspended = True

    @operations.get_order
    def get(self, request: Request, order_id: UUID) -> Response:
        return Response(order_document(get_order(principal=caller_of(request), order_id=order_id)))

    @operations.delete_order
    def delete(self, request: Request, order_id: UUID) -> Response:
        return Response(_cancel(request, order_id))


class CancelView(ApiView):
    """`orders/{id}/cancel`."""

    required_scope = Scope.TRADE.value
    rate_bucket = Bucket.CANCELS
    allowed_while_suspended = True

    @operations.cancel_order
    def post(self, request: Request, order_id: UUID) -> Response:
        return Response(_cancel(request, order_id))


class CancelAllView(ApiView):
    """`orders/cancel-all`: every open order, or those of a symbol or an account."""

    required_scope = Scope.TRADE.value
    rate_bucket = Bucket.CANCELS
    allowed_while_suspended = True

    @operations.cancel_all
    @idempotent
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        wanted = reader.struct(CancelAllRequest)
        reader.finish()
        check_named_account(caller_of(request), wanted.account_id)
        results = cancel_all_orders(
            principal=caller_of(request), symbol=wanted.symbol, account_id=wanted.account_id
        )
        return Response(cancel_all_document(results))


class OrderByClientIdView(ApiView):
    """`orders/by-client-id/{client_order_id}`: how to ask after an answer was lost."""

    required_scope = Scope.READ.value

    @operations.get_order_by_client_id
    def get(self, request: Request, client_order_id: str) -> Response:
        reader = FieldReader.of_query(request.query_params)
        account_id = read_one_account_id(reader, caller_of(request), "Whose order it is.")
        order = find_order_by_client_id(
            principal=caller_of(request), account_id=account_id, client_order_id=client_order_id
        )
        if order is None:
            raise NotFound("There is no order of this client_order_id")
        return Response(order_document(order))


class FillsView(ApiView):
    """`fills` of the caller's orders, newest first."""

    required_scope = Scope.READ.value

    @operations.list_fills
    def get(self, request: Request) -> Response | StreamingHttpResponse:
        reader = FieldReader.of_query(request.query_params)
        filters = reader.struct(FillFilter)
        is_csv = read_is_csv(reader)
        wanted = read_page_request(reader, UUID)
        reader.finish()
        check_named_account(caller_of(request), filters.account_id)
        if is_csv:
            fills = iterate_fills(principal=caller_of(request), filters=filters)
            lines = document_csv(FillDocument.__struct_fields__, map(fill_document, fills))
            return csv_answer(lines, "fills")
        page = fetch_fills(principal=caller_of(request), wanted=wanted, filters=filters)
        return Response(page.document(request, fill_document))


def _placed_response(placed: PlacedOrder) -> Response:
    return Response(
        order_document(placed.order),
        status=201 if placed.was_created else 200,
        headers=replayed_headers(placed.is_replay),
    )


def _cancel(request: Request, order_id: UUID) -> CanceledOrder:
    result = cancel_order(principal=caller_of(request), order_id=order_id)
    if result == Result.FORBIDDEN:
        raise OrderOfAnother
    if result == Result.UNKNOWN_ORDER:
        raise NotFound("There is no such order")
    return cancel_document(result, get_order(principal=caller_of(request), order_id=order_id))
