"""Reads of the ledger, as plain values."""

from ledger.selectors.balances import find_balance, lines_of_entry, list_balances
from ledger.selectors.statements import (
    iterate_lines,
    list_posted_lines,
    list_statement_sections,
)

__all__ = [
    "find_balance",
    "iterate_lines",
    "lines_of_entry",
    "list_balances",
    "list_posted_lines",
    "list_statement_sections",
]
