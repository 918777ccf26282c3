"""One account: its positions with what each would need to be liquidated, and its equity's way."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection
from django.utils import timezone

from margin.calculations import (
    bankruptcy_price,
    initial_margin,
    liquidation_price,
    maintenance_margin,
    unrealized_pnl,
)
from margin.selectors.report import MARKS, AccountMargin, exposure_of
from margin.types import Exposure

_POSITIONS = f"""
WITH {MARKS}
SELECT i.symbol, s.code, s.scale, k.price, k.tick_size, k.lot_size, k.initial_rate,
       k.maintenance_rate, p.quantity, p.cost_basis, p.open_buy, p.open_sell, p.loss_reserve,
       p.realized_pnl
  FROM margin_position p
  JOIN marks k USING (instrument_id)
  JOIN marketdata_instrument i ON i.id = p.instrument_id
  JOIN marketdata_asset s ON s.id = k.quote_asset_id
 WHERE p.account_id = %s AND (p.quantity <> 0 OR p.open_buy > 0 OR p.open_sell > 0)
 ORDER BY i.symbol
"""
# One snapshot of each step: the last, so that the line ends where the account stands.
_EQUITY = """
SELECT DISTINCT ON (s.code, date_bin(%(step)s, e.at, %(since)s))
       s.code, e.at, e.equity, e.initial_margin, e.maintenance_margin
  FROM margin_equitysnapshot e JOIN marketdata_asset s ON s.id = e.asset_id
 WHERE e.account_id = %(account_id)s AND e.at >= %(since)s
 ORDER BY s.code, date_bin(%(step)s, e.at, %(since)s), e.at DESC
"""
_POINTS_MAX = 360


_PROFITS = f"""
WITH {MARKS}
SELECT i.symbol, s.code, p.quantity,
       CASE WHEN p.quantity = 0 THEN 0 ELSE p.quantity * k.price - p.cost_basis END, p.realized_pnl
  FROM margin_position p
  JOIN marketdata_instrument i ON i.id = p.instrument_id
  JOIN marketdata_asset s ON s.id = i.quote_asset_id
  LEFT JOIN marks k USING (instrument_id)
 WHERE p.account_id = %s AND (p.quantity <> 0 OR p.realized_pnl <> 0)
 ORDER BY i.symbol
"""


@dataclass(frozen=True, slots=True)
class PositionProfit:
    """What a position, open or flat, has made so far before fees, in the quote asset.

    `unrealized_pnl` is None where there is no mark price.
    """

    symbol: str
    quote_asset: str
    quantity: Decimal
    unrealized_pnl: Decimal | None
    realized_pnl: Decimal


@dataclass(frozen=True, slots=True)
class PositionAtMark:
    """A position at the mark that holds. Margins and profits in units of `margin.types`, prices
    in the quote asset, quantities in the base asset."""

    symbol: str
    asset: str
    scale: int
    mark: Decimal
    tick_size: Decimal
    quantity: Decimal
    cost_basis: Decimal
    open_buy: Decimal
    open_sell: Decimal
    realized_pnl: Decimal
    exposure: Exposure

    @property
    def entry_price(self) -> Decimal | None:
        """Cost by quantity, rounded for the eye; None where the position is flat."""
        return self.cost_basis / self.quantity if self.quantity else None

    @property
    def unrealized_pnl(self) -> int:
        return unrealized_pnl(self.exposure)

    @property
    def initial_margin(self) -> int:
        return initial_margin(self.exposure)

    @property
    def maintenance_margin(self) -> int:
        return maintenance_margin(self.exposure)

    def liquidation_price(self, account: AccountMargin) -> Fraction | None:
        """The mark at which the account would be liquidated if no other mark moved."""
        return self._price(liquidation_price(account.state, self.exposure))

    def bankruptcy_price(self, account: AccountMargin) -> Fraction | None:
        """The price at which closing the position uses up its share of the account's equity; None
        where no price above zero does."""
        return self._price(bankruptcy_price(account.state, self.exposure))

    def _price(self, ticks: Fraction | None) -> Fraction | None:
        return ticks * Fraction(self.tick_size) if ticks is not None and ticks > 0 else None


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """What an account had in a quote asset at an instant."""

    asset: str
    at: datetime
    equity: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal


def list_position_profits(account_id: int) -> list[PositionProfit]:
    """The profits of an account's positions that are open or have realized something."""
    with connection.cursor() as cursor:
        cursor.execute(_PROFITS, [account_id])
        return [PositionProfit(*row) for row in cursor.fetchall()]


def list_positions(account_id: int) -> list[PositionAtMark]:
    """An account's positions, and what it has open orders for, by symbol."""
    with connection.cursor() as cursor:
        cursor.execute(_POSITIONS, [account_id])
        return [_position(*row) for row in cursor]


def list_equity_points(account_id: int, *, period: timedelta) -> list[EquityPoint]:
    """The account's equity over the last `period`, at most some hundred points for each asset."""
    step = max(timedelta(minutes=1), period / _POINTS_MAX)
    given: dict[str, Any] = {
        "account_id": account_id,
        "since": timezone.now() - period,
        "step": step,
    }
    with connection.cursor() as cursor:
        cursor.execute(_EQUITY, given)
        return [EquityPoint(*row) for row in cursor]


def _position(
    symbol: str,
    asset: str,
    scale: int,
    mark: Decimal,
    tick_size: Decimal,
    lot_size: Decimal,
    initial_rate: Decimal,
    maintenance_rate: Decimal,
    quantity: Decimal,
    cost_basis: Decimal,
    open_buy: Decimal,
    open_sell: Decimal,
    loss_reserve: Decimal,
    realized_pnl: Decimal,
) -> PositionAtMark:
    exposure = exposure_of(
        tick_size=tick_size,
        lot_size=lot_size,
        initial_rate=initial_rate,
        maintenance_rate=maintenance_rate,
        mark=mark,
        quantity=quantity,
        cost_basis=cost_basis,
        open_buy=open_buy,
        open_sell=open_sell,
        loss_reserve=loss_reserve,
    )
    return PositionAtMark(
        symbol,
        asset,
        scale,
        mark,
        tick_size,
        quantity,
        cost_basis,
        open_buy,
        open_sell,
        realized_pnl,
        exposure,
    )
