"""Orders of the classic dialect: from a parsed body to an order, from an order to a document.

Free of HTTP, so that whoever serves the hot requests shares it.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.types import Principal
from common.api.fields import FieldReader
from exchange_project.classic.cents import from_cents, to_cents, to_whole
from marketdata.services import list_symbol
from orders.services.place import PreparedOrder, place_prepared, prepare_order
from orders.services.terms import check_still_valid
from orders.types import OrderState, PlacedOrder

_SIDES = {"bid": "BUY", "ask": "SELL"}
_SIDE_NAMES = {"BUY": "bid", "SELL": "ask"}
_TYPES = {"limit": "LIMIT", "market": "MARKET"}
_TYPE_NAMES = {"LIMIT": "limit", "MARKET": "market"}
_PRICE_MAX = 10**14
_QUANTITY_MAX = 10**12
SYMBOL_LENGTH_MAX = 10


@dataclass(frozen=True, slots=True)
class ClassicOrder:
    """The fields of `POST /orders`, checked."""

    document_number: str
    side: str
    order_type: str
    symbol: str
    limit_price: Decimal | None
    quantity: int
    valid_until: datetime | None


def read_order(body: Any) -> ClassicOrder:
    """The order that a parsed JSON body describes. Unknown fields are ignored.

    Raises:
        ValidationFailed: names every field that is wrong.
    """
    reader = FieldReader.of_body(body, ignore_unknown=True)
    document_number = reader.text("document_number", max_length=20)
    side = reader.choice("side", _SIDES)
    order_type = reader.optional_choice("order_type", _TYPES) or "limit"
    symbol = reader.symbol("symbol", max_length=SYMBOL_LENGTH_MAX)
    cents = reader.optional_integer("price", minimum=1, maximum=_PRICE_MAX)
    quantity = reader.integer("quantity", minimum=1, maximum=_QUANTITY_MAX)
    valid_until = None
    if order_type == "limit":
        valid_until = reader.instant("valid_until")
        if cents is None:
            reader.refuse("price", "required", "A limit order needs a price.")
    elif cents is not None:
        reader.refuse("price", "not_for_market", "A market order has no price.")
    reader.finish()
    check_still_valid(valid_until)
    return ClassicOrder(
        document_number=document_number,
        side=_SIDES[side],
        order_type=_TYPES[order_type],
        symbol=symbol,
        limit_price=None if cents is None else from_cents(cents),
        quantity=quantity,
        valid_until=valid_until,
    )


def place_classic_order(*, principal: Principal, order: ClassicOrder) -> PlacedOrder:
    """Place an order for the account of its document, opened if need be. Raises as `place_order`.

    A symbol that nobody listed is listed by its first order where the venue allows that.
    """
    return place_prepared(prepare_classic_order(principal=principal, order=order))


def prepare_classic_order(*, principal: Principal, order: ClassicOrder) -> PreparedOrder:
    """Prepare an order for the account of its document. Raises as `prepare_order`."""
    return prepare_order(
        principal=principal,
        document_number=order.document_number,
        instrument=list_symbol(order.symbol),
        side=order.side,
        order_type=order.order_type,
        time_in_force="GTD" if order.order_type == "LIMIT" else "IOC",
        limit_price=order.limit_price,
        quantity=Decimal(order.quantity),
        valid_until=order.valid_until,
        client_order_id=None,
    )


def order_document(order: OrderState) -> dict[str, Any]:
    """The answer of `GET /orders/{id}`."""
    terms = order.terms
    price = terms.limit_price
    return {
        "id": order.id,
        "side": _SIDE_NAMES[terms.side],
        "order_type": _TYPE_NAMES[terms.order_type],
        "symbol": order.symbol,
        "price": None if price is None else to_cents(price),
        "quantity": to_whole(terms.quantity),
        "remaining_quantity": to_whole(order.remaining_quantity),
        "status": "open" if order.is_open else "closed",
        "valid_until": terms.valid_until,
        "created_at": order.created_at,
        "trades": [
            {
                "trade_id": fill.trade_id,
                "price": to_cents(fill.price),
                "quantity": to_whole(fill.quantity),
                "counterparty_broker": fill.counterparty_broker,
                "executed_at": fill.executed_at,
            }
            for fill in order.fills
        ],
    }
