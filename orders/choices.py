"""Types of fields that requests and answers about orders share.

Answers have choices in upper case; requests may send them in any.
"""

from typing import Annotated

from msgspec import Meta

from common.api.declarations import identifier_of, one_of
from marketdata.models import MarkPrice
from orders.models import Fill, Order, Side, Venue
from orders.types import Result

DocumentNumber = Annotated[str, identifier_of(20)]
ClientOrderId = Annotated[str, Meta(min_length=1, max_length=64)]
SideChoice = Annotated[str, one_of("Side", Side.values, any_case=True)]
VenueChoice = Annotated[str, one_of("Venue", Venue.values, any_case=True)]
OrderTypeChoice = Annotated[str, one_of("OrderType", Order.Type.values, any_case=True)]
TimeInForceChoice = Annotated[str, one_of("TimeInForce", Order.TimeInForce.values, any_case=True)]
OrderStatusChoice = Annotated[str, one_of("OrderStatus", Order.Status.values, any_case=True)]
LiquidityRoleChoice = Annotated[str, one_of("LiquidityRole", Fill.Role.values)]
MarkSourceChoice = Annotated[str, one_of("MarkSource", MarkPrice.Source.values)]
CancelResultChoice = Annotated[
    str, one_of("CancelResult", [Result.CANCELED.value, Result.NOT_OPEN.value])
]
CancelOutcomeChoice = Annotated[
    str,
    one_of(
        "CancelOutcome",
        [
            Result.CANCELED.value,
            Result.NOT_OPEN.value,
            Result.UNKNOWN_ORDER.value,
            Result.FORBIDDEN.value,
        ],
    ),
]
