"""Tables of the double-entry ledger, by theme."""

from ledger.models.accounts import LedgerAccount
from ledger.models.control import Alert, LedgerCheck, Seal
from ledger.models.conversions import ConversionQuote, ConversionRate
from ledger.models.journal import EntrySource, JournalEntry, Posting
from ledger.models.requests import Approval, MoneyRequest
from ledger.models.transfers import IdempotencyKey, Transfer

__all__ = [
    "Alert",
    "Approval",
    "ConversionQuote",
    "ConversionRate",
    "EntrySource",
    "IdempotencyKey",
    "JournalEntry",
    "LedgerAccount",
    "LedgerCheck",
    "MoneyRequest",
    "Posting",
    "Seal",
    "Transfer",
]
