"""One batch: what was loaded for it (`BatchContext`) and what it changes (`BatchChanges`). Pure.

`Batch` is both with the state of the shard: the one argument of all that runs commands.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import msgspec

from ledger.batch import LedgerBatch, LedgerRow
from margin.calculations import margin_state
from margin.types import Freeze, LiquidationRow, MarginState, NewFunding, StepRow
from marketdata.types import NewMark
from orders.calculations import wallet_reason
from orders.commands import AnyCommand, AnyOutcome
from orders.engine.core.positions import LivePosition, Owner, PositionKey
from orders.engine.core.state import LiveOrder, ShardState
from orders.types import DEALER, Reason


class LockPlanMiss(Exception):
    """Matching reached a row outside the locked set; the batch is run again with it locked.

    `account_ids`: its owner, and others whose rows it may reach next.
    """

    def __init__(self, *account_ids: int) -> None:
        super().__init__(*account_ids)
        self.account_ids = account_ids


class Received(msgspec.Struct, frozen=True, gc=False):
    """A command as it came from the stream, with its age when it was taken.

    `request_id` is that of the request that it is of, empty where it is of none.
    """

    stream_id: str
    age_ms: int
    command: AnyCommand
    request_id: str = ""


@dataclass(slots=True)
class BatchContext:
    """What the database said under lock, before matching."""

    # Trading accounts: why they may not trade, or None.
    accounts: dict[int, Reason | None] = field(default_factory=dict)
    # Ledger rows of clients by (trading account, asset), and of fees by asset.
    rows: dict[tuple[int, int], LedgerRow] = field(default_factory=dict)
    fee_rows: dict[int, LedgerRow] = field(default_factory=dict)
    # Collateral by owner, and the clearing account of perpetuals by asset.
    margin_rows: dict[Owner, LedgerRow] = field(default_factory=dict)
    clearing_rows: dict[int, LedgerRow] = field(default_factory=dict)
    # Of accounts that take part in perpetuals: those that have to fund their orders before, the
    # house's own, and their brokers; frozen collateral.
    prefunded: set[int] = field(default_factory=set)
    house: set[int] = field(default_factory=set)
    brokers: dict[int, bytes] = field(default_factory=dict)
    frozen: set[Owner] = field(default_factory=set)
    known_orders: set[bytes] = field(default_factory=set)
    order_keys: dict[tuple[int, str], bytes] = field(default_factory=dict)
    # Idempotency-Keys: the fingerprint of the request that each came with, and its order.
    request_keys: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)
    known_commands: dict[bytes, str] = field(default_factory=dict)
    # Until when perpetuals are funded, of those that the batch is to fund.
    last_fundings: dict[int, int] = field(default_factory=dict)
    # Of instruments, to notice changed rules.
    instrument_versions: dict[int, int] = field(default_factory=dict)
    # Brokers that want webhooks, with the formats of their endpoints.
    webhook_brokers: dict[bytes, set[str]] = field(default_factory=dict)
    # Orders that a cancel names and that are not open: (broker, account) that own them.
    closed_orders: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)

    def row(self, account_id: int, asset_id: int) -> LedgerRow:
        """A locked balance.

        Raises:
            LockPlanMiss: it was not foreseen.
        """
        row = self.rows.get((account_id, asset_id))
        if row is None:
            raise LockPlanMiss(account_id)
        return row

    def margin_row(self, account_id: int, asset_id: int) -> LedgerRow:
        """The locked collateral of an account. Raises as `row` does."""
        row = self.margin_rows.get((account_id, asset_id))
        if row is None:
            raise LockPlanMiss(account_id)
        return row

    def all_rows(self) -> list[LedgerRow]:
        """Every locked balance."""
        kinds = (self.rows, self.fee_rows, self.margin_rows, self.clearing_rows)
        return [row for rows in kinds for row in rows.values()]


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
    # Idempotency-Key, fingerprint and order.
    request_keys: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)
    # Stored orders that changed, by id, and those of them whose change is not written yet.
    changed_orders: dict[bytes, LiveOrder] = field(default_factory=dict)
    unwritten_changes: dict[bytes, LiveOrder] = field(default_factory=dict)
    trades: list[TradeRow] = field(default_factory=list)
    # Orders that are refused, with the facts in units.
    refusals: list[tuple[bytes, dict[str, int]]] = field(default_factory=list)
    # Of deals in perpetuals: the trade, and collateral and position of the account right after it.
    deal_results: list[tuple[bytes, int, int]] = field(default_factory=list)
    commands: list[tuple[bytes, str, str]] = field(default_factory=list)
    # Sold minus bought by (broker, asset).
    broker_nets: dict[tuple[bytes, int], int] = field(default_factory=dict)
    # Broker, event, payload, and the format of endpoints that it is for (empty: any).
    webhooks: list[tuple[bytes, str, str, str]] = field(default_factory=list)
    outcomes: dict[str, list[AnyOutcome]] = field(default_factory=dict)
    touched_instruments: set[int] = field(default_factory=set)
    # Those that make no market price, by venue: of the dealer, of liquidations.
    other_orders: defaultdict[str, list[LiveOrder]] = field(
        default_factory=lambda: defaultdict(list)
    )
    other_trades: defaultdict[str, list[TradeRow]] = field(
        default_factory=lambda: defaultdict(list)
    )
    positions: dict[PositionKey, LivePosition] = field(default_factory=dict)
    marks: list[NewMark] = field(default_factory=list)
    fundings: list[NewFunding] = field(default_factory=list)
    liquidations: list[LiquidationRow] = field(default_factory=list)
    liquidation_steps: list[StepRow] = field(default_factory=list)
    freezes: dict[Owner, Freeze] = field(default_factory=dict)

    @property
    def ordered_trade_count(self) -> int:
        """Trades of clients' orders: all but those of liquidations."""
        return len(self.trades) + len(self.other_trades.get(DEALER, ()))

    def answer(self, reply_to: str, outcome: AnyOutcome) -> None:
        """Queue an answer for the web process that waits for it."""
        if reply_to:
            self.outcomes.setdefault(reply_to, []).append(outcome)

    def freeze(self, owner: Owner, reason: str) -> None:
        """Let a collateral take no new orders until staff allows it again."""
        self.freezes[owner] = Freeze(*owner, reason)

    def touch(self, position: LivePosition) -> None:
        """Store a position at the end; once a batch its version goes up."""
        if position.key not in self.positions:
            self.positions[position.key] = position
            position.version += 1


