"""Which rows a batch can touch, found before its transaction by a look at the books. Pure.

An order that can trade with nothing that is in the book or in the batch needs only the balance that
it holds from; one that can needs both, and so do the owners of the resting orders within reach.
Should matching still touch another row, it runs again with that one locked.
"""

from dataclasses import dataclass, field

from orders.commands import (
    CancelOrder,
    DealPerpetual,
    FixFunding,
    LiquidateAccount,
    PlaceOrder,
    ReduceFund,
    SetMarkPrice,
)
from orders.engine.core.batch import Received
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.perpetuals.positions import LivePosition, Owner
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

    def add_both(self, account_id: int, rules: InstrumentRules) -> None:
        """The balances of an account that may trade."""
        if rules.is_perpetual:
            self.margin_rows.add((account_id, rules.quote_asset_id))
            return
        self.rows[account_id, rules.quote_asset_id] = rules.quote_kind
        self.rows[account_id, rules.base_asset_id] = rules.base_kind

    def add_paying(self, account_id: int, side: int, rules: InstrumentRules) -> None:
        """The balance that an order of this side holds from and is checked against."""
        if rules.is_perpetual:
            self.margin_rows.add((account_id, rules.quote_asset_id))
        elif side == _BUY:
            self.rows[account_id, rules.quote_asset_id] = rules.quote_kind
        else:
            self.rows[account_id, rules.base_asset_id] = rules.base_kind


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


def plan_locks(
    state: ShardState, received: list[Received], due: list[LiveOrder], extra_owners: set[int]
) -> LockPlan:
    """Collect what the batch can touch.

    `due`: orders that are still in their books and expire first; `extra_owners`: those that an
    earlier try ran into.
    """
    plan = LockPlan()
    arriving: dict[int, _Arriving] = {}
    canceled: list[LiveOrder] = []
    for item in received:
        command = item.command
        if isinstance(command, PlaceOrder):
            if command.instrument_id not in state.instruments:
                continue
            plan.accounts.add(command.account_id)
            plan.orders.append(command.command_id)
            if command.client_order_id is not None:
                plan.keys.append((command.account_id, command.client_order_id))
            if command.request_key is not None:
                plan.request_keys.append(command.request_key)
            if isinstance(command, DealPerpetual):
                _need_deal(plan, state, command)
                continue
            known = arriving.get(command.instrument_id)
            if known is None:
                known = arriving[command.instrument_id] = _Arriving()
            known.add(command)
            continue
        plan.commands.append(command.command_id)
        if isinstance(command, (SetMarkPrice, FixFunding)):
            if command.instrument_id in state.instruments:
                plan.instruments.add(command.instrument_id)
                if isinstance(command, FixFunding):
                    plan.funded.add(command.instrument_id)
        elif isinstance(command, LiquidateAccount):
            _need_liquidation(plan, state, command, extra_owners)
        elif isinstance(command, ReduceFund):
            _need_reduction(plan, state, command, extra_owners)
        elif isinstance(command, CancelOrder):
            order = state.live_orders.get(command.order_id)
            if order is None:
                plan.closed_orders.append(command.order_id)
            else:
                canceled.append(order)
    for order in canceled:
        _need_hold(plan, order)
        _reach_past(arriving, order)
    for order in due:
        _need_hold(plan, order)
        _reach_past(arriving, order)
    for instrument_id, arrivals in arriving.items():
        _need_matching(plan, state, instrument_id, arrivals, extra_owners)
    return plan


def _need_hold(plan: LockPlan, order: LiveOrder) -> None:
    if order.hold or order.instrument.is_perpetual:
        plan.add_paying(order.account_id, order.side, order.instrument)


def _need_deal(plan: LockPlan, state: ShardState, command: DealPerpetual) -> None:
    """A dealer trade: both collaterals, no book."""
    rules = state.instruments[command.instrument_id]
    plan.instruments.add(command.instrument_id)
    _need_venue_rows(plan, rules)
    plan.margin_takers.add(command.account_id)
    for account_id in (command.account_id, command.dealer_account_id):
        plan.margin_rows.add((account_id, rules.quote_asset_id))


