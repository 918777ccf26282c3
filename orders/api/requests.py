"""The bodies of orders and deals under `/api/v1/`."""

from typing import Annotated

from msgspec import Meta, field

from common.api.declarations import (
    Moment,
    Number,
    PositiveNumber,
    Request,
    RowId,
    Symbol,
    also_named,
)
from orders.choices import (
    ClientOrderId,
    DocumentNumber,
    OrderTypeChoice,
    SideChoice,
    TimeInForceChoice,
)
from orders.models import Order

AccountIdOrBound = Annotated[
    RowId | None, Meta(description="Not needed where the key is bound to an account.")
]


class PlaceOrderRequest(Request, frozen=True, kw_only=True):
    """An order for the book."""

    account_id: AccountIdOrBound = None
    document_number: Annotated[
        DocumentNumber | None,
        Meta(description="Instead of account_id; the account is opened if need be."),
    ] = None
    symbol: Annotated[Symbol, Meta(description="In any case.")]
    side: SideChoice
    order_type: OrderTypeChoice = Order.Type.LIMIT.value
    time_in_force: Annotated[
        TimeInForceChoice,
        Meta(
            description="By default IOC for a market order, else GTD with a valid_until and GTC "
            "without one."
        ),
    ] = field(default_factory=str)
    limit_price: Annotated[
        PositiveNumber | None,
        also_named("price"),
        Meta(description="In whole ticks. A limit order needs it, a market order has none."),
    ] = None
    quantity: Annotated[PositiveNumber, Meta(description="In whole lots.")]
    valid_until: Annotated[
        Moment | None, Meta(description="When a GTD order expires: with a zone, in the future.")
    ] = None
    client_order_id: Annotated[
        ClientOrderId | None,
        Meta(description="The sender's own id: the same order again is answered with the first."),
    ] = None


class CancelAllRequest(Request, frozen=True):
    """Which open orders are canceled: all, or those of a symbol, an account or both."""

    symbol: Annotated[Symbol | None, Meta(description="In any case.")] = None
    account_id: RowId | None = None


class DealRequest(Request, frozen=True, kw_only=True):
    """A trade with the venue at the market price."""

    account_id: AccountIdOrBound = None
    symbol: Annotated[Symbol, also_named("ticker"), Meta(description="In any case.")]
    side: Annotated[SideChoice, also_named("action")]
    quantity: PositiveNumber
    price: Annotated[
        PositiveNumber | None,
        also_named("limit_price"),
        Meta(
            description="The worst price to trade at; by default the market price, whatever it is."
        ),
    ] = None
    client_order_id: Annotated[
        ClientOrderId | None,
        Meta(description="The sender's own id: the same deal again is answered with the first."),
    ] = None


class BookingRequest(Request, frozen=True, kw_only=True):
    """An order that is executed elsewhere."""

    symbol: Annotated[Symbol, Meta(description="In any case.")]
    side: Annotated[SideChoice, also_named("order_type")]
    quantity: PositiveNumber
    price: Annotated[
        PositiveNumber, also_named("limit_price"), Meta(description="At which it is executed.")
    ]
    client_order_id: Annotated[
        ClientOrderId | None,
        Meta(description="The sender's own id: the same order again is answered with the first."),
    ] = None


class ExecutionRequest(Request, frozen=True):
    """How much of a booked order is settled."""

    quantity: Annotated[
        Number | None, Meta(description="A part of what remains; by default all of it.")
    ] = None


class MarkPriceRequest(Request, frozen=True):
    """A mark price of a perpetual."""

    symbol: Annotated[Symbol, Meta(description="In any case.")]
    price: Annotated[Number, Meta(description="In whole ticks.")]
    force: Annotated[
        bool, Meta(description="Set it even if it jumps beyond the instrument's limit.")
    ] = False
