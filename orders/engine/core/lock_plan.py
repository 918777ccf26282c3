"""Which rows a batch can touch, found before its transaction by a look at the books. Pure.

An order that can trade with nothing that is in the book or in the batch needs only the balance that
it holds from; one that can needs both, and so do the owners of the resting orders within reach.
Should matching still touch another row, it runs again with that one locked.
"""

from dataclasses import dataclass, field

from orders.commands import PlaceOrder
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.positions import LivePosition, Owner
from orders.engine.core.state import LiveOrder, ShardState
from orders.matching.types import Side

# Sides are plain ints here: an enum member hashes in Python.
_BUY, _SELL = int(Side.BUY), int(Side.SELL)
# Above every price in ticks.
_HIGHEST = 1 << 100


@dataclass(slots=True)
class LockPlan:
    """What a batch can touch. `accounts` are trading accounts: of orders, and of their makers."""

    accounts: set[int] = field(default_factory=set)
    # Ledger rows by (trading account, asset), with the kind that a missing one gets.
    rows: dict[tuple[int, int], str] = field(default_factory=dict)
    fee_assets: set[int] = field(default_factory=set)
    # Of perpetuals: collateral, clearing accounts, and who places orders or is liquidated.
    margin_rows: set[Owner] = field(default_factory=set)
    clearing_assets: set[int] = field(default_factory=set)
    margin_takers: set[int] = field(default_factory=set)
    # The accounts of the insurance fund: their money is the venue's own.
    funds: set[Owner] = field(default_factory=set)
    instruments: set[int] = field(default_factory=set)
    # Perpetuals that are to be funded.
    funded: set[int] = field(default_factory=set)
    orders: list[bytes] = field(default_factory=list)
    keys: list[tuple[int, str]] = field(default_factory=list)
    request_keys: list[bytes] = field(default_factory=list)
    commands: list[bytes] = field(default_factory=list)
    closed_orders: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class _Arriving:
    """The batch's orders of one instrument; `lots` and `worst` bound what each side can take."""

    # Account, side, limit in ticks (None: market).
    orders: list[tuple[int, int, int | None]] = field(default_factory=list)
    # By side (BUY, SELL): all lots, and what resting orders the batch closes would have taken.
    lots: list[int] = field(default_factory=lambda: [0, 0, 0])
    # Highest price of the buys and lowest of the sells; None: a market order, it takes any.
    worst: dict[int, int | None] = field(default_factory=dict)

    def add(self, command: PlaceOrder) -> None:
        side, price = int(command.side), command.price_ticks
        self.orders.append((command.account_id, side, price))
        self.lots[side] += command.quantity_lots
        if side not in self.worst:
            self.worst[side] = price
            return
        worst = self.worst[side]
        if price is None or worst is None:
            self.worst[side] = None
        elif side == _BUY:
            self.worst[side] = max(price, worst)
        else:
            self.worst[side] = min(price, worst)


@dataclass(slots=True)
class LockPlanner:
    """Gathers the lock plan of a batch, command by command, by a look at the shard's state.

    `extra_owners`: accounts that an earlier try ran into.
    """

    state: ShardState
    extra_owners: set[int]
    plan: LockPlan = field(default_factory=LockPlan)
    # Resting orders that the batch cancels.
    closing: list[LiveOrder] = field(default_factory=list)
    _arriving: dict[int, _Arriving] = field(default_factory=dict)

    def add_arriving(self, command: PlaceOrder) -> None:
        """An order that is to meet its book; what it can touch depends on all that arrive."""
        known = self._arriving.get(command.instrument_id)
        if known is None:
            known = self._arriving[command.instrument_id] = _Arriving()
        known.add(command)

    def add_instrument(self, rules: InstrumentRules) -> None:
        """An instrument that may trade: its rules, and the venue's rows in its quote asset."""
        self.plan.instruments.add(rules.instrument_id)
        rules.kind.plan_venue(rules, self.plan)

    def owners_met(self, position: LivePosition) -> set[int]:
        """Whose orders an order meets that closes all of a position at any price."""
        if not position.quantity:
            return set()
        side = Side.SELL if position.quantity > 0 else Side.BUY
        book = self.state.matcher.books[position.instrument.instrument_id]
        return book.reachable_accounts(side, None, abs(position.quantity))

    def finish(self, due: list[LiveOrder]) -> LockPlan:
        """The plan; `due`: orders that are still in their books and expire first."""
        for order in (*self.closing, *due):
            order.instrument.kind.plan_closing(order, self.plan)
            _reach_past(self._arriving, order)
        for instrument_id, arrivals in self._arriving.items():
            self._need_matching(self.state.instruments[instrument_id], arrivals)
        return self.plan

    def _need_matching(self, rules: InstrumentRules, arrivals: _Arriving) -> None:
        plan, book = self.plan, self.state.matcher.books[rules.instrument_id]
        plan_paying, plan_trading = rules.kind.plan_paying, rules.kind.plan_trading
        self.add_instrument(rules)
        rules.kind.plan_takers((account_id for account_id, _side, _ in arrivals.orders), plan)
        trading = set(self.extra_owners)
        for side, worst in arrivals.worst.items():
            trading |= book.reachable_accounts(Side(side), worst, arrivals.lots[side])
        # The prices that an order has to meet in order to trade: of the book, or of the batch.
        asks = _with_worst(book.best_ask, arrivals, _SELL, market=0)
        bids = _with_worst(book.best_bid, arrivals, _BUY, market=_HIGHEST)
        lowest_ask, highest_bid = min(asks, default=_HIGHEST + 1), max(bids, default=-1)
        for account_id, side, price in arrivals.orders:
            if price is None or (price >= lowest_ask if side == _BUY else price <= highest_bid):
                trading.add(account_id)
            else:
                plan_paying(account_id, side, rules, plan)
        plan.accounts |= trading
        for account_id in trading:
            plan_trading(account_id, rules, plan)


def _reach_past(arriving: dict[int, _Arriving], order: LiveOrder) -> None:
    """A resting order that the batch cancels or expires lets its takers reach so much further."""
    known = arriving.get(order.instrument.instrument_id)
    if known is not None:
        known.lots[_SELL if order.side == _BUY else _BUY] += order.remaining


def _with_worst(best: int | None, arrivals: _Arriving, side: int, *, market: int) -> list[int]:
    """The best price of this side in the book, and the one of the batch that goes furthest."""
    prices = [] if best is None else [best]
    if side in arrivals.worst:
        worst = arrivals.worst[side]
        prices.append(market if worst is None else worst)
    return prices
