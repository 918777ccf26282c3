"""Reads orders out of parsed requests of `/api/v1/`. Free of HTTP."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.types import Principal
from common.api.fields import FieldReader
from marketdata.services import list_symbol
from orders.models import Order, Side, Venue
from orders.selectors.orders import OrderFilter
from orders.selectors.trades import FillFilter
from orders.services.accounts import resolve_account
from orders.services.dealer import deal, quote_market
from orders.services.place import place_order
from orders.services.sandbox import Trigger, find_trigger_of_request
from orders.types import PlacedOrder

_CLIENT_ORDER_ID_MAX = 64
_ZERO = Decimal(0)
SIDES = tuple(Side.values)
_VENUES = tuple(Venue.values)
_TYPES = tuple(Order.Type.values)
_TIMES = tuple(Order.TimeInForce.values)
_STATUSES = tuple(Order.Status.values)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """The fields of `POST orders`, each of its type; their rules are the service's."""

    account_id: int | None
    document_number: str | None
    symbol: str
    side: str
    order_type: str
    time_in_force: str
    limit_price: Decimal | None
    quantity: Decimal
    valid_until: datetime | None
    client_order_id: str | None


def read_order_request(body: Any, principal: Principal) -> OrderRequest:
    """The order that a parsed JSON body describes. A key that is bound to an account needs none.

    Raises:
        ValidationFailed: names every field that is missing, wrong or unknown.
    """
    reader = FieldReader.of_body(body)
    account_id = reader.optional_row_id("account_id")
    document_number = reader.optional_text("document_number", max_length=20)
    if account_id is not None and document_number is not None:
        reader.refuse("document_number", "ambiguous", "Give account_id or document_number.")
    if account_id is None and document_number is None and principal.account_id is None:
        reader.refuse("account_id", "required", "Give account_id or document_number.")
    order_type = reader.optional_choice("order_type", _TYPES, any_case=True) or Order.Type.LIMIT
    valid_until = reader.optional_instant("valid_until")
    request = OrderRequest(
        account_id=account_id,
        document_number=document_number,
        symbol=reader.symbol("symbol"),
        side=reader.choice("side", SIDES, any_case=True),
        order_type=str(order_type),
        time_in_force=reader.optional_choice("time_in_force", _TIMES, any_case=True)
        or _default_time_in_force(order_type, valid_until),
        limit_price=_read_price(reader),
        quantity=reader.decimal("quantity", above=_ZERO),
        valid_until=valid_until,
        client_order_id=reader.optional_text("client_order_id", max_length=_CLIENT_ORDER_ID_MAX),
    )
    reader.finish()
    return request


def place_requested_order(*, principal: Principal, request: OrderRequest) -> PlacedOrder:
    """Place what `POST orders` asked for. Raises as `place_order`.

    What a sandbox account wants refused or filled in part is dealt with the venue instead, since
    nobody can foresee a book. It raises as `deal`.
    """
    trigger = find_trigger_of_request(
        principal=principal,
        account_id=request.account_id,
        document_number=request.document_number,
        client_order_id=request.client_order_id,
    )
    if trigger in (Trigger.REJECT, Trigger.PARTIAL):
        return _deal_instead(principal, request)
    return place_order(
        principal=principal,
        account_id=request.account_id,
        document_number=request.document_number,
        instrument=list_symbol(request.symbol),
        side=request.side,
        order_type=request.order_type,
        time_in_force=request.time_in_force,
        limit_price=request.limit_price,
        quantity=request.quantity,
        valid_until=request.valid_until,
        client_order_id=request.client_order_id,
    )


def _deal_instead(principal: Principal, request: OrderRequest) -> PlacedOrder:
    account_id, _ = resolve_account(
        principal=principal,
        account_id=request.account_id,
        document_number=request.document_number,
    )
    dealt = deal(
        principal=principal,
        account_id=account_id,
        quote=quote_market(symbol=request.symbol),
        side=request.side,
        quantity=request.quantity,
        limit_price=request.limit_price,
        client_order_id=request.client_order_id,
    )
    return PlacedOrder(dealt.order, dealt.was_created)


@dataclass(frozen=True, slots=True)
class DealRequest:
    """The fields of `POST trade`, each of its type; their rules are the service's."""

    account_id: int | None
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal | None
    client_order_id: str | None