@dataclass(slots=True)
class Batch:
    """A batch that is being executed: what it works on, and what it has come to so far."""

    state: ShardState
    context: BatchContext
    changes: BatchChanges
    # Orders that arrived or were closed in the batch: it may still ask for them.
    seen: dict[bytes, LiveOrder] = field(default_factory=dict)
    # Accounts that may not trade, with the reason: their orders are no longer makers.
    stopped: dict[int, Reason] = field(init=False)
    # Wallets that are not active, by owner and asset, likewise.
    stopped_wallets: dict[Owner, Reason] = field(init=False)
    # By instrument: its open orders by account, and how many had arrived in the batch by then.
    resting_by_account: dict[int, tuple[dict[int, list[LiveOrder]], int]] = field(
        default_factory=dict
    )
    # Sides of perpetuals in the order in which they are deleveraged.
    deleverage_ranks: dict[tuple[int, ...], list[LivePosition]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stopped = {id: reason for id, reason in self.context.accounts.items() if reason}
        self.stopped_wallets = {
            owner: reason
            for owner, row in self.context.rows.items()
            if (reason := wallet_reason(row.status))
        }

    def margin_of(self, owner: Owner) -> MarginState:
        """How an owner's collateral stands now, at the marks.

        Raises:
            LockPlanMiss: the collateral is not locked.
        """
        collateral = self.context.margin_row(*owner).posted
        return margin_state(collateral, self.state.positions.exposures(owner))
