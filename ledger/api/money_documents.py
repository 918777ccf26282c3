"""Requests for money and conversions as documents of `/api/v1/`."""

from typing import Any

from ledger.models import ConversionQuote, MoneyRequest


def request_document(request: MoneyRequest) -> dict[str, Any]:
    """A deposit or a withdrawal: `entry_id` once it is booked, `status_reason` where it is not."""
    wallet = request.ledger_account
    assert wallet is not None, "deposits and withdrawals are on a wallet"
    return {
        "id": request.id,
        "wallet_id": wallet.id,
        "account_id": wallet.trading_account_id,
        "currency": wallet.asset.code,
        "amount": request.amount,
        "reason": request.reason,
        "status": request.status,
        "status_reason": request.status_reason,
        "approvals_needed": request.approvals_needed,
        "entry_id": request.entry_id,
        "created_at": request.created_at,
        "finished_at": request.finished_at,
    }


def conversion_document(quote: ConversionQuote) -> dict[str, Any]:
    """A quote, and the conversion that it became; they share their id."""
    return {
        "id": quote.id,
        "account_id": quote.source.trading_account_id,
        "from_wallet_id": quote.source_id,
        "to_wallet_id": quote.destination_id,
        "from_currency": quote.source.asset.code,
        "to_currency": quote.destination.asset.code,
        "sell_amount": quote.sell_amount,
        "buy_amount": quote.buy_amount,
        "rate": quote.rate,
        "created_at": quote.created_at,
        "expires_at": quote.expires_at,
        "converted_at": quote.converted_at,
        "entry_id": quote.entry_id,
    }
