"""What the ledger refuses: one class per broken rule."""

from typing import Any

from common.errors import Conflict, ExchangeError, NotFound, PermissionDenied, StoredRefusal


class InsufficientFunds(ExchangeError):
    """There is not enough available on the account.

    Facts: required, available, held, in_collateral, in_cash. The last three are where the account
    has more of the asset.
    """

    code = "insufficient_funds"
    status = 422


class AccountNotActive(ExchangeError):
    """The trading account is suspended or closed. Facts: account_id, account_status."""

    code = "account_not_active"
    status = 422


class WalletNotFound(NotFound):
    """There is no such wallet. Facts: wallet_id."""

    code = "wallet_not_found"


class WalletNotActive(ExchangeError):
    """The wallet is suspended or closed. Facts: wallet_id, wallet_status."""

    code = "wallet_not_active"
    status = 422


class UnknownEntry(NotFound):
    """There is no such journal entry. Facts: entry_id."""

    code = "unknown_entry"


class SourceBookedDifferently(Conflict):
    """The same source was booked before with other lines. Facts: entry_id."""

    code = "source_booked_differently"


class EntryNotReversible(Conflict):
    """An entry of this kind is not reversed by hand. Facts: entry_id, entry_kind."""

    code = "entry_not_reversible"


class EntryReversed(Conflict):
    """The entry has been reversed already. Facts: entry_id, reversal_id."""

    code = "entry_reversed"


class ReversalRequested(Conflict):
    """A reversal of the entry has been asked for and waits for approval. Facts: entry_id."""

    code = "reversal_requested"


class AccountNotAdjustable(Conflict):
    """What is in transit, and perpetual clearing, is not adjusted by hand. Facts: account_kind."""

    code = "account_not_adjustable"


class RequestNotFound(NotFound):
    """There is no such request. Facts: request_id."""

    code = "request_not_found"


class RequestNotOpen(Conflict):
    """The request is closed: completed, rejected, canceled or failed. Facts: request_status."""

    code = "request_not_open"


class OwnRequest(PermissionDenied):
    """Nobody decides on a request of their own, nor on their own money."""

    code = "own_request"


class AlreadyDecided(Conflict):
    """This person has approved the request already; it needs another one."""

    code = "already_decided"


class NoConversionRate(ExchangeError):
    """There is no rate between these currencies. Facts: from_currency, to_currency."""

    code = "no_conversion_rate"
    status = 422


class ConversionPairExists(Conflict):
    """The pair has a rate already, this way or the other way round."""

    code = "conversion_pair_exists"


class AmountTooSmall(ExchangeError):
    """The amount comes to nothing in the other currency. Facts: rate."""

    code = "amount_too_small"
    status = 422


class WalletsOfTwoAccounts(ExchangeError):
    """A conversion is between two wallets of one account."""

    code = "wallets_of_two_accounts"
    status = 422


class QuoteNotFound(NotFound):
    """There is no such quote, or no such conversion. Facts: quote_id."""

    code = "quote_not_found"


class QuoteExpired(ExchangeError):
    """The quote is too old; ask for a new one. Facts: expires_at."""

    code = "quote_expired"
    status = 422


class WalletExists(Conflict):
    """The account has a wallet in this currency. Facts: wallet_id, wallet_status."""

    code = "wallet_exists"


class WalletNotEmpty(Conflict):
    """Only a wallet without money and without holds is closed. Facts: posted_balance, held_amount.

    A balance below zero is not empty either.
    """

    code = "wallet_not_empty"


class WalletInUse(Conflict):
    """Money may still come to the wallet or leave it, so it is not closed.

    Facts: wallet_id, open_orders, pending_transfers, open_requests, collateral.
    """

    code = "wallet_in_use"


class NotOwnWallet(PermissionDenied):
    """The wallet that pays is not one of the caller's. Facts: wallet_id."""

    code = "not_own_wallet"


class RecipientNotFound(NotFound):
    """Nobody with this email address has an account that takes transfers."""

    code = "recipient_not_found"


class SameWallet(ExchangeError):
    """A transfer needs two wallets. Facts: wallet_id."""

    code = "same_wallet"
    status = 422


class CurrencyMismatch(ExchangeError):
    """A transfer is between wallets of one currency. Facts: from_currency, to_currency."""

    code = "currency_mismatch"
    status = 422


class StaleVersion(Conflict):
    """The wallet is not at the version that was expected. Facts: wallet_id, version."""

    code = "stale_version"


class TransferRefused(StoredRefusal):
    """The transfer was refused and is stored as FAILED.

    `code` is the reason (`ledger.types.TransferReason`). Facts: transfer_id, required, available.
    """

    code = "transfer_refused"

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(f"The transfer was refused: {reason.replace('_', ' ')}", **facts)
        self.code = reason


class TransferNotFound(NotFound):
    """There is no such transfer. Facts: transfer_id."""

    code = "transfer_not_found"


class NotOwnTransfer(PermissionDenied):
    """The caller has no wallet in the transfer, or not the one that may do this."""

    code = "not_own_transfer"


class TransferFinished(Conflict):
    """The transfer is over and stays as it is. Facts: transfer_status, reason."""

    code = "transfer_finished"


class TransferTimedOut(Conflict):
    """The pending transfer's time is over: its hold is being freed. Facts: expires_at."""

    code = "transfer_timed_out"


class AmountAbovePending(ExchangeError):
    """No more can be posted than the pending transfer holds. Facts: amount."""

    code = "amount_above_pending"
    status = 422


class IdempotencyKeyReused(ExchangeError):
    """This Idempotency-Key was sent before with another request."""

    code = "idempotency_key_reused"
    status = 422


class RequestInProgress(Conflict):
    """A request with this Idempotency-Key is still running."""

    code = "request_in_progress"
    retry_after_seconds = 1


class NotSettledYet(ExchangeError):
    """What was booked up to this instant is not settled yet; ask again. Facts: settled_until."""

    code = "not_settled_yet"
    status = 503
    retry_after_seconds = 1


class ReportTooSlow(ExchangeError):
    """The report takes too long; ask for one asset, or for the present. Facts: seconds_max."""

    code = "report_too_slow"
    status = 503


class LedgerRuleBroken(Conflict):
    """The database refused a change that would break double entry."""

    code = "ledger_rule_broken"


# What a breach of a constraint of ours means to a caller; the code has checked the first before.
CONSTRAINT_ERRORS: dict[str, type[ExchangeError]] = {
    "ledger_account_within_limit": InsufficientFunds,
    "ledger_account_held_not_negative": LedgerRuleBroken,
    "posting_sum_zero": LedgerRuleBroken,
    "ledger_append_only": LedgerRuleBroken,
    "conversion_rate_once": ConversionPairExists,
    "request_one_open_reversal": ReversalRequested,
    "approval_once_per_person": AlreadyDecided,
}
