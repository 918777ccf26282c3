"""The waterfall of a liquidation, executed whole in one batch. Pure.

Freeze new orders, cancel open ones, close in parts on the book down to the bankruptcy price until
equity is above the maintenance margin again; what the book does not take goes to the insurance
fund at the bankruptcy price, what the fund cannot carry to the other side (`deleveraging`). What is
then below zero is a bad debt of the fund. The fund gets a fee out of what is left above zero.
Every step is recorded. No trade of a liquidation makes a market price.
"""

from margin.calculations import (
    bankruptcy_tick,
    liquidation_fee,
    lots_to_close,
    lots_to_take,
    maintenance_margin,
    margin_state,
    max_lots_where,
    meets_maintenance_after,
)
from margin.types import MarginState
from orders.commands import LiquidateAccount
from orders.engine.core.batch import Batch
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.lifecycle import cancel_order, open_orders_of
from orders.engine.core.perpetuals.deleveraging import deleverage_queue
from orders.engine.core.perpetuals.liquidation_record import LiquidationRecord
from orders.engine.core.perpetuals.margin_checks import cancel_undercollateralized_makers
from orders.engine.core.perpetuals.off_book import (
    close_against,
    closing_order,
    match_closing_order,
)
from orders.engine.core.positions import LivePosition, Owner
from orders.engine.core.settlement import next_event
from orders.engine.core.state import LiveOrder
from orders.matching.types import Side
from orders.types import Reason, Result

_BANKRUPT = "Liquidated with less than nothing left; see the liquidation."


def liquidate(command: LiquidateAccount, batch: Batch) -> Result:
    """Liquidate, if it must be: an account above its maintenance margin is left alone.

    Raises:
        LockPlanMiss: it reaches a collateral that is not locked.
    """
    refusal = _find_refusal((command.account_id, command.asset_id), batch)
    if refusal is not None:
        return refusal
    _Waterfall(command, batch).run()
    return Result.DONE


def _find_refusal(owner: Owner, batch: Batch) -> Result | None:
    positions = batch.state.positions
    if owner[0] in batch.context.house or owner not in batch.context.margin_rows:
        return Result.NOT_NEEDED
    for position in positions.of_owner(owner):
        if position.quantity:
            rules = position.instrument
            mark = positions.mark_of(rules)
            if rules.as_perpetual.is_stale(mark, batch.changes.batch_time):
                return Result.MARK_PRICE_STALE
            if not rules.is_trading:
                return Result.INSTRUMENT_NOT_TRADING
    return None if batch.margin_of(owner).must_be_liquidated else Result.NOT_NEEDED


