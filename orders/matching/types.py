"""Words of the matching core: sides, rules, orders and executions.

Everything is an integer: a price counts ticks, a quantity counts lots, a time counts
microseconds.  Nothing here knows an instrument's tick or lot size, an account's balance or the
hour: whoever calls the core has translated and decided all that before.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from orders.matching.level import Level


class Side(IntEnum):
    """Whether an order buys or sells."""

    BUY = 1
    SELL = 2


class PriceRule(IntEnum):
    """Which price a trade gets when the two limits leave a gap.

    SELLER: the seller's limit, whoever of the two was resting.  MAKER: the resting order's limit.
    A market sell names no price, so it trades at the resting bid's under both.
    """

    SELLER = 1
    MAKER = 2


class OrderType(IntEnum):
    """LIMIT names a price and may rest; MARKET takes what is there and never rests."""

    LIMIT = 1
    MARKET = 2


class TimeInForce(IntEnum):
    """How long an order stays: until canceled, until a time, or not at all."""

    GTC = 1
    GTD = 2
    IOC = 3


class Order:
    """One order as the book sees it; mutable, made to be subclassed with further slots.

    ``price`` is the limit; a MARKET order has None, or a bound (its collar) beyond which it does
    not trade.  ``remaining`` is what is left of ``quantity``, and belongs to the book while the
    order rests.  ``order_id`` is any hashable that hashes fast (an int, str or bytes; a UUID
    object hashes in Python and makes every step slower).  ``sequence`` orders arrivals;
    ``valid_until`` is the first microsecond at which the order is no longer valid.  ``side``,
    ``order_type`` and ``time_in_force`` are the members themselves, not numbers equal to them: the
    book compares by identity, which costs half as much.

    Slots with a leading underscore belong to the book.
    """

    __slots__ = (
        "_expiry_key",
        "_level",
        "_next",
        "_previous",
        "account_id",
        "order_id",
        "order_type",
        "price",
        "quantity",
        "remaining",
        "sequence",
        "side",
        "time_in_force",
        "valid_until",
    )

    _expiry_key: int
    _level: Level | None
    _next: Order | None
    _previous: Order | None

    def __init__(
        self,
        order_id: Hashable,
        account_id: int,
        side: Side,
        order_type: OrderType,
        time_in_force: TimeInForce,
        price: int | None,
        quantity: int,
        sequence: int,
        valid_until: int | None = None,
        remaining: int | None = None,
    ) -> None:
        self.order_id = order_id
        self.account_id = account_id
        self.side = side
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.price = price
        self.quantity = quantity
        self.remaining = quantity if remaining is None else remaining
        self.sequence = sequence
        self.valid_until = valid_until
        self._level = None

    @property
    def is_resting(self) -> bool:
        """Whether the order stands in a book."""
        return self._level is not None

    def __repr__(self) -> str:
        price = "at any price" if self.price is None else f"at {self.price}"
        return (
            f"<{type(self).__name__} {self.order_id!r}: {Side(self.side).name} "
            f"{self.remaining}/{self.quantity} {price}, sequence {self.sequence}>"
        )


class Execution(NamedTuple):
    """One match of a taker with one resting order, in the order in which they happened.

    ``maker_remaining`` and ``taker_remaining`` are what this match left of either order.
    """

    maker: Order
    price: int
    quantity: int
    maker_remaining: int
    taker_remaining: int
