"""Instruments and the venue's clock under `/api/v1/`."""

from datetime import UTC, datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from common.api.fields import FieldReader
from common.api.pagination import fetch_page, read_page_request
from common.api.views import ApiView
from marketdata.api import schema
from marketdata.api.documents import (
    candles_document,
    instrument_document,
    instrument_row,
    price_document,
)
from marketdata.api.queries import CandlesQuery, InstrumentsQuery
from marketdata.pricing import get_last_price
from marketdata.selectors import (
    get_instrument_spec,
    list_bars,
    list_bars_without_gaps,
    list_instruments,
)
from marketdata.types import CandleInterval


class InstrumentsView(ApiView):
    """`instruments`: newest first, by kind, state and quote asset."""

    required_scope = "read"

    @schema.list_instruments
    def get(self, request: Request) -> Response:
        reader = FieldReader.of_query(request.query_params)
        filters = reader.struct(InstrumentsQuery)
        wanted = read_page_request(reader, int)
        reader.finish()
        instruments = list_instruments(kind=filters.kind, state=filters.state, quote=filters.quote)
        return Response(fetch_page(instruments, wanted).document(request, instrument_row))


class InstrumentView(ApiView):
    """`instruments/{symbol}`."""

    required_scope = "read"

    @schema.get_instrument
    def get(self, request: Request, symbol: str) -> Response:
        return Response(instrument_document(get_instrument_spec(symbol)))


class CandlesView(ApiView):
    """`instruments/{symbol}/candles`, oldest first."""

    required_scope = "read"

    @schema.list_candles
    def get(self, request: Request, symbol: str) -> Response:
        reader = FieldReader.of_query(request.query_params)
        query = reader.struct(CandlesQuery)
        reader.finish()
        instrument, interval = get_instrument_spec(symbol), CandleInterval(query.interval)
        wanted: dict[str, Any] = {"since": query.since, "limit": query.limit}
        if query.fill:
            wanted["until"] = query.until or datetime.now(UTC)
            bars = list_bars_without_gaps(instrument.id, interval, **wanted)
        else:
            bars = list_bars(instrument.id, interval, until=query.until, **wanted)
        return Response(candles_document(instrument.symbol, interval, bars))


class PriceView(ApiView):
    """`price/{ticker}`: the market price, also one that is too old to deal on, marked `stale`."""

    required_scope = "read"

    @schema.get_price
    def get(self, request: Request, ticker: str) -> Response:
        return Response(price_document(get_last_price(symbol=ticker)))


class TimeView(ApiView):
    """`time`: for everybody, so that a client can set its clock before it has a key."""

    authentication_classes = ()
    permission_classes = ()

    @schema.get_time
    def get(self, request: Request) -> Response:
        now = datetime.now(UTC)
        return Response({"time": now, "epoch_milliseconds": int(now.timestamp() * 1000)})
