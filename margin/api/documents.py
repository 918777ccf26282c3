"""Positions, collateral and the margin report as documents of `/api/v1/`: decimals, as strings.

Money is rounded nowhere; prices and ratios that are no whole numbers of anything are shown at eight
decimals, halves up.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from common.money import DECIMAL_PLACES, EXACT, from_units8, round_half_up
from margin.models import MarginAccount
from margin.selectors.accounts import PositionAtMark
from margin.selectors.report import AccountMargin, MarginReport, risk_level
from margin.types import MarginState

REPORT_COLUMNS = (
    "account_id", "document_number", "broker", "asset", "position_count", "symbol", "collateral",
    "unrealized_pnl", "equity", "initial_margin", "maintenance_margin", "loss_reserve",
    "free_collateral", "utilization", "margin_ratio", "liquidation_price", "risk_level",
    "is_bankrupt", "should_be_liquidated", "is_frozen",
)  # fmt: skip


def position_document(position: PositionAtMark, account: AccountMargin) -> dict[str, Any]:
    """A position at the mark that holds, and what would end it if no other mark moved."""
    entry_price = position.entry_price
    return {
        "symbol": position.symbol,
        "asset": position.asset,
        "quantity": position.quantity,
        "entry_price": None if entry_price is None else _shown(Fraction(entry_price)),
        "mark_price": position.mark,
        "notional": EXACT.multiply(abs(position.quantity), position.mark),
        "cost_basis": position.cost_basis,
        "unrealized_pnl": from_units8(position.unrealized_pnl),
        "realized_pnl": position.realized_pnl,
        "initial_margin": from_units8(position.initial_margin),
        "maintenance_margin": from_units8(position.maintenance_margin),
        "liquidation_price": _shown(position.liquidation_price(account)),
        "bankruptcy_price": _shown(position.bankruptcy_price(account)),
        "open_buy": position.open_buy,
        "open_sell": position.open_sell,
        "loss_reserve": from_units8(position.exposure.loss_reserve),
    }


def state_document(asset: str, state: MarginState, *, is_frozen: bool) -> dict[str, Any]:
    """A collateral and what it carries; ratios are null where equity is not above zero."""
    return {
        "asset": asset,
        "collateral": from_units8(state.collateral),
        "unrealized_pnl": from_units8(state.unrealized_pnl),
        "equity": from_units8(state.equity),
        "initial_margin": from_units8(state.initial_margin),
        "maintenance_margin": from_units8(state.maintenance_margin),
        "loss_reserve": from_units8(state.loss_reserve),
        "free_collateral": from_units8(state.free_collateral),
        "utilization": _shown(state.utilization),
        "margin_ratio": _shown(state.margin_ratio),
        "is_bankrupt": state.is_bankrupt,
        "should_be_liquidated": state.must_be_liquidated,
        "risk_level": risk_level(state),
        "is_frozen": is_frozen,
    }


def freeze_document(margin_account: MarginAccount) -> dict[str, Any]:
    """Whether an account is frozen in an asset, and why."""
    return {
        "account_id": margin_account.account_id,
        "asset": margin_account.asset.code,
        "is_frozen": margin_account.is_frozen,
        "reason": margin_account.frozen_reason,
        "updated_at": margin_account.updated_at,
    }


def report_line(line: AccountMargin) -> dict[str, Any]:
    """A line of the margin report; the liquidation price where there is one position."""
    return {
        "account_id": line.account_id,
        "document_number": line.document_number,
        "broker": line.broker,
        "position_count": line.position_count,
        "symbol": line.sole.symbol if line.sole else None,
        "liquidation_price": _shown(line.liquidation_price),
        **state_document(line.asset, line.state, is_frozen=line.is_frozen),
    }


def report_document(report: MarginReport) -> dict[str, Any]:
    """A page of the margin report with the counts of all its pages."""
    return {
        "page": report.page,
        "page_count": report.page_count,
        "account_count": report.account_count,
        "at_risk_count": report.at_risk_count,
        "liquidation_count": report.liquidation_count,
        "bankrupt_count": report.bankrupt_count,
        "results": [report_line(line) for line in report.lines],
    }


def _shown(value: Fraction | None) -> Decimal | None:
    if value is None:
        return None
    exact = EXACT.divide(Decimal(value.numerator), Decimal(value.denominator))
    return round_half_up(exact, DECIMAL_PLACES)