def _need_liquidation(
    plan: LockPlan, state: ShardState, command: LiquidateAccount, extra_owners: set[int]
) -> None:
    """The collateral of the account, of the fund, and of those whose orders it may meet."""
    account_id, asset_id = command.account_id, command.asset_id
    owner, fund = (account_id, asset_id), (command.fund_account_id, asset_id)
    plan.accounts.add(account_id)
    plan.margin_rows |= {owner, fund}
    plan.funds.add(fund)
    trading = set(extra_owners)
    for position in state.positions.of_owner(owner):
        rules = position.instrument
        plan.instruments.add(rules.instrument_id)
        _need_venue_rows(plan, rules)
        trading |= _owners_met(state, position)
    plan.accounts |= trading
    plan.margin_rows |= {(other_id, asset_id) for other_id in trading}
    plan.margin_takers |= {account_id, command.fund_account_id} | trading


def _need_reduction(
    plan: LockPlan, state: ShardState, command: ReduceFund, extra_owners: set[int]
) -> None:
    """The collateral of the fund, and of those whose orders it may meet."""
    rules = state.instruments.get(command.instrument_id)
    if rules is None or not rules.is_perpetual:
        return
    asset_id, fund_id = rules.quote_asset_id, command.fund_account_id
    position = state.positions.find((fund_id, asset_id), rules.instrument_id)
    if position is None or not position.quantity:
        return
    plan.instruments.add(rules.instrument_id)
    _need_venue_rows(plan, rules)
    plan.funds.add((fund_id, asset_id))
    trading = {fund_id} | extra_owners | _owners_met(state, position)
    plan.accounts |= trading
    plan.margin_rows |= {(account_id, asset_id) for account_id in trading}
    plan.margin_takers |= trading


def _owners_met(state: ShardState, position: LivePosition) -> set[int]:
    """Whose orders an order meets that closes all of a position at any price."""
    if not position.quantity:
        return set()
    side = Side.SELL if position.quantity > 0 else Side.BUY
    book = state.matcher.books[position.instrument.instrument_id]
    return book.reachable_accounts(side, None, abs(position.quantity))


def _need_venue_rows(plan: LockPlan, rules: InstrumentRules) -> None:
    # Also without fees now: a resting order keeps the rates of its time.
    plan.fee_assets.add(rules.quote_asset_id)
    if rules.is_perpetual:
        plan.clearing_assets.add(rules.quote_asset_id)


def _reach_past(arriving: dict[int, _Arriving], order: LiveOrder) -> None:
    """A resting order that the batch cancels or expires lets its takers reach so much further."""
    known = arriving.get(order.instrument.instrument_id)
    if known is not None:
        known.lots[_SELL if order.side == _BUY else _BUY] += order.remaining


def _need_matching(
    plan: LockPlan,
    state: ShardState,
    instrument_id: int,
    arrivals: _Arriving,
    extra_owners: set[int],
) -> None:
    rules, book = state.instruments[instrument_id], state.matcher.books[instrument_id]
    plan.instruments.add(instrument_id)
    _need_venue_rows(plan, rules)
    if rules.is_perpetual:
        plan.margin_takers.update(account_id for account_id, _side, _price in arrivals.orders)
    trading = set(extra_owners)
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
            plan.add_paying(account_id, side, rules)
    plan.accounts |= trading
    for account_id in trading:
        plan.add_both(account_id, rules)


def _with_worst(best: int | None, arrivals: _Arriving, side: int, *, market: int) -> list[int]:
    """The best price of this side in the book, and the one of the batch that goes furthest."""
    prices = [] if best is None else [best]
    if side in arrivals.worst:
        worst = arrivals.worst[side]
        prices.append(market if worst is None else worst)
    return prices


def books_touched(received: list[Received], state: ShardState) -> set[int]:
    """The books that these commands may change."""
    books = set()
    for item in received:
        command = item.command
        if isinstance(command, (PlaceOrder, SetMarkPrice)):
            books.add(command.instrument_id)
        elif isinstance(command, CancelOrder):
            order = state.live_orders.get(command.order_id)
            if order is not None:
                books.add(order.instrument.instrument_id)
        elif isinstance(command, LiquidateAccount):
            owner = (command.account_id, command.asset_id)
            books.update(state.positions.by_owner.get(owner, ()))
        elif isinstance(command, ReduceFund) and command.instrument_id in state.instruments:
            books.add(command.instrument_id)
    return books
