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


@dataclass(frozen=True, slots=True)
class RequestKey:
    """An Idempotency-Key of a caller (`owner`), and the SHA-256 of the request that names it."""

    owner: str
    key: str
    fingerprint: str

    @property
    def name(self) -> tuple[str, str]:
        """What is unique: the same key of another owner is another key."""
        return self.owner, self.key


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer to a request, as it is stored for its key: status and body, byte for byte."""

    status: int
    body: str
