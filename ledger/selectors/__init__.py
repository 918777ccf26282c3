"""Reads of the ledger, as plain values."""

from ledger.selectors.alerts import (
    OpenAlerts,
    count_open_critical_alerts,
    get_open_alerts,
)
from ledger.selectors.balances import account_of, find_balance, lines_of_entry, list_balances
from ledger.selectors.conversions import (
    find_followed_pair,
    find_net_rate,
    get_conversion_pairs,
    get_quote,
    list_conversions,
    rates_of_pair,
)
from ledger.selectors.requests import (
    BalanceChange,
    count_approvals,
    find_reversal,
    get_approvals_needed,
    get_request,
    is_own_request,
    list_balance_changes,
    list_requests,
    list_reversal_changes,
)
from ledger.selectors.statements import (
    iterate_lines,
    list_posted_lines,
    list_statement_sections,
)
from ledger.selectors.trial_balance import AssetBalance, BalanceSum, get_trial_balance

__all__ = [
    "AssetBalance",
    "BalanceChange",
    "BalanceSum",
    "OpenAlerts",
    "account_of",
    "count_approvals",
    "count_open_critical_alerts",
    "find_balance",
    "find_followed_pair",
    "find_net_rate",
    "find_reversal",
    "get_approvals_needed",
    "get_conversion_pairs",
    "get_open_alerts",
    "get_quote",
    "get_request",
    "get_trial_balance",
    "is_own_request",
    "iterate_lines",
    "lines_of_entry",
    "list_balance_changes",
    "list_balances",
    "list_conversions",
    "list_posted_lines",
    "list_requests",
    "list_reversal_changes",
    "list_statement_sections",
    "rates_of_pair",
]
