"""Liquidations and margin calls as documents of `/api/v1/`: decimals, as strings."""

from typing import Any

from margin.models import Liquidation, LiquidationStep, MarginCall

LIQUIDATION_COLUMNS = (
    "id", "account_id", "document_number", "broker", "asset", "outcome", "collateral_before",
    "collateral_after", "equity_before", "equity_after", "maintenance_margin_before",
    "maintenance_margin_after", "fee", "fund_result", "bad_debt", "executed_at",
)  # fmt: skip
CALL_COLUMNS = (
    "id", "account_id", "document_number", "broker", "asset", "level", "equity",
    "maintenance_margin", "raised_at", "resolved_at", "is_open",
)  # fmt: skip


def liquidation_document(row: Liquidation) -> dict[str, Any]:
    """What a liquidation did to an account; amounts in the quote asset."""
    return {
        "id": row.id,
        **_account(row),
        "outcome": row.outcome,
        "collateral_before": row.collateral_before,
        "collateral_after": row.collateral_after,
        "equity_before": row.equity_before,
        "equity_after": row.equity_after,
        "maintenance_margin_before": row.maintenance_margin_before,
        "maintenance_margin_after": row.maintenance_margin_after,
        "fee": row.fee,
        "fund_result": row.fund_result,
        "bad_debt": row.bad_debt,
        "executed_at": row.executed_at,
    }


def full_liquidation_document(row: Liquidation) -> dict[str, Any]:
    """A liquidation with its steps; the other side of a step stays unnamed."""
    steps = [_step_document(step) for step in row.steps.all()]
    return {**liquidation_document(row), "steps": steps}


def call_document(row: MarginCall) -> dict[str, Any]:
    """A margin call, with equity and maintenance margin of when it was raised."""
    return {
        "id": row.pk,
        **_account(row),
        "level": row.level,
        "equity": row.equity,
        "maintenance_margin": row.maintenance_margin,
        "raised_at": row.raised_at,
        "resolved_at": row.resolved_at,
        "is_open": row.resolved_at is None,
    }


def _step_document(step: LiquidationStep) -> dict[str, Any]:
    return {
        "number": step.number,
        "kind": step.kind,
        "symbol": step.instrument.symbol if step.instrument else None,
        "quantity": step.quantity,
        "price": step.price,
        "mark_price": step.mark_price,
        "amount": step.amount,
        "order_id": step.order_id,
        "equity_before": step.equity_before,
        "equity_after": step.equity_after,
        "maintenance_margin_before": step.maintenance_margin_before,
        "maintenance_margin_after": step.maintenance_margin_after,
    }


def _account(row: Liquidation | MarginCall) -> dict[str, Any]:
    return {
        "account_id": row.account_id,
        "document_number": row.account.document_number,
        "broker": row.account.broker.name,
        "asset": row.asset.code,
    }
