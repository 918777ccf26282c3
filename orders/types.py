"""Words of orders: reasons, results of commands, orders and books as they stand. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from common.money import DECIMAL_PLACES, EXACT, round_half_up

# The shard in the ids of orders and trades that services make: no engine has it, so that the ids
# never meet the engines' own, and who has an id knows who decides.
SERVICES_SHARD = 0xFFF


# The venue of orders and trades of liquidations: they make no market price.
FORCED = "FORCED"
DEALER = "DEALER"

# What a refusal was about: amounts (`required`, `available`), ids (`wallet_id`).
RefusalFacts = Mapping[str, Decimal | int]


class Reason(StrEnum):
    """Why an order is CANCELED, EXPIRED or REJECTED. The value is stored, and shown as the code."""

    # canceled
    BY_USER = "by_user"
    BY_STAFF = "by_staff"
    NO_LIQUIDITY = "no_liquidity"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"
    LIQUIDATION = "liquidation"
    # expired
    VALID_UNTIL_PASSED = "valid_until_passed"
    # either: what arrives is rejected, what rests is canceled
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_CLOSED = "account_closed"
    BROKER_SUSPENDED = "broker_suspended"
    WALLET_SUSPENDED = "wallet_suspended"
    WALLET_CLOSED = "wallet_closed"
    # rejected
    DEADLINE_EXCEEDED = "deadline_exceeded"
    INSTRUMENT_NOT_TRADING = "instrument_not_trading"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    INSUFFICIENT_POSITION = "insufficient_position"
    CREDIT_LIMIT_EXCEEDED = "credit_limit_exceeded"
    MARGIN_ACCOUNT_REQUIRED = "margin_account_required"
    QUANTITY_BELOW_MINIMUM = "quantity_below_minimum"
    QUANTITY_ABOVE_MAXIMUM = "quantity_above_maximum"
    NOTIONAL_BELOW_MINIMUM = "notional_below_minimum"
    NOTIONAL_ABOVE_MAXIMUM = "notional_above_maximum"
    PRICE_OUT_OF_BAND = "price_out_of_band"
    PRICE_NOT_MARKETABLE = "price_not_marketable"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    MARGIN_ACCOUNT_FROZEN = "margin_account_frozen"
    MARK_PRICE_STALE = "mark_price_stale"
    POSITION_ABOVE_MAXIMUM = "position_above_maximum"
    # either, at the wish of a sandbox account
    SIMULATED = "simulated"


class Result(StrEnum):
    """What became of a command that is no order."""

    CANCELED = "canceled"
    NOT_OPEN = "not_open"
    UNKNOWN_ORDER = "unknown_order"
    FORBIDDEN = "forbidden"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    MARK_JUMP_TOO_LARGE = "mark_jump_too_large"
    NOT_NEEDED = "not_needed"
    MARK_PRICE_STALE = "mark_price_stale"
    INSTRUMENT_NOT_TRADING = "instrument_not_trading"


# Nothing was done and nothing is remembered: the same command may be executed another time.
RETRYABLE_RESULTS = frozenset({Result.MARK_PRICE_STALE})


def reason_of(status: str, stored: str) -> str:
    """The reason that an order of this status shows; one that reads EXPIRED may not be swept."""
    return stored or (Reason.VALID_UNTIL_PASSED.value if status == "EXPIRED" else "")


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What the sender of an order asked for: the same again is the same order."""

    account_id: int
    instrument_id: int
    side: str
    order_type: str
    time_in_force: str
    limit_price: Decimal | None
    quantity: Decimal
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class OrderFill:
    """One fill of an order. `counterparty_broker` is empty where it was not asked for."""

    trade_id: UUID
    price: Decimal
    quantity: Decimal
    fee: Decimal
    liquidity_role: str
    executed_at: datetime
    counterparty_broker: str = ""


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order as it stands. One past its `valid_until` is open until the engine has expired it.

    `notional` and `fee` are of all fills so far, in the quote asset. `fills` come oldest first;
    they and `refusal_facts` are empty in lists.
    """

    id: UUID
    broker_id: UUID
    terms: OrderTerms
    symbol: str
    client_order_id: str | None
    status: str
    reason: str
    filled_quantity: Decimal
    notional: Decimal
    fee: Decimal
    created_at: datetime
    updated_at: datetime
    fills: tuple[OrderFill, ...] = ()
    venue: str = "BOOK"
    refusal_facts: RefusalFacts = field(default_factory=dict)

    def as_acknowledged(self) -> "OrderState":
        """The order as it stood when it had been placed: with what it took at once, and open then.

        One that rested is filled, canceled and expired later; any other was final at once.
        """
        terms = self.terms
        may_rest = terms.order_type == "LIMIT" and terms.time_in_force != "IOC"
        came_late = terms.valid_until is not None and terms.valid_until <= self.created_at
        if not may_rest or came_late:
            return self
        fills = tuple(fill for fill in self.fills if fill.liquidity_role == "TAKER")
        filled = sum((fill.quantity for fill in fills), Decimal(0))
        status = "PARTIALLY_FILLED" if filled else "OPEN"
        return replace(
            self,
            status="FILLED" if filled == terms.quantity else status,
            reason="",
            filled_quantity=filled,
            notional=sum((fill.price * fill.quantity for fill in fills), Decimal(0)),
            fee=sum((fill.fee for fill in fills), Decimal(0)),
            updated_at=self.created_at,
            fills=fills,
        )

    @property
    def is_open(self) -> bool:
        """Whether it may still trade."""
        return self.status in ("OPEN", "PARTIALLY_FILLED")

    @property
    def remaining_quantity(self) -> Decimal:
        """What was not filled; of a closed order it never will be."""
        return self.terms.quantity - self.filled_quantity

    @property
    def average_fill_price(self) -> Decimal | None:
        """Mean price of the fills by quantity, at 8 decimals, halves up; None without fills."""
        if not self.filled_quantity:
            return None
        return round_half_up(EXACT.divide(self.notional, self.filled_quantity), DECIMAL_PLACES)


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """The answer to an order: `was_created` is False when it had been placed before.

    `is_replay`: it is the first answer again, for the same Idempotency-Key.
    """

    order: OrderState
    was_created: bool
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class Deal:
    """What came of dealing with the venue at the market price.

    Cash and holding are the balances right after it, in quote and base asset.
    `price_age_seconds` is how old the price was then.
    """

    order: OrderState
    trade_id: UUID
    price: Decimal
    quantity: Decimal
    notional: Decimal
    fee: Decimal
    executed_at: datetime
    price_source: str
    price_as_of: datetime
    price_age_seconds: int
    is_price_simulated: bool
    cash_balance: Decimal
    holding: Decimal
    was_created: bool
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class BookLevel:
    """All open orders of one price."""

    price: Decimal
    quantity: Decimal
    order_count: int


@dataclass(frozen=True, slots=True)
class Book:
    """Both sides of a book, best first."""

    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]


@dataclass(frozen=True, slots=True)
class PriceSummary:
    """The last trade's price, and sum and number of the last trades' prices."""

    last_price: Decimal
    total: Decimal
    count: int

    @property
    def average_price(self) -> Decimal:
        """The mean, at 60 digits."""
        return EXACT.divide(self.total, self.count)