class _Waterfall:
    """One liquidation on its way through the steps."""

    def __init__(self, command: LiquidateAccount, batch: Batch) -> None:
        self._batch = batch
        self._id = command.command_id
        self._owner = (command.account_id, command.asset_id)
        self._fund = (command.fund_account_id, command.asset_id)
        self._row = batch.context.margin_row(*self._owner)
        self._fund_row = batch.context.margin_row(*self._fund)
        self._record = LiquidationRecord(command, batch)
        # Notional closed on the book by instrument: the fee is on it.
        self._closed: dict[int, int] = {}

    def run(self) -> None:
        """Take the steps that are needed, one after the other, and record them."""
        record, frozen = self._record, self._batch.context.frozen
        was_frozen = self._owner in frozen
        is_bankrupt = self._margin().equity <= 0
        if not was_frozen:
            frozen.add(self._owner)
            record.step("FREEZE")
        self._cancel_orders()
        for position in self._by_risk():
            self._close_on_book(position)
        while self._margin().must_be_liquidated and (left := self._by_risk()):
            self._hand_over(left[0])
        debt = self._book_debt()
        fee = self._book_fee()
        if is_bankrupt:
            self._batch.changes.freeze(self._owner, _BANKRUPT)
        elif not was_frozen:
            frozen.discard(self._owner)
            record.step("UNFREEZE")
        record.finish(is_closed=not self._by_risk(), fee=fee, debt=debt)

    # --- steps ------------------------------------------------------------------------------------

    def _cancel_orders(self) -> None:
        """Cancel what is open in the perpetuals that the collateral carries."""
        account_id, count = self._owner[0], 0
        for position in self._batch.state.positions.of_owner(self._owner):
            if position.open_buy or position.open_sell:
                instrument_id = position.instrument.instrument_id
                for order in open_orders_of(account_id, instrument_id, self._batch):
                    cancel_order(order, Reason.LIQUIDATION, self._batch)
                    count += 1
        if count:
            self._record.step("CANCEL_ORDERS", quantity=count)

    def _close_on_book(self, position: LivePosition) -> None:
        """Sell (buy back) part after part as long as it is needed and the book offers something."""
        rules, batch = position.instrument, self._batch
        perpetual, mark = rules.as_perpetual, self._mark(rules)
        rates = (perpetual.liquidation_fee_rate, perpetual.liquidation_buffer_rate)
        book = batch.state.matcher.books[rules.instrument_id]
        while position.quantity:
            margin, exposure = self._margin_after_fee(), position.exposure(mark)
            if not lots_to_close(margin, exposure, mark, *rates):
                return
            limit = bankruptcy_tick(self._margin(), exposure)
            probe = closing_order(position, abs(position.quantity), limit, batch)
            offers = ((price, order.remaining) for order, price in book.crossed(probe))
            lots = lots_to_take(offers, margin, exposure, *rates)
            if not lots:
                return
            order = closing_order(position, lots, limit, batch)
            # What a maker who could not carry it has offered is gone: look again.
            if not cancel_undercollateralized_makers(order, batch):
                match_closing_order(order, batch)
                self._note_closed(order)

    def _note_closed(self, order: LiveOrder) -> None:
        rules, notional = order.instrument, order.taker_notional
        self._closed[rules.instrument_id] = self._closed.get(rules.instrument_id, 0) + notional
        signed = order.quantity if order.side == Side.BUY else -order.quantity
        self._record.step(
            "CLOSE_ON_BOOK", rules=rules, lots=signed, notional=notional, order_id=order.id_bytes
        )

    def _hand_over(self, position: LivePosition) -> None:
        """Close all of a position at its bankruptcy price: by the fund, then by the other side.

        What no account can carry at that price is closed at the mark, and makes a bad debt.
        """
        mark = self._mark(position.instrument)
        price = bankruptcy_tick(self._margin(), position.exposure(mark))
        self._give_to_fund(position, price, mark)
        self._deleverage(position, price, must_carry=True)
        self._deleverage(position, mark, must_carry=False)
        assert not position.quantity, "what is long somewhere is short somewhere else"

    def _give_to_fund(self, position: LivePosition, price: int, mark: int) -> None:
        """Let the fund take as much as its equity can carry."""
        rules = position.instrument
        direction = 1 if position.quantity > 0 else -1
        fund_margin = self._batch.margin_of(self._fund)
        held = self._batch.state.positions.find(self._fund, rules.instrument_id)
        exposure = (held or LivePosition(self._fund[0], rules)).exposure(mark)
        lots = max_lots_where(
            abs(position.quantity),
            lambda lots: meets_maintenance_after(fund_margin, exposure, direction * lots, price),
        )
        if lots:
            close_against(position, self._fund[0], lots, price, self._batch)
            self._record.step("TAKEOVER", rules=rules, lots=-direction * lots, price=price)

    def _deleverage(self, position: LivePosition, price: int, *, must_carry: bool) -> None:
        """Close against those who gain most by leverage on the other side, one after the other.

        Only the house, and at the mark, may be left with more than it can carry.
        """
        rules, batch = position.instrument, self._batch
        direction = 1 if position.quantity > 0 else -1
        for other in deleverage_queue(rules, is_long=direction < 0, batch=batch):
            if not position.quantity:
                return
            if other.quantity * direction >= 0 or (
                must_carry and other.account_id == self._fund[0]
            ):
                continue
            lots = min(abs(position.quantity), abs(other.quantity))
            if must_carry and other.account_id not in batch.context.house:
                margin, exposure = batch.margin_of(other.owner), other.exposure(self._mark(rules))
                lots = max_lots_where(
                    lots,
                    lambda n: meets_maintenance_after(margin, exposure, direction * n, price),  # noqa: B023
                )
            if lots:
                close_against(position, other.account_id, lots, price, batch)
                self._record.step(
                    "DELEVERAGE",
                    rules=rules,
                    lots=-direction * lots,
                    price=price,
                    counterparty_id=other.account_id,
                )
                self._record.queue_deleveraging_webhook(other, direction * lots, price)

    def _book_debt(self) -> int:
        """Let the fund bear what is below zero when all is closed; returns how much."""
        debt = -self._row.posted
        if self._by_risk() or debt <= 0:
            return 0
        self._post("BAD_DEBT", debt)
        self._record.step("BAD_DEBT", amount=debt)
        return debt

    def _book_fee(self) -> int:
        """Pay the fund its fee out of what is left; returns how much."""
        fee = self._fee()
        if fee:
            self._post("LIQUIDATION", -fee)
            self._record.step("FEE", amount=fee)
        return fee

    def _post(self, kind: str, amount: int) -> None:
        """Book what the account gets from the fund (negative: gives)."""
        batch = self._batch
        entry_id, _sequence = next_event(batch.state, batch.changes.batch_time)
        lines = [(self._row, amount), (self._fund_row, -amount)]
        batch.changes.ledger.post(entry_id, kind, kind.lower(), self._id, lines)

    # --- how the account stands -------------------------------------------------------------------

    def _by_risk(self) -> list[LivePosition]:
        """The positions that are not flat, that with the largest maintenance margin first."""
        held = [one for one in self._batch.state.positions.of_owner(self._owner) if one.quantity]
        return sorted(
            held,
            key=lambda one: (
                -maintenance_margin(one.exposure(self._mark(one.instrument))),
                one.instrument.instrument_id,
            ),
        )

    def _margin(self) -> MarginState:
        return self._batch.margin_of(self._owner)

    def _margin_after_fee(self) -> MarginState:
        """How the account will stand when the fee so far is paid."""
        collateral = self._row.posted - self._fee()
        return margin_state(collateral, self._batch.state.positions.exposures(self._owner))

    def _fee(self) -> int:
        """The fee on what was closed on the book so far, as far as it can be paid."""
        margin, fee, unit = self._margin(), 0, 1
        for instrument_id, notional in self._closed.items():
            rules = self._batch.state.instruments[instrument_id]
            unit = rules.fee_unit
            rate = rules.as_perpetual.liquidation_fee_rate
            fee += liquidation_fee(margin, notional, rate, unit)
        return max(0, min(fee, margin.equity // unit * unit))

    def _mark(self, rules: InstrumentRules) -> int:
        return self._batch.state.positions.mark_of(rules).price
