"""Wallets and transfers as documents of `/api/v1/`."""

from typing import Any

from ledger.types import TransferState, Wallet


def wallet_document(wallet: Wallet) -> dict[str, Any]:
    """A wallet as it stands; `overdraft_limit` null is without limit."""
    return {
        "id": wallet.id,
        "account_id": wallet.account_id,
        "currency": wallet.currency,
        "status": wallet.status,
        "posted_balance": wallet.posted_balance,
        "held_amount": wallet.held_amount,
        "available_balance": wallet.available_balance,
        "overdraft_limit": wallet.overdraft_limit,
        "version": wallet.version,
        "opened_at": wallet.opened_at,
    }


def transfer_document(transfer: TransferState) -> dict[str, Any]:
    """A transfer, for either side; `reason` null unless it FAILED."""
    return {
        "id": transfer.id,
        "from_wallet_id": transfer.source_id,
        "to_wallet_id": transfer.destination_id,
        "currency": transfer.currency,
        "amount": transfer.amount,
        "posted_amount": transfer.posted_amount,
        "status": transfer.status,
        "reason": transfer.reason or None,
        "is_two_step": transfer.is_two_step,
        "expires_at": transfer.expires_at,
        "linked_id": transfer.linked_id,
        "memo": transfer.memo,
        "created_at": transfer.created_at,
        "finished_at": transfer.finished_at,
    }
