"""Orders of the classic dialect, from a parsed body on. Free of HTTP: both lanes share it."""

from decimal import Decimal
from typing import Any

from brokers.types import Principal
from common.api.fields import FieldReader
from common.request_keys import RequestKey
from exchange_project.classic.requests import ClassicOrderRequest
from marketdata.errors import NotInWholeCents
from marketdata.selectors import find_instrument_spec
from marketdata.services import list_symbol
from marketdata.types import InstrumentSpec
from orders.services.place import PreparedOrder, prepare_order
from orders.services.terms import check_still_valid


def read_order(body: Any) -> ClassicOrderRequest:
    """The order that a parsed JSON body describes. Unknown fields are ignored.

    Raises:
        ValidationFailed: names every field that is wrong.
    """
    reader = FieldReader.of_body(body, ignore_unknown=True)
    if body.get("order_type") == "market":
        reader.skip("valid_until")
    order = reader.struct(ClassicOrderRequest)
    if order.order_type == "MARKET":
        if order.price is not None:
            reader.refuse("price", "not_for_market", "A market order has no price.")
    else:
        if body.get("valid_until") is None:
            reader.refuse("valid_until", "required", "This field is required.")
        if order.price is None:
            reader.refuse("price", "required", "A limit order needs a price.")
    reader.finish()
    return order


def check_offered(instrument: InstrumentSpec) -> InstrumentSpec:
    """The instrument, if this dialect can show each of its prices and quantities.

    Raises:
        NotInWholeCents: its tick is no whole cent, or its lot is not whole.
    """
    if not instrument.is_in_whole_cents:
        raise NotInWholeCents(
            f"{instrument.symbol} is finer than whole cents and whole quantities; use /api/v1",
            symbol=instrument.symbol,
        )
    return instrument


def find_offered(symbol: str) -> InstrumentSpec | None:
    """The instrument of that symbol, if it is listed. Raises as `check_offered`."""
    instrument = find_instrument_spec(symbol)
    return None if instrument is None else check_offered(instrument)


def prepare_classic_order(
    *, principal: Principal, order: ClassicOrderRequest, request_key: RequestKey | None
) -> PreparedOrder:
    """Prepare an order for the account of its document, opened if need be.

    A symbol that is not listed yet is listed by its first order where the venue allows that.
    Raises as `prepare_order` and `check_offered`.
    """
    if request_key is None:
        check_still_valid(order.valid_until)
    return prepare_order(
        principal=principal,
        document_number=order.document_number,
        instrument=check_offered(list_symbol(order.symbol)),
        side=order.side,
        order_type=order.order_type,
        time_in_force="GTD" if order.order_type == "LIMIT" else "IOC",
        limit_price=order.limit_price,
        quantity=Decimal(order.quantity),
        valid_until=order.valid_until,
        client_order_id=None,
        request_key=request_key,
    )
