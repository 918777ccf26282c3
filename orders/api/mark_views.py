"""Mark prices of perpetuals under `/api/v1/`: post one, look at the one that holds."""

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from brokers.api.callers import caller_of
from brokers.models import Scope
from common.api.fields import FieldReader
from common.errors import NotFound
from marketdata.selectors import find_mark, get_instrument_spec
from marketdata.types import InstrumentSpec, Mark
from orders.api import mark_schema as schema
from orders.services.marks import set_mark_price


class PostMarkView(APIView):
    """`mark-price`: let another mark price hold from now on."""

    required_scope = {"POST": Scope.MARKS.value}

    @schema.post_mark
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        symbol = reader.symbol("symbol")
        price = reader.decimal("price")
        is_forced = reader.optional_boolean("force") or False
        reader.finish()
        instrument = get_instrument_spec(symbol)
        mark = set_mark_price(
            instrument=instrument,
            price=price,
            actor=caller_of(request).actor,
            is_forced=is_forced,
        )
        return Response(_mark_document(instrument, mark))


class MarkView(APIView):
    """`instruments/{symbol}/mark`."""

    required_scope = Scope.READ.value

    @schema.get_mark
    def get(self, request: Request, symbol: str) -> Response:
        instrument = get_instrument_spec(symbol)
        mark = find_mark(instrument.id)
        if mark is None:
            raise NotFound("There is no mark price")
        return Response(_mark_document(instrument, mark))


def _mark_document(instrument: InstrumentSpec, mark: Mark) -> dict[str, Any]:
    now = timezone.now()
    return {
        "symbol": instrument.symbol,
        "price": mark.price,
        "source": mark.source,
        "as_of": mark.as_of,
        "posted_at": mark.posted_at,
        "age_seconds": mark.age_seconds(now),
        "is_stale": mark.is_stale(now, instrument.mark_stale_seconds),
    }
