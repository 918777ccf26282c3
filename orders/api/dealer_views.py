"""Dealing at market prices, booked executions and portfolios under `/api/v1/`."""

from uuid import UUID

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.api.permissions import check_named_account
from brokers.models import Scope
from brokers.types import Principal
from common.api.fields import FieldReader
from common.api.idempotency import idempotent, read_request_key, replayed_headers
from common.api.pagination import fetch_page, read_page_request
from common.api.views import ApiView
from common.request_keys import RequestKey
from marketdata.models import Instrument
from marketdata.selectors import find_instrument_spec
from marketdata.types import InstrumentSpec
from orders.api import dealer_operations as operations
from orders.api.documents import (
    fill_document,
    order_document,
    order_row,
)
from orders.api.portfolio_documents import (
    HoldingsDocument,
    cash_document,
    deal_document,
    portfolio_document,
    position_document,
)
from orders.api.reading import read_booking_request, read_deal_request, read_one_account_id
from orders.api.requests import DealRequest, ExecutionRequest
from orders.api.sandbox import answer_as_forced
from orders.selectors.holdings import list_holdings
from orders.selectors.orders import OrderFilter, as_state, list_orders
from orders.selectors.portfolio import get_portfolio
from orders.selectors.trades import FillFilter, fetch_fills
from orders.services.booked import book_order, execute_order
from orders.services.dealer import Quote, deal, quote_market
from orders.services.perpetuals import deal_perpetual

_READ_OR_BOOK = {"GET": Scope.READ.value, "POST": Scope.BOOK.value}


class TradeView(ApiView):
    """`trade`: buy or sell at the market price, at once."""

    required_scope = Scope.TRADE.value

    @operations.trade
    def post(self, request: Request) -> HttpResponseBase:
        caller = caller_of(request)
        # A key is a digest of the raw body, which can be read before it is parsed alone.
        key = read_request_key(request)
        wanted = read_deal_request(request.data, caller)
        instrument = find_instrument_spec(wanted.symbol)
        if instrument is not None and instrument.kind == Instrument.Kind.PERPETUAL:
            return _deal_perpetual(caller, instrument, wanted, key)
        # The transaction of an Idempotency-Key does not wait for price services.
        quote = quote_market(symbol=wanted.symbol)
        return answer_as_forced(
            request,
            account_id=wanted.account_id,
            client_order_id=wanted.client_order_id,
            answer=lambda: self._deal(request, wanted, quote),
        )

    @idempotent
    def _deal(self, request: Request, wanted: DealRequest, quote: Quote) -> HttpResponseBase:
        dealt = deal(
            principal=caller_of(request),
            account_id=wanted.account_id,
            quote=quote,
            side=wanted.side,
            quantity=wanted.quantity,
            limit_price=wanted.price,
            client_order_id=wanted.client_order_id,
        )
        return Response(deal_document(dealt), status=201 if dealt.was_created else 200)


def _deal_perpetual(
    caller: Principal, instrument: InstrumentSpec, wanted: DealRequest, key: RequestKey | None
) -> Response:
    """The engine decides, outside any transaction, and keeps the key with the order."""
    dealt = deal_perpetual(
        principal=caller,
        account_id=wanted.account_id,
        instrument=instrument,
        side=wanted.side,
        quantity=wanted.quantity,
        limit_price=wanted.price,
        client_order_id=wanted.client_order_id,
        request_key=key,
    )
    return Response(
        deal_document(dealt),
        status=201 if dealt.was_created else 200,
        headers=replayed_headers(dealt.is_replay),
    )


class PortfolioView(ApiView):
    """`portfolio` of the bound account, or of `account_id`."""

    required_scope = Scope.READ.value

    @operations.get_portfolio
    def get(self, request: Request) -> Response:
        reader = FieldReader.of_query(request.query_params)
        account_id = read_one_account_id(reader, caller_of(request), "Whose portfolio it is.")
        check_named_account(caller_of(request), account_id)
        return Response(portfolio_document(account_id, get_portfolio(account_id)))


class TradeHistoryView(ApiView):
    """`trades/{account_id}`: the account's half of its trades, newest first."""

    required_scope = Scope.READ.value

    @operations.list_account_trades
    def get(self, request: Request, account_id: int) -> Response:
        check_named_account(caller_of(request), account_id)
        reader = FieldReader.of_query(request.query_params)
        filters = reader.struct(FillFilter, account_id=account_id)
        wanted = read_page_request(reader, UUID)
        reader.finish()
        page = fetch_fills(principal=caller_of(request), wanted=wanted, filters=filters)
        return Response(page.document(request, fill_document))


class AccountOrdersView(ApiView):
    """`accounts/{id}/orders`: list them; report an execution elsewhere."""

    required_scope = _READ_OR_BOOK

    @operations.list_account_orders
    def get(self, request: Request, account_id: int) -> Response:
        check_named_account(caller_of(request), account_id)
        reader = FieldReader.of_query(request.query_params)
        filters = reader.struct(OrderFilter, account_id=account_id)
        wanted = read_page_request(reader, UUID)
        reader.finish()
        page = fetch_page(list_orders(principal=caller_of(request), filters=filters), wanted)
        return Response(page.document(request, lambda row: order_row(as_state(row))))

    @operations.book_order
    @idempotent
    def post(self, request: Request, account_id: int) -> Response:
        wanted = read_booking_request(request.data)
        placed = book_order(
            principal=caller_of(request),
            account_id=account_id,
            symbol=wanted.symbol,
            side=wanted.side,
            quantity=wanted.quantity,
            price=wanted.price,
            client_order_id=wanted.client_order_id,
        )
        return Response(order_document(placed.order), status=201 if placed.was_created else 200)


class ExecuteView(ApiView):
    """`orders/{id}/execute`: settle a booked order, whole or in part."""

    required_scope = Scope.BOOK.value

    @operations.execute_order
    @idempotent
    def post(self, request: Request, order_id: UUID) -> HttpResponseBase:
        reader = FieldReader.of_body(request.data)
        quantity = reader.struct(ExecutionRequest).quantity
        reader.finish()
        order = execute_order(principal=caller_of(request), order_id=order_id, quantity=quantity)
        return Response(order_document(order))


class AccountBalanceView(ApiView):
    """`accounts/{id}/balance`: the account's cash."""

    required_scope = Scope.READ.value

    @operations.get_account_balance
    def get(self, request: Request, account_id: int) -> Response:
        check_named_account(caller_of(request), account_id)
        return Response(cash_document(account_id))


class PositionsView(ApiView):
    """`accounts/{id}/positions`: what the account holds, without market prices."""

    required_scope = Scope.READ.value

    @operations.list_positions
    def get(self, request: Request, account_id: int) -> Response:
        check_named_account(caller_of(request), account_id)
        holdings, _ = list_holdings(account_id)
        positions = [position_document(holding) for holding in holdings]
        return Response(HoldingsDocument(account_id, positions))
