"""One batch: what was loaded for it (`BatchContext`) and what it changes (`BatchChanges`). Pure."""

from dataclasses import dataclass, field

from ledger.bulk import LedgerBatch, LedgerRow
from orders.commands import AnyCommand, AnyOutcome
from orders.engine.state import LiveOrder
from orders.types import Reason


class RowNotLocked(Exception):
    """Matching reached a row outside the locked set; the batch is run again with it locked."""

    def __init__(self, account_id: int) -> None:
        super().__init__(account_id)
        self.account_id = account_id


@dataclass(slots=True, frozen=True)
class Received:
    """A command as it came from the stream, with its age when it was taken."""

    stream_id: str
    age_ms: int
    command: AnyCommand


@dataclass(slots=True)
class BatchContext:
    """What the database said under lock, before matching."""

    # Trading accounts: why they may not trade, or None.
    accounts: dict[int, Reason | None] = field(default_factory=dict)
    # Ledger rows of clients by (trading account, asset), and of fees by asset.
    rows: dict[tuple[int, int], LedgerRow] = field(default_factory=dict)
    fee_rows: dict[int, LedgerRow] = field(default_factory=dict)
    known_orders: set[bytes] = field(default_factory=set)
    order_keys: dict[tuple[int, str], bytes] = field(default_factory=dict)
    known_commands: dict[bytes, str] = field(default_factory=dict)
    # Brokers that want webhooks.
    webhook_brokers: set[bytes] = field(default_factory=set)
    # Orders that a cancel names and that are not open: (broker, account) that own them.
    closed_orders: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)

    def row(self, account_id: int, asset_id: int) -> LedgerRow:
        """A locked balance.

        Raises:
            RowNotLocked: it was not foreseen.
        """
        row = self.rows.get((account_id, asset_id))
        if row is None:
            raise RowNotLocked(account_id)
        return row


@dataclass(slots=True)
class TradeRow:
    """A trade to be stored; money in units, price in ticks, quantity in lots."""

    trade_id: bytes
    buy: LiveOrder
    sell: LiveOrder
    price: int
    quantity: int
    notional: int
    buy_fee: int
    sell_fee: int
    taker_is_buyer: bool
    sequence: int


@dataclass(slots=True)
class BatchChanges:
    """What a batch did: rows to write, answers to send, books to publish."""

    batch_time: int
    ledger: LedgerBatch
    new_orders: list[LiveOrder] = field(default_factory=list)
    # Stored orders that changed, by id, and those of them whose change is not written yet.
    changed_orders: dict[bytes, LiveOrder] = field(default_factory=dict)
    unwritten_changes: dict[bytes, LiveOrder] = field(default_factory=dict)
    trades: list[TradeRow] = field(default_factory=list)
    commands: list[tuple[bytes, str, str]] = field(default_factory=list)
    # Sold minus bought by (broker, asset).
    broker_nets: dict[tuple[bytes, int], int] = field(default_factory=dict)
    webhooks: list[tuple[bytes, str]] = field(default_factory=list)
    outcomes: dict[str, list[AnyOutcome]] = field(default_factory=dict)
    touched_instruments: set[int] = field(default_factory=set)

    def answer(self, reply_to: str, outcome: AnyOutcome) -> None:
        """Queue an answer for the web process that waits for it."""
        if reply_to:
            self.outcomes.setdefault(reply_to, []).append(outcome)
