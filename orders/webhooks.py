"""What a broker is told of its half of a trade. Pure.

Units: prices and quantities in units of 10^-8, instants in microseconds since 1970.
"""

import json
from uuid import UUID

from common.instants import from_microseconds
from common.money import UNITS8

TRADE_EXECUTED = "trade_executed"


def trade_payload(
    *,
    trade_id: UUID,
    order_id: UUID,
    symbol: str,
    is_buy: bool,
    price: int,
    quantity: int,
    remaining: int,
    executed_at: int,
) -> str:
    """The body, with the price in whole cents; `remaining` is what is left of the order."""
    return json.dumps(
        {
            "event": TRADE_EXECUTED,
            "trade_id": str(trade_id),
            "order_id": str(order_id),
            "symbol": symbol,
            "side": "bid" if is_buy else "ask",
            "price": price * 100 // UNITS8,
            "quantity": _whole_or_text(quantity),
            "order_remaining_quantity": _whole_or_text(remaining),
            "executed_at": _iso(executed_at),
        }
    )


def _whole_or_text(units: int) -> int | str:
    whole, rest = divmod(units, UNITS8)
    return whole if not rest else f"{whole}.{rest:08d}".rstrip("0")


def _iso(instant: int) -> str:
    return from_microseconds(instant).isoformat().replace("+00:00", "Z")
