"""Writes of the ledger. Every service owns its transaction and books through `ledger.bulk`."""

from ledger.services.alerts import acknowledge_alert, raise_alert, resolve_alert
from ledger.services.approvals import approve_request, reject_request
from ledger.services.entries import deposit, post_entry, reverse_entry, withdraw

__all__ = [
    "acknowledge_alert",
    "deposit",
    "post_entry",
    "raise_alert",
    "resolve_alert",
    "reverse_entry",
    "withdraw",
]
