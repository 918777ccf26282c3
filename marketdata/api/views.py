"""Instruments and the venue's clock under `/api/v1/`."""

from datetime import UTC, datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.api.fields import FieldReader
from common.api.pagination import fetch_page, read_page_request
from marketdata.api import schema
from marketdata.api.documents import (
    candles_document,
    instrument_document,
    instrument_row,
    price_document,
)
from marketdata.models import Instrument
from marketdata.pricing import get_last_price
from marketdata.selectors import (
    get_instrument_spec,
    list_bars,
    list_bars_without_gaps,
    list_instruments,
)
from marketdata.types import CandleInterval

_CANDLES_DEFAULT, _CANDLES_MAX = 100, 1_000


class InstrumentsView(APIView):
    """`instruments`: newest first, by kind, state and quote asset."""

    required_scope = "read"

    @schema.list_instruments
    def get(self, request: Request) -> Response:
        reader = FieldReader.of_query(request.query_params)
        kind = reader.optional_choice("kind", Instrument.Kind.values, any_case=True)
        state = reader.optional_choice("state", Instrument.State.values, any_case=True)
        quote = reader.optional_symbol("quote")
        wanted = read_page_request(reader, int)
        reader.finish()
        instruments = list_instruments(kind=kind, state=state, quote=quote)
        return Response(fetch_page(instruments, wanted).document(request, instrument_row))


class InstrumentView(APIView):
    """`instruments/{symbol}`."""

    required_scope = "read"

    @schema.get_instrument
    def get(self, request: Request, symbol: str) -> Response:
        return Response(instrument_document(get_instrument_spec(symbol)))


class CandlesView(APIView):
    """`instruments/{symbol}/candles`, oldest first."""

    required_scope = "read"

    @schema.list_candles
    def get(self, request: Request, symbol: str) -> Response:
        reader = FieldReader.of_query(request.query_params)
        chosen = reader.optional_choice("interval", list(CandleInterval)) or CandleInterval.MINUTE
        since, until = reader.optional_instant("since"), reader.optional_instant("until")
        limit = reader.optional_integer("limit", minimum=1, maximum=_CANDLES_MAX)
        has_gaps_filled = reader.optional_boolean("fill") or False
        reader.finish()
        instrument, interval = get_instrument_spec(symbol), CandleInterval(chosen)
        wanted: dict[str, Any] = {"since": since, "limit": limit or _CANDLES_DEFAULT}
        if has_gaps_filled:
            wanted["until"] = until or datetime.now(UTC)
            bars = list_bars_without_gaps(instrument.id, interval, **wanted)
        else:
            bars = list_bars(instrument.id, interval, until=until, **wanted)
        return Response(candles_document(instrument.symbol, interval, bars))


class PriceView(APIView):
    """`price/{ticker}`: the market price, also one that is too old to deal on, marked `stale`."""

    required_scope = "read"

    @schema.get_price
    def get(self, request: Request, ticker: str) -> Response:
        return Response(price_document(get_last_price(symbol=ticker)))


class TimeView(APIView):
    """`time`: for everybody, so that a client can set its clock before it has a key."""

    authentication_classes = ()
    permission_classes = ()

    @schema.get_time
    def get(self, request: Request) -> Response:
        now = datetime.now(UTC)
        return Response({"time": now, "epoch_milliseconds": int(now.timestamp() * 1000)})
