"""The ledger in the back office, by theme; Django imports this package."""

from ledger.admin import control, conversions, journal, requests, transfers

__all__ = ["control", "conversions", "journal", "requests", "transfers"]
