"""What a broker is told: of its half of a trade, of liquidations and deleveraging. Pure.

Units: prices and quantities in units of 10^-8, instants in microseconds since 1970.
"""

import json
from collections.abc import Iterable
from uuid import UUID

from common.instants import from_microseconds
from common.money import UNITS8, from_units8, plain

TRADE_EXECUTED = "trade_executed"
ACCOUNT_LIQUIDATED = "account_liquidated"
POSITION_DELEVERAGED = "position_deleveraged"

# Formats of trades, as endpoints have them.
CLASSIC, DECIMAL = "CLASSIC", "DECIMAL"


def trade_payload(
    *,
    payload_format: str,
    trade_id: UUID,
    order_id: UUID,
    symbol: str,
    is_buy: bool,
    price: int,
    quantity: int,
    remaining: int,
    executed_at: int,
) -> str:
    """The body; `remaining` is what is left of the order.

    In the format CLASSIC price and quantities are whole cents and whole numbers, and the instrument
    trades in them (`marketdata.types.trades_in_whole_cents`); in DECIMAL they are decimal texts.
    """
    is_classic = payload_format == CLASSIC
    amount = _whole if is_classic else _text
    return json.dumps(
        {
            "event": TRADE_EXECUTED,
            "trade_id": str(trade_id),
            "order_id": str(order_id),
            "symbol": symbol,
            "side": _side(is_buy, is_classic),
            "price": amount(price * 100 if is_classic else price),
            "quantity": amount(quantity),
            "order_remaining_quantity": amount(remaining),
            "executed_at": _iso(executed_at),
        }
    )


def formats_of(formats: Iterable[str], *, is_in_whole_cents: bool) -> list[str]:
    """The formats that can show a trade without rounding, in a fixed order."""
    return sorted(one for one in formats if one != CLASSIC or is_in_whole_cents)


def liquidation_payload(
    *,
    liquidation_id: UUID,
    account_id: int,
    asset: str,
    outcome: str,
    equity_before: int,
    maintenance_margin_before: int,
    equity_after: int,
    fee: int,
    executed_at: int,
) -> str:
    """The body that tells of a liquidation; money in `asset`, as decimal texts."""
    return json.dumps(
        {
            "event": ACCOUNT_LIQUIDATED,
            "liquidation_id": str(liquidation_id),
            "account_id": account_id,
            "asset": asset,
            "outcome": outcome,
            "equity_before": _text(equity_before),
            "maintenance_margin_before": _text(maintenance_margin_before),
            "equity_after": _text(equity_after),
            "fee": _text(fee),
            "executed_at": _iso(executed_at),
        }
    )


def deleveraging_payload(
    *,
    liquidation_id: UUID,
    account_id: int,
    symbol: str,
    is_buy: bool,
    quantity: int,
    price: int,
    executed_at: int,
) -> str:
    """The body that tells that a position was closed against another's liquidation."""
    return json.dumps(
        {
            "event": POSITION_DELEVERAGED,
            "liquidation_id": str(liquidation_id),
            "account_id": account_id,
            "symbol": symbol,
            "side": "BUY" if is_buy else "SELL",
            "quantity": _text(quantity),
            "price": _text(price),
            "executed_at": _iso(executed_at),
        }
    )


def _text(units: int) -> str:
    return plain(from_units8(units))


def _whole(units: int) -> int:
    whole, rest = divmod(units, UNITS8)
    assert not rest, "the instrument trades in whole cents and whole quantities"
    return whole


def _side(is_buy: bool, is_classic: bool) -> str:
    if is_classic:
        return "bid" if is_buy else "ask"
    return "BUY" if is_buy else "SELL"


def _iso(instant: int) -> str:
    return from_microseconds(instant).isoformat().replace("+00:00", "Z")
