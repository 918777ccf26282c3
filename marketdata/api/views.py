"""Instruments and the venue's clock under `/api/v1/`."""

from datetime import UTC, datetime

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.api.fields import FieldReader
from common.api.pagination import fetch_page, read_page_request
from marketdata.api import schema
from marketdata.api.documents import instrument_document, instrument_row, price_document
from marketdata.calculations import SYMBOL_LENGTH_MAX
from marketdata.models import Instrument
from marketdata.pricing import get_last_price
from marketdata.selectors import get_instrument_spec, list_instruments


class InstrumentsView(APIView):
    """`instruments`: newest first, by kind, state and quote asset."""

    required_scope = "read"

    @schema.list_instruments
    def get(self, request: Request) -> Response:
        reader = FieldReader.of_query(request.query_params)
        kind = reader.optional_choice("kind", Instrument.Kind.values, any_case=True)
        state = reader.optional_choice("state", Instrument.State.values, any_case=True)
        quote = reader.optional_text("quote", max_length=SYMBOL_LENGTH_MAX)
        wanted = read_page_request(reader, int)
        reader.finish()
        instruments = list_instruments(kind=kind, state=state, quote=quote and quote.upper())
        return Response(fetch_page(instruments, wanted).document(request, instrument_row))


class InstrumentView(APIView):
    """`instruments/{symbol}`."""

    required_scope = "read"

    @schema.get_instrument
    def get(self, request: Request, symbol: str) -> Response:
        return Response(instrument_document(get_instrument_spec(symbol.upper())))


class PriceView(APIView):
    """`price/{ticker}`: the market price, also one that is too old to deal on, marked `stale`."""

    required_scope = "read"

    @schema.get_price
    def get(self, request: Request, ticker: str) -> Response:
        return Response(price_document(get_last_price(symbol=ticker.upper())))


class TimeView(APIView):
    """`time`: for everybody, so that a client can set its clock before it has a key."""

    authentication_classes = ()
    permission_classes = ()

    @schema.get_time
    def get(self, request: Request) -> Response:
        now = datetime.now(UTC)
        return Response({"time": now, "epoch_milliseconds": int(now.timestamp() * 1000)})
