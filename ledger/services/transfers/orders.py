"""What is asked for and what comes of it: transfers on their way through one transaction. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from common.errors import ExchangeError
from common.request_keys import RequestKey, StoredAnswer
from ledger.types import TransferState

TIMEOUT_SECONDS = 24 * 3600
TIMEOUT_SECONDS_MAX = 30 * 24 * 3600
BATCH_MAX = 1_000


@dataclass(frozen=True, slots=True)
class TransferOutcome:
    """One of: a stored transfer (with the error where it FAILED), an error, an earlier answer."""

    transfer: TransferState | None = None
    error: ExchangeError | None = None
    earlier: StoredAnswer | None = None


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """The Idempotency-Key of a transfer, and how its answer is written."""

    key: RequestKey
    write: Callable[[TransferOutcome], StoredAnswer]


@dataclass(frozen=True, slots=True)
class TransferOrder:
    """One transfer that somebody asks for, in units of the currency; `id` is a new UUIDv7.

    The caller is a broker (`broker_id`) or one account of it (`account_id`). It goes to
    `destination_id`, or to the wallet of the person of `to_email`. With `timeout_seconds` it has
    two steps. Neighbours with the same `linked_id` succeed or fail together.
    """

    id: UUID
    broker_id: UUID
    account_id: int | None
    actor: str
    source_id: int
    amount: Decimal
    destination_id: int | None = None
    to_email: str | None = None
    memo: str = ""
    timeout_seconds: int | None = None
    expected_version: int | None = None
    linked_id: UUID | None = None
    request: KeyedRequest | None = None

    def is_owner_of(self, *, broker_id: UUID, account_id: int) -> bool:
        """Whether the caller owns a wallet of that account."""
        return self.broker_id == broker_id and self.account_id in (None, account_id)
