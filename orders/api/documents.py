"""Orders, fills, trades and books as documents of `/api/v1/`: decimals, written as strings."""

from decimal import Decimal
from typing import Any

from marketdata.types import Mark
from orders.models import Fill, Trade
from orders.types import Book, BookLevel, OrderFill, OrderState, Result


def order_document(order: OrderState) -> dict[str, Any]:
    """An order with its fills."""
    return {**order_row(order), "fills": [_order_fill(fill) for fill in order.fills]}


def order_row(order: OrderState) -> dict[str, Any]:
    """An order in a list: without its fills."""
    terms = order.terms
    return {
        "id": order.id,
        "account_id": terms.account_id,
        "symbol": order.symbol,
        "client_order_id": order.client_order_id,
        "venue": order.venue,
        "side": terms.side,
        "order_type": terms.order_type,
        "time_in_force": terms.time_in_force,
        "limit_price": terms.limit_price,
        "quantity": terms.quantity,
        "filled_quantity": order.filled_quantity,
        "remaining_quantity": order.remaining_quantity,
        "average_fill_price": order.average_fill_price,
        "notional": order.notional,
        "fee": order.fee,
        "valid_until": terms.valid_until,
        "status": order.status,
        "reason": order.reason or None,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }


def cancel_document(result: Result, order: OrderState) -> dict[str, Any]:
    """What became of a cancel, and the order as it stands."""
    return {"result": result, "order": order_document(order)}


def fill_document(fill: Fill) -> dict[str, Any]:
    """A fill in a list."""
    return {
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "account_id": fill.account_id,
        "symbol": fill.instrument.symbol,
        "venue": fill.trade.venue,
        "side": fill.side,
        "price": fill.price,
        "quantity": fill.quantity,
        "notional": fill.notional,
        "fee": fill.fee,
        "liquidity_role": fill.liquidity_role,
        "executed_at": fill.executed_at,
    }


def trade_document(trade: Trade) -> dict[str, Any]:
    """A trade as the public sees it."""
    return {
        "id": trade.id,
        "price": trade.price,
        "quantity": trade.quantity,
        "notional": trade.notional,
        "taker_side": trade.taker_side,
        "executed_at": trade.executed_at,
    }


def book_document(symbol: str, depth: int, book: Book) -> dict[str, Any]:
    """Both sides of a book, best first."""
    return {
        "symbol": symbol,
        "depth": depth,
        "bids": [_level(level) for level in book.bids],
        "asks": [_level(level) for level in book.asks],
    }


def ticker_document(
    symbol: str, book: Book, last_price: Decimal | None, mark: Mark | None
) -> dict[str, Any]:
    """Last price, mark price and the top of a book; mid_price and spread need both sides."""
    bid = book.bids[0] if book.bids else None
    ask = book.asks[0] if book.asks else None
    return {
        "symbol": symbol,
        "last_price": last_price,
        "mark_price": mark and mark.price,
        "best_bid": bid and bid.price,
        "best_bid_quantity": bid and bid.quantity,
        "best_ask": ask and ask.price,
        "best_ask_quantity": ask and ask.quantity,
        "mid_price": (bid.price + ask.price) / 2 if bid and ask else None,
        "spread": ask.price - bid.price if bid and ask else None,
    }


def _order_fill(fill: OrderFill) -> dict[str, Any]:
    return {
        "trade_id": fill.trade_id,
        "price": fill.price,
        "quantity": fill.quantity,
        "fee": fill.fee,
        "liquidity_role": fill.liquidity_role,
        "executed_at": fill.executed_at,
    }


def _level(level: BookLevel) -> dict[str, Any]:
    return {"price": level.price, "quantity": level.quantity, "order_count": level.order_count}
