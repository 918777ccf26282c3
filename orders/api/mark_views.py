"""Mark prices of perpetuals under `/api/v1/`: post one, look at the one that holds."""

from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.models import Scope
from common.api.fields import FieldReader
from common.api.idempotency import idempotent
from common.api.views import ApiView
from common.errors import NotFound
from marketdata.selectors import find_mark, get_instrument_spec
from orders.api import operations
from orders.api.mark_documents import mark_document
from orders.api.requests import MarkPriceRequest
from orders.services.marks import set_mark_price


class PostMarkView(ApiView):
    """`mark-price`: let another mark price hold from now on."""

    required_scope = {"POST": Scope.MARKS.value}

    @operations.post_mark
    @idempotent
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        wanted = reader.struct(MarkPriceRequest)
        reader.finish()
        instrument = get_instrument_spec(wanted.symbol)
        mark = set_mark_price(
            instrument=instrument,
            price=wanted.price,
            actor=caller_of(request).actor,
            is_forced=wanted.force,
        )
        return Response(mark_document(instrument, mark))


class MarkView(ApiView):
    """`instruments/{symbol}/mark`."""

    required_scope = Scope.READ.value

    @operations.get_mark
    def get(self, request: Request, symbol: str) -> Response:
        instrument = get_instrument_spec(symbol)
        mark = find_mark(instrument.id)
        if mark is None:
            raise NotFound("There is no mark price")
        return Response(mark_document(instrument, mark))
