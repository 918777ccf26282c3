"""What orders refuse: one class per broken rule."""

from typing import Any

from common.errors import Conflict, ExchangeError, PermissionDenied, VenueUnavailable


class EngineUnavailable(VenueUnavailable):
    """No engine takes orders at the moment; nothing was written."""

    code = "engine_unavailable"


class VenueBusy(VenueUnavailable):
    """Too many orders are waiting; nothing was written."""

    code = "venue_busy"


class DeadlineExceeded(VenueUnavailable):
    """The order waited too long and was refused; it will not trade."""

    code = "deadline_exceeded"


class EngineFailed(VenueUnavailable):
    """The engine could not carry the command out; nothing was written."""

    code = "engine_error"


class OrderRefused(ExchangeError):
    """The order was refused and is stored as REJECTED.

    `code` is the reason (`orders.types.Reason`); the facts are decimals (`required`, `available`).
    """

    code = "order_refused"
    status = 422

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
