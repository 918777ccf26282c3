"""Words of margin: a position with its risk, and what an account's collateral must carry. Pure.

Units, here and in `margin.calculations`: money in 10^-8 of the quote asset, quantities in lots
(positive is long), prices in ticks, rates in 10^-8. `factor`: the money of one tick times one lot.
The rows at the end are as they are stored: quantities and prices in 10^-8 too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class PerpetualTerms:
    """What an instrument's contracts cost and demand; `money_unit` is the asset's smallest unit."""

    factor: int
    money_unit: int
    initial_rate: int
    maintenance_rate: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """One position of an account with its open orders, at a mark price."""

    terms: PerpetualTerms
    mark: int
    quantity: int = 0
    cost_basis: int = 0
    open_buy: int = 0
    open_sell: int = 0
    loss_reserve: int = 0


@dataclass(frozen=True, slots=True)
class Filled:
    """A position after a fill, and the profit or loss that the fill realized."""

    quantity: int
    cost_basis: int
    realized_pnl: int


@dataclass(frozen=True, slots=True)
class MarginState:
    """An account's collateral in one quote asset against all its positions there."""

    collateral: int
    unrealized_pnl: int
    initial_margin: int
    maintenance_margin: int
    loss_reserve: int

    @property
    def equity(self) -> int:
        """Collateral and what closing all positions at their marks would bring."""
        return self.collateral + self.unrealized_pnl

    @property
    def free_collateral(self) -> int:
        """What may be taken out or put into new exposure; never more than the collateral."""
        free = self.equity - self.initial_margin - self.loss_reserve
        return max(0, min(free, self.collateral))

    @property
    def must_be_liquidated(self) -> bool:
        """Equity is below the maintenance margin: strictly, equality is enough."""
        return self.equity < self.maintenance_margin

    @property
    def is_bankrupt(self) -> bool:
        """There are positions and nothing is left to carry them."""
        return self.maintenance_margin > 0 and self.equity <= 0

    @property
    def margin_ratio(self) -> Fraction | None:
        """Maintenance margin / equity; None where equity is not above zero."""
        return Fraction(self.maintenance_margin, self.equity) if self.equity > 0 else None

    @property
    def utilization(self) -> Fraction | None:
        """Initial margin / equity; None where equity is not above zero."""
        return Fraction(self.initial_margin, self.equity) if self.equity > 0 else None


class PositionRow(NamedTuple):
    """A position as it is stored, in integers of 10^-8."""

    account_id: int
    instrument_id: int
    quantity: int
    cost_basis: int
    open_buy: int
    open_sell: int
    loss_reserve: int
    realized_pnl: int
    version: int


class NewPayment(NamedTuple):
    """What an account gets (negative: pays) for its position."""

    account_id: int
    quantity: int
    amount: int
    entry_id: bytes


@dataclass(frozen=True, slots=True)
class NewFunding:
    """One interval's funding with its payments; `due_at` in microseconds since 1970."""

    funding_id: bytes
    instrument_id: int
    due_at: int
    rate: int
    sample_count: int
    mark_price: int
    payments: Sequence[NewPayment]

    @property
    def paid(self) -> int:
        """By all who pay."""
        return -sum(payment.amount for payment in self.payments if payment.amount < 0)

    @property
    def received(self) -> int:
        """By all who get."""
        return sum(payment.amount for payment in self.payments if payment.amount > 0)


class LiquidationRow(NamedTuple):
    """A liquidation as it is stored; `id` in hex, money in integers of 10^-8."""

    id: str
    account_id: int
    asset_id: int
    outcome: str
    collateral_before: int
    collateral_after: int
    equity_before: int
    equity_after: int
    maintenance_before: int
    maintenance_after: int
    fee: int
    fund_result: int
    bad_debt: int


class StepRow(NamedTuple):
    """A step of a liquidation as it is stored; ids in hex, amounts in integers of 10^-8."""

    liquidation_id: str
    number: int
    kind: str
    instrument_id: int | None
    quantity: int | None
    price: int | None
    mark_price: int | None
    amount: int
    counterparty_id: int | None
    order_id: str | None
    equity_before: int
    equity_after: int
    maintenance_before: int
    maintenance_after: int


class Freeze(NamedTuple):
    """Collateral that takes no new orders until staff has looked at it."""

    account_id: int
    asset_id: int
    reason: str
