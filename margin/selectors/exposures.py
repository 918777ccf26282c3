"""Marks that hold, and what all accounts have in each perpetual."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

_MARKS = """
SELECT i.id, i.symbol, s.code, s.scale, m.price, m.source, m.as_of,
       m.as_of < now() - make_interval(secs => i.mark_stale_seconds)
  FROM marketdata_instrument i
  JOIN marketdata_asset s ON s.id = i.quote_asset_id
 CROSS JOIN LATERAL (
       SELECT price, source, as_of FROM marketdata_markprice
        WHERE instrument_id = i.id ORDER BY id DESC LIMIT 1) m
 WHERE i.kind = 'PERPETUAL'
 ORDER BY i.symbol
"""
_SUMS = """
SELECT p.instrument_id,
       sum(p.quantity) FILTER (WHERE p.quantity > 0),
       sum(p.quantity),
       count(*) FILTER (WHERE p.quantity > 0), count(*) FILTER (WHERE p.quantity < 0),
       max(p.quantity), -min(p.quantity), sum(p.open_buy), sum(p.open_sell),
       sum(p.cost_basis) FILTER (WHERE p.quantity > 0),
       sum(p.cost_basis) FILTER (WHERE p.quantity < 0)
  FROM margin_position p GROUP BY p.instrument_id
"""


@dataclass(frozen=True, slots=True)
class HoldingMark:
    """The mark price of a perpetual that holds now, in its quote asset."""

    instrument_id: int
    symbol: str
    asset: str
    scale: int
    price: Decimal
    source: str
    as_of: datetime
    is_stale: bool


@dataclass(frozen=True, slots=True)
class InstrumentExposure:
    """What all accounts together have in a perpetual.

    Quantities in the base asset, money in the quote asset. `open_interest` is the sum of the long
    positions, which is that of the short ones where `imbalance` is zero, as it must be.
    """

    mark: HoldingMark
    open_interest: Decimal
    imbalance: Decimal
    long_count: int
    short_count: int
    largest_long: Decimal
    largest_short: Decimal
    open_buy: Decimal
    open_sell: Decimal
    long_pnl: Decimal
    short_pnl: Decimal

    @property
    def notional(self) -> Decimal:
        """What the open interest is worth at the mark."""
        return self.open_interest * self.mark.price

    @property
    def concentration(self) -> Decimal | None:
        """The share of one side that the largest position has; None without open interest."""
        if not self.open_interest:
            return None
        return max(self.largest_long, self.largest_short) / self.open_interest


def list_marks() -> list[HoldingMark]:
    """The marks of all perpetuals that have one, by symbol."""
    with connection.cursor() as cursor:
        cursor.execute(_MARKS)
        return [HoldingMark(*row) for row in cursor]


def list_exposures() -> list[InstrumentExposure]:
    """All perpetuals that have a mark, by symbol; those without positions with zeros."""
    with connection.cursor() as cursor:
        cursor.execute(_SUMS)
        sums = {row[0]: row[1:] for row in cursor}
    return [_exposure(mark, sums.get(mark.instrument_id, (None,) * 10)) for mark in list_marks()]


def _exposure(mark: HoldingMark, row: tuple[Any, ...]) -> InstrumentExposure:
    zero = Decimal(0)
    longs, imbalance, long_count, short_count, *rest = (value or zero for value in row)
    largest_long, largest_short, open_buy, open_sell, long_cost, short_cost = rest
    return InstrumentExposure(
        mark=mark,
        open_interest=longs,
        imbalance=imbalance,
        long_count=int(long_count),
        short_count=int(short_count),
        largest_long=max(largest_long, zero),
        largest_short=max(largest_short, zero),
        open_buy=open_buy,
        open_sell=open_sell,
        long_pnl=longs * mark.price - long_cost,
        short_pnl=(imbalance - longs) * mark.price - short_cost,
    )
