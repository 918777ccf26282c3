"""What an order for a perpetual must pass before it meets the book, and makers at their fill. Pure.

The rule (see `margin.calculations`): equity − loss reserve − fees ≥ initial margin, with the order
itself counted; or the order can only close, leaves equity ≥ 0 and makes nothing worse.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from margin.calculations import apply_fill, loss_reserve, margin_state, may_reduce, reduces_only
from margin.types import Exposure, MarginState
from orders.calculations import fee_at_most
from orders.engine.core.batch import Batch, BatchContext, LockPlanMiss
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.lifecycle import cancel_order, cancel_stopped_makers
from orders.engine.core.positions import LivePosition
from orders.engine.core.risk import (
    Refusal,
    check_limits,
    check_market_notional,
    check_notional,
    check_quantity,
    market_bound,
)
from orders.engine.core.state import LiveOrder
from orders.matching.types import Order, OrderType, Side
from orders.types import Reason

_BUY = Side.BUY
# 10^-8 of a second in a microsecond: facts are in units.
_UNITS_PER_MICRO = 100
# Owners that are locked too when the walk through the makers has left the locked set.
_OWNERS_AHEAD = 500


def check_perpetual(order: LiveOrder, batch: Batch) -> Refusal | None:
    """Account, instrument, mark, limits, band around the mark, and margin at the order's worst
    price. A market order is bound to the band, and to the instrument's collar."""
    state, rules = batch.state, order.instrument
    refusal = _check_owner(order, batch.context)
    if refusal is not None:
        return refusal
    mark = state.positions.marks.get(rules.instrument_id)
    if mark is None:
        return Refusal(Reason.MARK_PRICE_STALE)
    refusal = check_limits(order, mark.price)
    if refusal is not None:
        return refusal
    if order.order_type == OrderType.MARKET:
        order.price = market_bound(order, mark.price, state)
        refusal = check_market_notional(order, state)
        if refusal is not None:
            return refusal
    assert order.price is not None, "a perpetual has a price band"
    return _check_margin(order, order.price, batch)


def check_deal(order: LiveOrder, batch: Batch) -> Refusal | None:
    """As `check_perpetual`, for an order that the dealer fills at the mark: it must be fresh."""
    rules, now = order.instrument, batch.changes.batch_time
    refusal = _check_owner(order, batch.context)
    if refusal is not None:
        return refusal
    mark = batch.state.positions.marks.get(rules.instrument_id)
    if mark is None:
        return Refusal(Reason.MARK_PRICE_STALE)
    refusal = check_quantity(order) or check_notional(rules, mark.price * order.quantity)
    if refusal is not None:
        return refusal
    if rules.as_perpetual.is_stale(mark, now):
        return _stale(now - mark.as_of, rules)
    if order.price is not None and (
        order.price < mark.price if order.side == _BUY else order.price > mark.price
    ):
        return Refusal(Reason.PRICE_NOT_MARKETABLE, {"market_price": mark.price * rules.tick})
    return _check_margin(order, mark.price, batch)


def cancel_undercollateralized_makers(taker: LiveOrder, batch: Batch) -> bool:
    """Take away what the taker would meet and whose owner may not trade, or could not carry it;
    whether there was any.

    Raises:
        LockPlanMiss: the account or the collateral of one is not locked.
    """
    is_any_stopped = cancel_stopped_makers(taker, batch)
    makers = find_undercollateralized_makers(taker, batch)
    for maker in makers:
        cancel_order(maker, Reason.INSUFFICIENT_MARGIN, batch)
    return is_any_stopped or bool(makers)


def find_undercollateralized_makers(taker: LiveOrder, batch: Batch) -> list[LiveOrder]:
    """The resting orders before the taker's fills whose accounts could not carry their own.

    Fills are tried in their order, each on what the ones before leave of its account. One look at
    each order that the taker meets; one that is found is canceled, so no later taker looks at it
    again. Under a stale mark resting orders are judged by that mark: their exposure is old.

    Raises:
        LockPlanMiss: the collateral of one is not locked.
    """
    rules, locked = taker.instrument, batch.context.margin_rows
    mark = batch.state.positions.mark_of(rules).price
    crossed = batch.state.matcher.books[rules.instrument_id].crossed(taker)
    trials: dict[int, _Trial] = {}
    found: list[LiveOrder] = []
    missing = taker.remaining
    for resting, price in crossed:
        maker: LiveOrder = resting  # type: ignore[assignment]
        lots = min(maker.remaining, missing)
        if maker.account_id != taker.account_id:
            trial = trials.get(maker.account_id)
            if trial is None:
                if (maker.account_id, rules.quote_asset_id) not in locked:
                    raise LockPlanMiss(maker.account_id, *_owners_ahead(crossed))
                trial = trials[maker.account_id] = _Trial(maker, mark, batch)
            if not trial.try_fill(maker, price, lots):
                found.append(maker)
                continue
        missing -= lots
        if not missing:
            break
    return found


