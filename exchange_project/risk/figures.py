"""Figures as the risk desk reads them: rounded for the eye. The CSV has every decimal. Pure."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from common.money import DECIMAL_PLACES, from_units8, plain, round_half_up
from margin.selectors.report import RiskLevel
from margin.types import MarginState

NOTHING = "–"
# Currencies and stable coins are read to the cent, others to their last place.
_CENTS_SCALE_MAX = 6


@dataclass(frozen=True, slots=True)
class Level:
    """A risk level as it is shown: never by its colour alone."""

    css: str
    sign: str
    word: str


LEVELS = {
    RiskLevel.BANKRUPT: Level("bankrupt", "✕", "Bankrupt"),
    RiskLevel.LIQUIDATE: Level("liquidate", "■", "Liquidate"),
    RiskLevel.CALL: Level("call", "▲", "Margin call"),
    RiskLevel.SAFE: Level("safe", "●", "Safe"),
}


def decimals_of(scale: int) -> int:
    """How many decimals of an asset's amounts are shown."""
    return min(scale, 2) if scale <= _CENTS_SCALE_MAX else scale


def money(amount: Decimal | Fraction, scale: int) -> str:
    """An amount of an asset with commas between thousands."""
    if isinstance(amount, Fraction):
        amount = _decimal(amount)
    return f"{round_half_up(amount, decimals_of(scale)):,f}"


def units(amount: int, scale: int) -> str:
    """An amount in 10^-8 of an asset."""
    return money(from_units8(amount), scale)


def price(value: Decimal | Fraction | None, tick_size: Decimal) -> str:
    """A price with as many decimals as the tick has."""
    if value is None:
        return NOTHING
    number = _decimal(value) if isinstance(value, Fraction) else value
    places = max(0, -int(tick_size.normalize().as_tuple().exponent))
    return f"{round_half_up(number, places):,f}"


def percent(share: Decimal | Fraction | None, places: int = 1) -> str:
    """A share as a percentage."""
    if share is None:
        return NOTHING
    number = _decimal(share) if isinstance(share, Fraction) else share
    return f"{round_half_up(number * 100, places):,f} %"


def signed_percent(share: Decimal | Fraction | None) -> str:
    """A change as a percentage with its sign."""
    text = percent(share)
    is_change = any(digit in text for digit in "123456789")
    return f"+{text}" if is_change and not text.startswith("-") else text


def is_negative(text: str) -> bool:
    """Whether a shown figure is below zero: a loss of less than half a cent is shown as none."""
    return text.startswith("-") and any(digit in text for digit in "123456789")


def bar(state: MarginState) -> dict[str, Any]:
    """The bar of an account's utilization: filled to 100 % where there is no more."""
    share = state.utilization
    if share is None:
        return {"text": "no equity" if state.initial_margin else NOTHING, "fill": 100}
    return {"text": percent(share), "fill": min(100, round(share * 100))}


def milliseconds(at: datetime) -> int:
    """An instant as charts place it, since 1970."""
    return round(at.timestamp() * 1_000)


def number(amount: Decimal) -> str:
    """A figure for a chart, which draws it to the pixel."""
    return f"{amount:f}"


def exact(value: Fraction) -> str:
    """A share or price as programs read it, rounded to eight decimals."""
    return plain(round_half_up(_decimal(value), DECIMAL_PLACES))


def _decimal(fraction: Fraction) -> Decimal:
    return Decimal(fraction.numerator) / Decimal(fraction.denominator)
