"""What the ledger refuses: one class per broken rule."""

from common.errors import Conflict, ExchangeError, NotFound


class InsufficientFunds(ExchangeError):
    """There is not enough available on the account. Facts: required, available."""

    code = "insufficient_funds"
    status = 422


class AccountNotActive(ExchangeError):
    """The trading account is suspended or closed. Facts: account_id, account_status."""

    code = "account_not_active"
    status = 422


class UnknownEntry(NotFound):
    """There is no such journal entry. Facts: entry_id."""

    code = "unknown_entry"


class SourceBookedDifferently(Conflict):
    """The same source was booked before with other lines. Facts: entry_id."""

    code = "source_booked_differently"


class EntryNotReversible(Conflict):
    """Trades are busted by the engine and reversals are final: neither is reversed here."""

    code = "entry_not_reversible"


class LedgerRuleBroken(Conflict):
    """The database refused a change that would break double entry."""

    code = "ledger_rule_broken"


# What a breach of a constraint of ours means to a caller; the code has checked the first before.
CONSTRAINT_ERRORS: dict[str, type[ExchangeError]] = {
    "ledger_account_within_limit": InsufficientFunds,
    "ledger_account_held_not_negative": LedgerRuleBroken,
    "posting_sum_zero": LedgerRuleBroken,
    "ledger_append_only": LedgerRuleBroken,
}
