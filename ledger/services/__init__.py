"""Writes of the ledger. Every service owns its transaction and books through `ledger.bulk`."""

from ledger.services.alerts import (
    acknowledge_alert,
    raise_alert,
    resolve_alert,
    resolve_alert_by_staff,
)
from ledger.services.approvals import approve_request, reject_request
from ledger.services.conversions import (
    convert,
    create_conversion_rate,
    find_market_rate,
    purge_unused_quotes,
    quote_conversion,
    store_conversion_rate,
)
from ledger.services.entries import deposit, post_entry, reverse_entry, withdraw
from ledger.services.requests import (
    cancel_request,
    request_adjustment,
    request_deposit,
    request_reversal,
    request_withdrawal,
)

__all__ = [
    "acknowledge_alert",
    "approve_request",
    "cancel_request",
    "convert",
    "create_conversion_rate",
    "deposit",
    "find_market_rate",
    "post_entry",
    "purge_unused_quotes",
    "quote_conversion",
    "raise_alert",
    "reject_request",
    "request_adjustment",
    "request_deposit",
    "request_reversal",
    "request_withdrawal",
    "resolve_alert",
    "resolve_alert_by_staff",
    "reverse_entry",
    "store_conversion_rate",
    "withdraw",
]
