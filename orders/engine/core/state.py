"""What an engine keeps in memory: open orders, books, ids of ledger accounts, positions. Pure.

Everything here can be rebuilt from the database; `recovery` does so at a start and after a failure.
Money is in units of 10^-8, prices in ticks, quantities in lots, instants in microseconds.
"""

from dataclasses import dataclass, field

from orders.calculations import buy_hold
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.positions import Owner, PositionBook
from orders.matching.matcher import Matcher
from orders.matching.types import Order, OrderType, Side, TimeInForce
from orders.types import Reason

# Looked up once: an attribute of an enum costs more than a global name.
_BUY, _LIMIT, _IOC = Side.BUY, OrderType.LIMIT, TimeInForce.IOC


class LiveOrder(Order):
    """A resting or arriving order with what settling it needs.

    `hold` is what is set aside for it now, `reserve_per_lot` what each open lot of a perpetual
    would lose by the mark of its arrival; fees and notionals are so far, by liquidity role.
    """

    __slots__ = (
        "broker_id",
        "client_order_id",
        "created_at",
        "hold",
        "instrument",
        "is_new",
        "maker_fee",
        "maker_notional",
        "maker_rate",
        "reason",
        "reserve_per_lot",
        "status",
        "taker_fee",
        "taker_notional",
        "taker_rate",
    )

    def __init__(
        self,
        *,
        order_id: bytes,
        account_id: int,
        broker_id: bytes,
        instrument: InstrumentRules,
        side: Side,
        order_type: OrderType,
        time_in_force: TimeInForce,
        price: int | None,
        quantity: int,
        remaining: int,
        sequence: int,
        valid_until: int | None,
        client_order_id: str | None,
        created_at: int,
        maker_rate: int,
        taker_rate: int,
    ) -> None:
        super().__init__(
            order_id,
            account_id,
            side,
            order_type,
            time_in_force,
            price,
            quantity,
            sequence,
            valid_until,
            remaining,
        )
        self.broker_id = broker_id
        self.instrument = instrument
        self.client_order_id = client_order_id
        self.created_at = created_at
        self.maker_rate = maker_rate
        self.taker_rate = taker_rate
        self.hold = self.reserve_per_lot = 0
        self.maker_notional = self.taker_notional = self.maker_fee = self.taker_fee = 0
        self.status = "OPEN"
        self.reason = ""
        self.is_new = False

    @property
    def id_bytes(self) -> bytes:
        return self.order_id  # type: ignore[return-value]

    @property
    def claims_keys(self) -> bool:
        """Whether its keys are taken: an order that came too late may be sent again."""
        return self.reason != Reason.DEADLINE_EXCEEDED

    @property
    def may_rest(self) -> bool:
        """Whether what does not trade at once goes into the book."""
        return self.order_type == _LIMIT and self.time_in_force != _IOC

    @property
    def paying_asset_id(self) -> int:
        """What it pays with: the quote asset of a buy, the base asset of a sell."""
        rules = self.instrument
        return rules.quote_asset_id if self.side == _BUY else rules.base_asset_id

    def hold_needed(self) -> int:
        """What the open rest of this limit order sets aside: quote of a buy, base of a sell."""
        if not self.remaining:
            return 0
        rules = self.instrument
        if self.side != _BUY:
            return self.remaining * rules.lot
        assert self.price is not None
        notional = self.price * self.remaining * rules.factor
        return buy_hold(notional, self.maker_rate, self.taker_rate, rules.fee_unit)


@dataclass(slots=True)
class ShardState:
    """The memory of a shard's engine, and its checkpoint."""

    shard: int
    epoch: int = 0
    last_id: str = "0-0"
    next_sequence: int = 1
    batch_time: int = 0
    matcher: Matcher = field(default_factory=Matcher)
    instruments: dict[int, InstrumentRules] = field(default_factory=dict)
    live_orders: dict[bytes, LiveOrder] = field(default_factory=dict)
    last_prices: dict[int, int] = field(default_factory=dict)
    # Ids of ledger accounts: (trading account, asset) of clients, asset of the fee accounts.
    client_ledger_ids: dict[tuple[int, int], int] = field(default_factory=dict)
    fee_ledger_ids: dict[int, int] = field(default_factory=dict)
    # Collateral by (trading account, asset), and the clearing account of perpetuals by asset.
    margin_ledger_ids: dict[Owner, int] = field(default_factory=dict)
    clearing_ledger_ids: dict[int, int] = field(default_factory=dict)
    positions: PositionBook = field(default_factory=PositionBook)

    def add_instrument(self, rules: InstrumentRules) -> None:
        """Know an instrument, new or with changed rules; its book is made when it has none."""
        known = self.instruments.get(rules.instrument_id)
        if known is None:
            self.instruments[rules.instrument_id] = rules
            self.matcher.add_book(rules.instrument_id, rules.price_rule)
            return
        for name in InstrumentRules.__slots__:
            setattr(known, name, getattr(rules, name))
        self.matcher.books[rules.instrument_id].price_rule = rules.price_rule

    def asset_code(self, quote_asset_id: int) -> str:
        """The code of an asset in which something is quoted here."""
        rules = self.instruments.values()
        return next(one.quote_code for one in rules if one.quote_asset_id == quote_asset_id)

    def forget_orders(self, instrument_ids: set[int]) -> None:
        """Drop the orders of some instruments, for a rebuild from the database."""
        gone = [
            order_id
            for order_id, order in self.live_orders.items()
            if order.instrument.instrument_id in instrument_ids
        ]
        for order_id in gone:
            del self.live_orders[order_id]
        for instrument_id in instrument_ids:
            self.matcher.drop_book(instrument_id)
            self.matcher.add_book(instrument_id, self.instruments[instrument_id].price_rule)
            self.last_prices.pop(instrument_id, None)

    def forget_ledger_ids(self) -> None:
        """Ask for the ids of ledger accounts again: those of a rolled back batch do not exist."""
        self.client_ledger_ids.clear()
        self.fee_ledger_ids.clear()
        self.margin_ledger_ids.clear()
        self.clearing_ledger_ids.clear()
