"""The ledger in the back office, by theme; Django imports this package."""

from ledger.admin import journal

__all__ = ["journal"]