def read_deal_request(body: Any, principal: Principal) -> DealRequest:
    """What a JSON body wants to deal, in either spelling: `symbol` or `ticker`, `side` or `action`.

    Raises:
        ValidationFailed: names every field that is missing, wrong or unknown.
    """
    reader = FieldReader.of_body(body)
    account_id = read_account_id(reader)
    if account_id is None and principal.account_id is None:
        reader.refuse("account_id", "required", "Whose trade it is.")
    request = DealRequest(
        account_id=account_id,
        symbol=reader.symbol(_spelling(reader, "symbol", "ticker")),
        side=reader.choice(_spelling(reader, "side", "action"), SIDES, any_case=True),
        quantity=reader.decimal("quantity", above=_ZERO),
        price=_read_price(reader),
        client_order_id=reader.optional_text("client_order_id", max_length=_CLIENT_ORDER_ID_MAX),
    )
    reader.finish()
    return request


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """The fields of `POST accounts/{id}/orders`, each of its type."""

    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    client_order_id: str | None


def read_booking_request(body: Any) -> BookingRequest:
    """The execution elsewhere that a JSON body tells of; `side` may be spelled `order_type`.

    Raises:
        ValidationFailed: names every field that is missing, wrong or unknown.
    """
    reader = FieldReader.of_body(body)
    request = BookingRequest(
        symbol=reader.symbol("symbol"),
        side=reader.choice(_spelling(reader, "side", "order_type"), SIDES, any_case=True),
        quantity=reader.decimal("quantity", above=_ZERO),
        price=reader.decimal(_spelling(reader, "price", "limit_price"), above=_ZERO),
        client_order_id=reader.optional_text("client_order_id", max_length=_CLIENT_ORDER_ID_MAX),
    )
    reader.finish()
    return request


def read_order_filter(reader: FieldReader, *, account_id: int | None = None) -> OrderFilter:
    """The filters of `GET orders`, of one account where it is given; the caller finishes."""
    return OrderFilter(
        symbol=reader.optional_symbol("symbol"),
        side=reader.optional_choice("side", SIDES, any_case=True),
        status=reader.optional_choice("status", _STATUSES, any_case=True),
        account_id=account_id or read_account_id(reader),
        client_order_id=reader.optional_text("client_order_id", max_length=_CLIENT_ORDER_ID_MAX),
        since=reader.optional_instant("since"),
        until=reader.optional_instant("until"),
    )


def read_fill_filter(reader: FieldReader, *, account_id: int | None = None) -> FillFilter:
    """The filters of `GET fills`, of one account where it is given; the caller finishes."""
    return FillFilter(
        account_id=account_id or read_account_id(reader),
        symbol=reader.optional_symbol("symbol"),
        order_id=reader.optional_uuid("order_id"),
        side=reader.optional_choice("side", SIDES, any_case=True),
        venue=reader.optional_choice("venue", _VENUES, any_case=True),
        since=reader.optional_instant("since"),
        until=reader.optional_instant("until"),
    )


def read_account_id(reader: FieldReader) -> int | None:
    """An account in a body or a query string."""
    return reader.optional_row_id("account_id")


def read_one_account_id(reader: FieldReader, principal: Principal, detail: str) -> int:
    """The last field to be read: an account, left out where the key is bound to one.

    Raises:
        ValidationFailed: there is neither (`detail` says whose it is), or another field is wrong.
    """
    account_id = read_account_id(reader) or principal.account_id
    if account_id is None:
        reader.refuse("account_id", "required", detail)
    reader.finish()
    assert account_id is not None, "finish() has refused"
    return account_id


def _read_price(reader: FieldReader) -> Decimal | None:
    """`limit_price`, or `price` as many clients call it."""
    return reader.optional_decimal(_spelling(reader, "limit_price", "price"), above=_ZERO)


def _spelling(reader: FieldReader, name: str, other: str) -> str:
    """How the sender spells a field: `other` where that alone is there."""
    return other if reader.has(other) and not reader.has(name) else name


def _default_time_in_force(order_type: str, valid_until: datetime | None) -> str:
    if order_type == Order.Type.MARKET:
        return Order.TimeInForce.IOC.value
    return (Order.TimeInForce.GTC if valid_until is None else Order.TimeInForce.GTD).value
