"""Deals, cash, positions and portfolios as documents of `/api/v1/`."""

from decimal import Decimal
from typing import Any

from django.conf import settings

from common.money import DECIMAL_PLACES, round_half_up
from ledger.selectors import list_balances
from ledger.types import AccountKind, Balance
from orders.selectors.holdings import Holding
from orders.selectors.portfolio import Portfolio, ValuedHolding
from orders.types import Deal

_ZERO = Decimal(0)


def deal_document(deal: Deal) -> dict[str, Any]:
    """A deal with where its price came from, and the balances right after it."""
    order = deal.order
    return {
        "trade_id": deal.trade_id,
        "order_id": order.id,
        "client_order_id": order.client_order_id,
        "account_id": order.terms.account_id,
        "symbol": order.symbol,
        "side": order.terms.side,
        "status": order.status,
        "reason": order.reason or None,
        "quantity": deal.quantity,
        "price": deal.price,
        "notional": deal.notional,
        "fee": deal.fee,
        "price_source": deal.price_source,
        "price_as_of": deal.price_as_of,
        "price_age_seconds": deal.price_age_seconds,
        "is_price_simulated": deal.is_price_simulated,
        "cash_balance": deal.cash_balance,
        "holding": deal.holding,
        "executed_at": deal.executed_at,
    }


def cash_document(account_id: int) -> dict[str, Any]:
    """Cash in the venue's currency (nothing booked yet is zero), and all cash by currency."""
    cash = [one for one in list_balances(account_id) if one.kind == AccountKind.CASH]
    own = next((one for one in cash if one.asset == settings.VENUE_CURRENCY), None)
    return {
        "account_id": account_id,
        "asset": settings.VENUE_CURRENCY,
        "balance": own.posted_balance if own else _ZERO,
        "held_amount": own.held_amount if own else _ZERO,
        "available_balance": own.available_balance if own else _ZERO,
        "balances": [_cash_row(one) for one in cash],
    }


def position_document(holding: Holding) -> dict[str, Any]:
    """A holding by itself; `average_price` is at 8 decimals, halves up."""
    average = holding.average_price
    return {
        "symbol": holding.symbol,
        "asset": holding.asset,
        "quote_asset": holding.quote_asset,
        "quantity": holding.quantity,
        "held_quantity": holding.held_quantity,
        "available_quantity": holding.quantity - holding.held_quantity,
        "average_price": None if average is None else round_half_up(average, DECIMAL_PLACES),
    }


def portfolio_document(account_id: int, portfolio: Portfolio) -> dict[str, Any]:
    """Holdings, cash, and the totals in the venue's currency."""
    return {
        "account_id": account_id,
        "currency": settings.VENUE_CURRENCY,
        "cash": portfolio.cash,
        "market_value": portfolio.market_value,
        "total_value": portfolio.total_value,
        "profit": portfolio.profit,
        "profit_rate": portfolio.profit_rate,
        "is_complete": portfolio.is_complete,
        "holdings": [_valued_document(one) for one in portfolio.holdings],
        "balances": [_cash_row(one) for one in portfolio.balances],
    }


def _valued_document(valued: ValuedHolding) -> dict[str, Any]:
    price = valued.price
    return {
        **position_document(valued.holding),
        "market_price": price and price.price,
        "price_source": price and price.source,
        "price_as_of": price and price.as_of,
        "price_age_seconds": price and price.age_seconds,
        "is_price_simulated": price and price.is_simulated,
        "is_price_stale": price and price.is_stale,
        "price_error": valued.price_error,
        "market_value": valued.market_value,
        "cost": valued.cost,
        "profit": valued.profit,
        "profit_rate": valued.profit_rate,
        "allocation_percent": valued.allocation_percent,
    }


def _cash_row(balance: Balance) -> dict[str, Any]:
    return {
        "asset": balance.asset,
        "kind": balance.kind,
        "balance": balance.posted_balance,
        "held_amount": balance.held_amount,
        "available_balance": balance.available_balance,
    }