class _Trial:
    """An account of makers as fills change it, one after the other."""

    __slots__ = ("_collateral", "_exposure", "_others")

    def __init__(self, maker: LiveOrder, mark: int, batch: Batch) -> None:
        positions = batch.state.positions
        asset_id, instrument_id = maker.instrument.quote_asset_id, maker.instrument.instrument_id
        owner = (maker.account_id, asset_id)
        position = positions.find(owner, instrument_id)
        assert position is not None, "whoever has an open order has a position"
        self._exposure = position.exposure(mark)
        self._others = positions.exposures(owner, besides=instrument_id)
        self._collateral = batch.context.margin_row(*owner).posted

    def try_fill(self, maker: LiveOrder, price: int, lots: int) -> bool:
        """Fill `lots` of an order if the account can carry that; else take the order away."""
        before, is_buy = self._exposure, maker.side == _BUY
        terms = before.terms
        notional = price * lots * terms.factor
        fee = fee_at_most(notional, maker.maker_rate, 0, maker.instrument.fee_unit)
        filled = apply_fill(
            before.quantity,
            before.cost_basis,
            lots if is_buy else -lots,
            notional,
            terms.money_unit,
        )
        after = replace(
            _with_open(before, maker, -lots),
            quantity=filled.quantity,
            cost_basis=filled.cost_basis,
        )
        collateral = self._collateral + filled.realized_pnl - fee
        left = margin_state(collateral, [after, *self._others])
        if left.equity - left.loss_reserve >= left.initial_margin or self._only_closes(
            is_buy, lots, price, fee
        ):
            self._exposure, self._collateral = after, collateral
            return True
        self._exposure = _with_open(before, maker, -maker.remaining)
        return False

    def _only_closes(self, is_buy: bool, lots: int, price: int, fee: int) -> bool:
        exposure = self._exposure
        closable = -exposure.quantity if is_buy else exposure.quantity
        state = margin_state(self._collateral, [exposure, *self._others])
        return lots <= closable and may_reduce(state, exposure, is_buy, lots, price, fee)


def _check_owner(order: LiveOrder, context: BatchContext) -> Refusal | None:
    if order.account_id not in context.prefunded:
        return Refusal(Reason.MARGIN_ACCOUNT_REQUIRED)
    if not order.instrument.is_trading:
        return Refusal(Reason.INSTRUMENT_NOT_TRADING)
    if (order.account_id, order.instrument.quote_asset_id) in context.frozen:
        return Refusal(Reason.MARGIN_ACCOUNT_FROZEN)
    return None


def _check_margin(order: LiveOrder, price: int, batch: Batch) -> Refusal | None:
    positions = batch.state.positions
    rules, is_buy, lots = order.instrument, order.side == _BUY, order.quantity
    owner = (order.account_id, rules.quote_asset_id)
    mark = positions.mark_of(rules).price
    position = positions.find(owner, rules.instrument_id)
    exposure = (position or LivePosition(order.account_id, rules)).exposure(mark)
    is_reducing = reduces_only(exposure, is_buy, lots)
    if not is_reducing:
        refusal = _check_exposure(order, exposure, batch)
        if refusal is not None:
            return refusal
    factor = exposure.terms.factor
    counted = _counted(exposure, is_buy, lots, loss_reserve(is_buy, price, mark, lots, factor))
    others = positions.exposures(owner, besides=rules.instrument_id)
    collateral = batch.context.margin_row(*owner).posted
    with_order = margin_state(collateral, [counted, *others])
    fee = fee_at_most(price * lots * factor, order.maker_rate, order.taker_rate, rules.fee_unit)
    required = with_order.initial_margin + with_order.loss_reserve + fee
    if with_order.equity >= required:
        return None
    if is_reducing:
        present: MarginState = margin_state(collateral, [exposure, *others])
        if may_reduce(present, exposure, is_buy, lots, price, fee):
            return None
    facts = {"required": required, "available": with_order.equity}
    return Refusal(Reason.INSUFFICIENT_MARGIN, facts)


def _check_exposure(order: LiveOrder, exposure: Exposure, batch: Batch) -> Refusal | None:
    """More exposure needs fresh marks, of all that the collateral carries, and has a limit."""
    rules, now, positions = order.instrument, batch.changes.batch_time, batch.state.positions
    carried = positions.by_owner.get((order.account_id, rules.quote_asset_id), {})
    at_risk = {i: position.instrument for i, position in carried.items() if position.is_at_risk}
    for instrument in {**at_risk, rules.instrument_id: rules}.values():
        mark = positions.mark_of(instrument)
        if instrument.as_perpetual.is_stale(mark, now):
            return _stale(now - mark.as_of, instrument)
    most = rules.as_perpetual.max_lots
    if order.side == _BUY:
        lots = exposure.quantity + exposure.open_buy + order.quantity
    else:
        lots = -exposure.quantity + exposure.open_sell + order.quantity
    if most is not None and lots > most:
        return Refusal(Reason.POSITION_ABOVE_MAXIMUM, {"maximum": most * rules.lot})
    return None


def _stale(age: int, rules: InstrumentRules) -> Refusal:
    facts = {"age_seconds": age, "limit_seconds": rules.as_perpetual.stale_micros}
    return Refusal(
        Reason.MARK_PRICE_STALE, {name: value * _UNITS_PER_MICRO for name, value in facts.items()}
    )


def _with_open(exposure: Exposure, order: LiveOrder, lots: int) -> Exposure:
    """With `lots` more (less, where negative) of an order open."""
    return _counted(exposure, order.side == _BUY, lots, order.reserve_per_lot * lots)


def _counted(exposure: Exposure, is_buy: bool, lots: int, reserve: int) -> Exposure:
    reserve += exposure.loss_reserve
    if is_buy:
        return replace(exposure, open_buy=exposure.open_buy + lots, loss_reserve=reserve)
    return replace(exposure, open_sell=exposure.open_sell + lots, loss_reserve=reserve)


def _owners_ahead(crossed: Iterator[tuple[Order, int]]) -> set[int]:
    return {order.account_id for order, _price in islice(crossed, _OWNERS_AHEAD)}
