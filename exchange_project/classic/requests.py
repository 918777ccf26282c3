"""Requests of the classic dialect. Unknown fields are ignored, as its first version did."""

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from common.api.declarations import Moment, symbol_of
from exchange_project.classic.cents import from_cents
from exchange_project.classic.documents import OrderTypeChoice, SideChoice
from orders.choices import DocumentNumber

_PRICE_MAX = 10**14
_QUANTITY_MAX = 10**12
SYMBOL_LENGTH_MAX = 10


class ClassicOrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An order for the book. Side and type are read as the venue's."""

    document_number: Annotated[
        DocumentNumber,
        Meta(description="The client's document; the account is opened if need be."),
    ]
    side: SideChoice
    order_type: OrderTypeChoice = "LIMIT"
    symbol: Annotated[str, symbol_of(SYMBOL_LENGTH_MAX), Meta(description="In any case.")]
    price: Annotated[
        Annotated[int, Meta(ge=1, le=_PRICE_MAX)] | None,
        Meta(description="In cents. A limit order needs it, a market order has none."),
    ] = None
    quantity: Annotated[int, Meta(ge=1, le=_QUANTITY_MAX)]
    valid_until: Annotated[
        Moment | None,
        Meta(description="With a zone, in the future. A limit order needs it."),
    ] = None

    @property
    def limit_price(self) -> Decimal | None:
        """The price as an amount."""
        return None if self.price is None else from_cents(self.price)


class ClassicRegisterRequest(msgspec.Struct, frozen=True):
    """A new broker."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    webhook_url: Annotated[
        Annotated[str, Meta(min_length=1, max_length=500)] | None,
        Meta(description="Where trades are reported: http or https."),
    ] = None


class ClassicPriceQuery(msgspec.Struct, frozen=True):
    """What the average is of."""

    trades: Annotated[int, Meta(ge=1, le=1000, description="The last trades to average.")] = 50


class ClassicDepthQuery(msgspec.Struct, frozen=True):
    """How much of a book is shown."""

    depth: Annotated[int, Meta(ge=1, le=50, description="Levels of each side.")] = 10
