"""Writes of the ledger. Every service owns its transaction and books through `ledger.bulk`."""

from ledger.services.entries import deposit, post_entry, reverse_entry, withdraw

__all__ = ["deposit", "post_entry", "reverse_entry", "withdraw"]
