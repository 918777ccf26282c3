"""Reports as text: the trial balance as CSV, amounts as people read them. Pure."""

import csv
import io
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from common.money import plain

if TYPE_CHECKING:
    from ledger.selectors import AssetBalance

TRIAL_BALANCE_COLUMNS = ("asset", "kind", "accounts", "debit", "credit", "net")


def trial_balance_csv(balances: Iterable["AssetBalance"]) -> str:
    """A header, a row for each asset and kind, and a row TOTAL for each asset (RFC 4180)."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(TRIAL_BALANCE_COLUMNS)
    for balance in balances:
        for line in (*balance.lines, balance.total):
            amounts = (plain(amount) for amount in (line.debit, line.credit, line.net))
            writer.writerow((balance.asset, line.kind, line.account_count, *amounts))
    return file.getvalue()


def grouped(amount: Decimal, scale: int) -> str:
    """`amount` with `scale` decimals and commas between thousands; never rounded."""
    _, _, decimals = plain(amount).partition(".")
    return f"{amount:,.{max(scale, len(decimals))}f}"
