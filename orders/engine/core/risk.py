"""What an order must pass before it meets the book: account, instrument, limits, money. Pure.

Each check returns a `Refusal` or None. Facts are in units of 10^-8 of the asset or price.
"""

from dataclasses import dataclass, field

from ledger.batch import LedgerRow
from orders.calculations import (
    NOTIONAL_UNITS_MAX,
    collar_bound,
    fee_on,
    is_within_band,
    wallet_reason,
)
from orders.commands import PlaceOrder
from orders.engine.core.batch import Batch
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.state import LiveOrder, ShardState
from orders.matching.types import OrderType, Side, TimeInForce
from orders.types import Reason

# Tuples of plain ints: enum members hash and compare in Python.
_SIDES = tuple(map(int, Side))
_TYPES = tuple(map(int, OrderType))
_TIMES = tuple(map(int, TimeInForce))
# In microseconds: the first instant that no datetime can hold.
_YEAR_10000 = 253_402_300_800_000_000


@dataclass(slots=True, frozen=True)
class Refusal:
    """Why an order is refused, with the facts that its sender needs."""

    reason: Reason
    facts: dict[str, int] = field(default_factory=dict)


def is_well_formed(command: PlaceOrder) -> bool:
    """Whether the numbers make an order. Web sends no others; such a one must not reach a book."""
    price, until = command.price_ticks, command.valid_until
    has_price = command.order_type == OrderType.MARKET if price is None else price > 0
    return (
        has_price
        and any(command.command_id)  # zeros stand for no order, in a trade
        and command.client_order_id != ""
        and command.quantity_lots > 0
        and command.side in _SIDES
        and command.order_type in _TYPES
        and command.time_in_force in _TIMES
        and (until is None or 0 < until < _YEAR_10000)
    )


def check_instrument(order: LiveOrder) -> Refusal | None:
    """The instrument trades."""
    if not order.instrument.is_trading:
        return Refusal(Reason.INSTRUMENT_NOT_TRADING)
    return None


def check_limits(order: LiveOrder, reference_price: int | None) -> Refusal | None:
    """Quantity, and of a limit order notional and price, lie within the instrument's limits.

    The band lies around `reference_price`: the last one, of a perpetual its mark. A market order is
    bound to it by `market_bound`.
    """
    rules = order.instrument
    refusal = check_quantity(order)
    if refusal is not None or order.order_type != OrderType.LIMIT or order.price is None:
        return refusal
    refusal = check_notional(rules, order.price * order.quantity)
    if refusal is not None:
        return refusal
    if (
        rules.band_rate is not None
        and reference_price is not None
        and not is_within_band(order.price, reference_price, rules.band_rate)
    ):
        return Refusal(Reason.PRICE_OUT_OF_BAND, {"reference_price": reference_price * rules.tick})
    return None


def check_quantity(order: LiveOrder) -> Refusal | None:
    """The quantity lies within the instrument's limits."""
    rules, quantity = order.instrument, order.quantity
    if quantity < rules.min_lots:
        return Refusal(Reason.QUANTITY_BELOW_MINIMUM, {"minimum": rules.min_lots * rules.lot})
    if rules.max_lots is not None and quantity > rules.max_lots:
        return Refusal(Reason.QUANTITY_ABOVE_MAXIMUM, {"maximum": rules.max_lots * rules.lot})
    return None


def check_notional(rules: InstrumentRules, ticks_times_lots: int) -> Refusal | None:
    """A notional lies within the instrument's limits."""
    notional = ticks_times_lots * rules.factor
    if notional < rules.min_notional:
        return Refusal(Reason.NOTIONAL_BELOW_MINIMUM, {"minimum": rules.min_notional})
    if rules.max_notional is not None and notional > rules.max_notional:
        return Refusal(Reason.NOTIONAL_ABOVE_MAXIMUM, {"maximum": rules.max_notional})
    return None


def market_bound(order: LiveOrder, reference_price: int | None, state: ShardState) -> int | None:
    """How far a market order goes: to the end of the band, and of the collar around the best price.

    None: the instrument bounds it by neither, or there are no prices to do it by.
    """
    rules, is_buy = order.instrument, order.side == Side.BUY
    book = state.matcher.books[rules.instrument_id]
    best = book.best_ask if is_buy else book.best_bid
    bounds = [
        collar_bound(price, rate, is_buy)
        for price, rate in ((reference_price, rules.band_rate), (best, rules.collar_rate))
        if price is not None and rate is not None
    ]
    if not bounds:
        return None
    return min(bounds) if is_buy else max(bounds)


def check_market_notional(order: LiveOrder, state: ShardState) -> Refusal | None:
    """A market order's quantity, at the mean price that the book gives it, is within the limits.

    It is never worth more than the largest limit order. An order that would meet nothing has no
    notional.
    """
    rules = order.instrument
    book = state.matcher.books[rules.instrument_id]
    lots, ticks = book.quote(order.side, order.price, order.quantity, order.order_type)
    if not lots:
        return None
    notional = ticks * order.quantity // lots
    most = NOTIONAL_UNITS_MAX * rules.fee_unit
    if notional * rules.factor > most:
        return Refusal(Reason.NOTIONAL_ABOVE_MAXIMUM, {"maximum": most})
    return check_notional(rules, notional)


def check_wallets(order: LiveOrder, batch: Batch) -> Refusal | None:
    """The wallets that the order would debit and credit are active, of those that are locked.

    One that cannot trade now has only the one that it pays from locked: the other is checked when
    it is met.
    """
    rules = order.instrument
    for asset_id in (rules.quote_asset_id, rules.base_asset_id):
        row = batch.context.rows.get((order.account_id, asset_id))
        reason = None if row is None else wallet_reason(row.status)
        if reason is not None:
            return Refusal(reason)
    return None


def check_money(order: LiveOrder, batch: Batch) -> Refusal | None:
    """The account can pay: what would rest must be held, what takes at once must be there.

    Balances without a limit (trusted brokers) need no look.
    """
    row = batch.context.row(order.account_id, order.paying_asset_id)
    if row.limit is None:
        return None
    required = order.hold_needed() if order.may_rest else _cost_of_taking(order, batch.state)
    if row.can_spend(required):
        return None
    return _refusal(row, required, order.side == Side.BUY)


def _cost_of_taking(order: LiveOrder, state: ShardState) -> int:
    """What the order would pay now for all that the book gives it, with the fee."""
    rules = order.instrument
    book = state.matcher.books[rules.instrument_id]
    lots, ticks = book.quote(order.side, order.price, order.quantity, order.order_type)
    if order.side == Side.SELL:
        return lots * rules.lot
    notional = ticks * rules.factor
    return notional + fee_on(notional, order.taker_rate, rules.fee_unit)


def _refusal(row: LedgerRow, required: int, is_buy: bool) -> Refusal:
    assert row.limit is not None
    if row.limit:
        reason = Reason.CREDIT_LIMIT_EXCEEDED
    else:
        reason = Reason.INSUFFICIENT_FUNDS if is_buy else Reason.INSUFFICIENT_POSITION
    return Refusal(reason, {"required": required, "available": row.available + row.limit})
