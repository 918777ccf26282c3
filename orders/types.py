"""Words of orders: reasons of refusals and ends, results of commands. Pure."""

from enum import StrEnum


class Reason(StrEnum):
    """Why an order is CANCELED or REJECTED. The value is stored and shown as the error code."""

    # canceled
    BY_USER = "by_user"
    NO_LIQUIDITY = "no_liquidity"
    # rejected
    DEADLINE_EXCEEDED = "deadline_exceeded"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_CLOSED = "account_closed"
    BROKER_SUSPENDED = "broker_suspended"
    INSTRUMENT_NOT_TRADING = "instrument_not_trading"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    INSUFFICIENT_POSITION = "insufficient_position"
    CREDIT_LIMIT_EXCEEDED = "credit_limit_exceeded"
    MARGIN_ACCOUNT_REQUIRED = "margin_account_required"
    QUANTITY_BELOW_MINIMUM = "quantity_below_minimum"
    QUANTITY_ABOVE_MAXIMUM = "quantity_above_maximum"
    NOTIONAL_BELOW_MINIMUM = "notional_below_minimum"
    NOTIONAL_ABOVE_MAXIMUM = "notional_above_maximum"
    PRICE_OUT_OF_BAND = "price_out_of_band"


class Result(StrEnum):
    """What became of a command that is no order."""

    CANCELED = "canceled"
    NOT_OPEN = "not_open"
    UNKNOWN_ORDER = "unknown_order"
    FORBIDDEN = "forbidden"
    DONE = "done"
    REFUSED = "refused"
