"""What orders refuse: one class per broken rule."""

from typing import Any

from common.errors import (
    Conflict,
    ExchangeError,
    PermissionDenied,
    StoredRefusal,
    Throttled,
    VenueUnavailable,
)


class EngineUnavailable(VenueUnavailable):
    """No engine takes orders at the moment; nothing was written."""

    code = "engine_unavailable"


class VenueBusy(VenueUnavailable):
    """Too many orders are waiting; nothing was written."""

    code = "venue_busy"


class TooManyOrdersWaiting(Throttled):
    """As many orders of this key are waiting as it may have; nothing was written."""

    code = "too_many_orders_waiting"


class DeadlineExceeded(VenueUnavailable):
    """The order waited too long and was refused; it will not trade."""

    code = "deadline_exceeded"


class EngineFailed(VenueUnavailable):
    """The engine could not carry the command out; nothing was written."""

    code = "engine_error"


class AccountLocked(VenueUnavailable):
    """Another transaction holds a balance of this account for too long; nothing was written."""

    code = "account_locked"


class OrderRefused(StoredRefusal):
    """The order was refused and is stored as REJECTED.

    `code` is the reason (`orders.types.Reason`); the facts are decimals (`required`, `available`).
    """

    code = "order_refused"

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(f"The order was refused: {reason.replace('_', ' ')}", **facts)
        self.code = reason


class ClientOrderIdConflict(Conflict):
    """This client_order_id belongs to an order with other content."""

    code = "client_order_id_conflict"


class OrderOfAnother(PermissionDenied):
    """The order belongs to another broker or account."""

    code = "not_your_order"


class ResetNotAllowed(PermissionDenied):
    """This venue cannot be reset: ALLOW_RESET is off."""

    code = "reset_not_allowed"


class MarkJumpTooLarge(ExchangeError):
    """The mark price jumps too far; say that it is meant with `force`.

    Facts: symbol, price, mark_price (that holds), step_max (the largest step from it).
    """

    code = "mark_jump_too_large"
    status = 422


class PerpetualOnBookOnly(ExchangeError):
    """A perpetual is traded here alone: no execution elsewhere is booked. Facts: symbol."""

    code = "perpetual_on_book_only"
    status = 422


class NotBookedOrder(Conflict):
    """Only an order that was made to be booked is executed by hand. Facts: order_id."""

    code = "not_a_booked_order"


class OrderNotPending(Conflict):
    """The order is closed: nothing more of it is executed. Facts: order_id, order_status."""

    code = "order_not_pending"


class QuantityAboveRemaining(ExchangeError):
    """More is to be executed than remains of the order. Facts: order_id, quantity, remaining."""

    code = "quantity_above_remaining"
    status = 422


class AccountNotEmpty(Conflict):
    """An account is closed once nothing is on it. Facts: account_id, assets, symbols."""

    code = "account_not_empty"
