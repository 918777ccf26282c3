"""Words of the ledger: kinds of accounts and entries, lines of an entry, balances. Pure."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

SERVICES_SHARD = -1


class AccountKind(StrEnum):
    """What a ledger account is for: the first three are of clients, the others of the venue."""

    CASH = "CASH"
    SECURITY = "SECURITY"
    MARGIN = "MARGIN"
    TRANSIT = "TRANSIT"
    FEES = "FEES"
    DEALER = "DEALER"
    EXTERNAL = "EXTERNAL"
    CLEARING = "CLEARING"
    INSURANCE = "INSURANCE"
    CONVERSION = "CONVERSION"
    FUNDING = "FUNDING"


CLIENT_KINDS = frozenset({AccountKind.CASH, AccountKind.SECURITY, AccountKind.MARGIN})


class EntryKind(StrEnum):
    """What kind of event an entry books."""

    TRADE = "TRADE"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    TRANSFER = "TRANSFER"
    REVERSAL = "REVERSAL"
    ADJUSTMENT = "ADJUSTMENT"
    CONVERSION = "CONVERSION"
    COLLATERAL = "COLLATERAL"
    FUNDING = "FUNDING"
    LIQUIDATION = "LIQUIDATION"
    BAD_DEBT = "BAD_DEBT"


# Money that a client sends away. Credit is for trading: these take only what is posted and not held
# (`LedgerRow.can_pay_out`), whatever the account's credit limit.
PAY_OUT_KINDS = frozenset(
    {EntryKind.WITHDRAWAL, EntryKind.TRANSFER, EntryKind.CONVERSION, EntryKind.COLLATERAL}
)


# What a client does with money: none of it debits or credits a wallet that is not active. Staff
# still book on one: corrections, reversals.
CLIENT_ENTRY_KINDS = frozenset(
    {EntryKind.TRADE, EntryKind.TRANSFER, EntryKind.CONVERSION, EntryKind.COLLATERAL}
)


class AlertSeverity(StrEnum):
    """How much an alert matters: a critical one is told by `GET /health` too."""

    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


@dataclass(frozen=True, slots=True)
class ClientAccount:
    """A client's ledger account, made when it is first posted to."""

    trading_account_id: int
    asset_id: int
    kind: AccountKind


@dataclass(frozen=True, slots=True)
class VenueAccount:
    """A ledger account of the venue; services post to the row of shard -1."""

    kind: AccountKind
    asset_id: int
    shard: int = SERVICES_SHARD


@dataclass(frozen=True, slots=True)
class Line:
    """One signed line of an entry that is to be booked: positive is in favour of the account."""

    account: ClientAccount | VenueAccount
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Entry:
    """A booked entry. `is_new` is false when its source had been booked before."""

    id: UUID
    kind: EntryKind
    source_kind: str
    source_id: UUID
    occurred_at: datetime
    is_new: bool


@dataclass(frozen=True, slots=True)
class Balance:
    """A client's ledger account as it stands; `overdraft_limit` None = without limit."""

    ledger_account_id: int
    asset: str
    kind: AccountKind
    posted_balance: Decimal
    held_amount: Decimal
    overdraft_limit: Decimal | None
    version: int

    @property
    def available_balance(self) -> Decimal:
        """What is posted and not held."""
        return self.posted_balance - self.held_amount


@dataclass(frozen=True, slots=True)
class PostedLine:
    """One line of a client's statement."""

    id: int
    entry_id: UUID
    entry_kind: str
    source_kind: str
    source_id: UUID
    memo: str
    occurred_at: datetime
    posted_at: datetime
    asset: str
    account_kind: str
    amount: Decimal
    balance_after: Decimal
    account_version: int


@dataclass(frozen=True, slots=True)
class StatementSection:
    """One ledger account of a statement as it stood at its beginning."""

    ledger_account_id: int
    asset: str
    account_kind: AccountKind
    opening_version: int
    opening_balance: Decimal


class TransferStatus(StrEnum):
    """PENDING holds the amount on the source; the other two are final."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class TransferReason(StrEnum):
    """Why a transfer FAILED. The value is stored, and shown as the error code."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    WALLET_SUSPENDED = "wallet_suspended"
    WALLET_CLOSED = "wallet_closed"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_CLOSED = "account_closed"
    LINKED_FAILED = "linked_failed"
    VOIDED = "voided"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True)
class TransferState:
    """A stored transfer. `posted_amount` is what moved; None where nothing has."""

    id: UUID
    source_id: int
    destination_id: int
    currency: str
    amount: Decimal
    posted_amount: Decimal | None
    status: TransferStatus
    reason: str
    is_two_step: bool
    expires_at: datetime | None
    linked_id: UUID | None
    memo: str
    actor: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wallet:
    """A client's cash account, as it stands."""

    id: int
    account_id: int
    broker_id: UUID
    currency: str
    status: str
    posted_balance: Decimal
    held_amount: Decimal
    overdraft_limit: Decimal | None
    version: int
    opened_at: datetime

    @property
    def available_balance(self) -> Decimal:
        """What is posted and not held."""
        return self.posted_balance - self.held_amount
