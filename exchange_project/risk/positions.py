"""A position at its mark, as every page of the risk desk shows it."""

from decimal import Decimal
from typing import Any

from common.money import plain
from exchange_project.risk import figures
from margin.selectors.accounts import PositionAtMark


def shown(position: PositionAtMark) -> dict[str, Any]:
    """Its figures, rounded for the eye; `is_loss` is about the unrealized profit."""
    tick, pnl = position.tick_size, figures.units(position.unrealized_pnl, position.scale)
    return {
        "symbol": position.symbol,
        "asset": position.asset,
        "side": _side(position.quantity),
        "quantity": plain(abs(position.quantity)),
        "entry_price": figures.price(position.entry_price, tick),
        "mark": figures.price(position.mark, tick),
        "notional": figures.money(abs(position.quantity) * position.mark, position.scale),
        "unrealized_pnl": pnl,
        "is_loss": figures.is_negative(pnl),
    }


def _side(quantity: Decimal) -> str:
    if not quantity:
        return "Flat"
    return "Long" if quantity > 0 else "Short"
