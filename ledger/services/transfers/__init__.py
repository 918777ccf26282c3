"""Transfers between wallets: made, posted, voided, timed out."""
