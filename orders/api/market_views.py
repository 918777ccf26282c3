"""Books, trades and prices of instruments, and a key's balance, under `/api/v1/`."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.models import Scope
from common.api.fields import FieldReader
from common.api.pagination import list_page
from common.api.views import ApiView
from marketdata.models import Instrument
from marketdata.selectors import find_mark, get_instrument_spec
from orders.api import operations
from orders.api.documents import book_document, ticker_document, trade_document
from orders.api.portfolio_documents import cash_document, net_document
from orders.api.queries import DepthQuery
from orders.selectors.books import get_book
from orders.selectors.trades import get_broker_net, get_last_and_average, list_trades
from orders.services.accounts import get_broker_id


class BookView(ApiView):
    """`instruments/{symbol}/book`."""

    required_scope = Scope.READ.value

    @operations.get_book
    def get(self, request: Request, symbol: str) -> Response:
        reader = FieldReader.of_query(request.query_params)
        depth = reader.struct(DepthQuery).depth
        reader.finish()
        instrument = get_instrument_spec(symbol)
        return Response(book_document(instrument.symbol, depth, get_book(instrument, depth)))


class TradesView(ApiView):
    """`instruments/{symbol}/trades`, newest first."""

    required_scope = Scope.READ.value

    @operations.list_trades
    def get(self, request: Request, symbol: str) -> Response:
        trades = list_trades(get_instrument_spec(symbol).id)
        return Response(list_page(request, trades, trade_document, id_type=UUID))


class TickerView(ApiView):
    """`instruments/{symbol}/ticker`."""

    required_scope = Scope.READ.value

    @operations.get_ticker
    def get(self, request: Request, symbol: str) -> Response:
        instrument = get_instrument_spec(symbol)
        summary = get_last_and_average(instrument.id, 1)
        last_price = None if summary is None else summary.last_price
        is_perpetual = instrument.kind == Instrument.Kind.PERPETUAL
        mark = find_mark(instrument.id) if is_perpetual else None
        book = get_book(instrument, 1)
        return Response(ticker_document(instrument.symbol, book, last_price, mark))


class BalanceView(ApiView):
    """`balance`: the cash of the account that a key is bound to; else the broker's net."""

    required_scope = Scope.READ.value

    @operations.get_balance
    def get(self, request: Request) -> Response:
        account_id = caller_of(request).account_id
        if account_id is not None:
            return Response(cash_document(account_id))
        broker_id = get_broker_id(caller_of(request))
        net = get_broker_net(broker_id)
        return Response(net_document(broker_id, caller_of(request).broker_name, net))
