"""Orders that exchange cash for assets: what they pay, hold, and book. Pure.

A trade's entry has the id of the trade. Cash: buyer −(notional + fee), seller +(notional − fee),
the fee account + both fees; asset: buyer + quantity, seller − quantity.
"""

from collections.abc import Iterable

from ledger.batch import LedgerRow
from orders.engine.core.batch import Batch, BatchChanges, BatchContext, TradeRow
from orders.engine.core.instrument_kind import InstrumentKind
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.lifecycle import cancel_stopped_makers
from orders.engine.core.lock_plan import LockPlan
from orders.engine.core.risk import (
    Refusal,
    check_instrument,
    check_limits,
    check_market_notional,
    check_money,
    check_wallets,
    market_bound,
)
from orders.engine.core.settlement import make_trade
from orders.engine.core.state import LiveOrder
from orders.matching.types import Execution, OrderType, Side

_BUY = Side.BUY


class SpotKind(InstrumentKind):
    """A buy holds and pays cash, a sell the asset."""

    def check(self, order: LiveOrder, batch: Batch) -> Refusal | None:
        last_price = batch.state.last_prices.get(order.instrument.instrument_id)
        refusal = (
            check_instrument(order)
            or check_limits(order, last_price)
            or check_wallets(order, batch)
        )
        if refusal is not None:
            return refusal
        is_market = order.order_type == OrderType.MARKET
        if is_market:
            order.price = market_bound(order, last_price, batch.state)
        cancel_stopped_makers(order, batch)
        refusal = check_market_notional(order, batch.state) if is_market else None
        return refusal or check_money(order, batch)

    def accept(self, order: LiveOrder, batch: Batch) -> None:
        """Set aside what a resting order may cost, where its balance has a limit."""
        if not order.may_rest:
            return
        row = batch.context.row(order.account_id, order.paying_asset_id)
        if row.limit is not None:
            order.hold = order.hold_needed()
            batch.changes.ledger.set_hold(row, order.hold)

    def settle(self, taker: LiveOrder, execution: Execution, batch: Batch) -> TradeRow:
        """Also lowers the hold of the maker; that of the taker is left to `shrink_hold`."""
        maker: LiveOrder = execution.maker  # type: ignore[assignment]
        context, changes, rules = batch.context, batch.changes, taker.instrument
        trade = make_trade(taker, execution, batch.state, changes.batch_time)
        buyer_cash = context.row(trade.buy.account_id, rules.quote_asset_id)
        seller_asset = context.row(trade.sell.account_id, rules.base_asset_id)
        _post(trade, rules.lot, buyer_cash, seller_asset, context, changes)
        if maker.hold:
            if trade.taker_is_buyer:
                _free_spent(maker, seller_asset, trade.notional + trade.sell_fee, changes)
            else:
                _free_spent(maker, buyer_cash, trade.notional + trade.buy_fee, changes)
        _count_net(trade, changes)
        changes.trades.append(trade)
        return trade

    def shrink_hold(self, taker: LiveOrder, batch: Batch) -> None:
        if taker.hold:
            row = batch.context.row(taker.account_id, taker.paying_asset_id)
            _free_spent(taker, row, taker.taker_notional + taker.taker_fee, batch.changes)

    def close(self, order: LiveOrder, batch: Batch) -> None:
        if order.hold:
            row = batch.context.row(order.account_id, order.paying_asset_id)
            _lower_hold(order, row, 0, batch.changes)

    def plan_venue(self, rules: InstrumentRules, plan: LockPlan) -> None:
        # Also without fees now: a resting order keeps the rates of its time.
        plan.fee_assets.add(rules.quote_asset_id)

    def plan_paying(
        self, account_id: int, side: int, rules: InstrumentRules, plan: LockPlan
    ) -> None:
        if side == _BUY:
            plan.rows[account_id, rules.quote_asset_id] = rules.quote_kind
        else:
            plan.rows[account_id, rules.base_asset_id] = rules.base_kind

    def plan_trading(self, account_id: int, rules: InstrumentRules, plan: LockPlan) -> None:
        plan.rows[account_id, rules.quote_asset_id] = rules.quote_kind
        plan.rows[account_id, rules.base_asset_id] = rules.base_kind

    def plan_takers(self, account_ids: Iterable[int], plan: LockPlan) -> None:
        """Nothing beyond what is known of all accounts."""

    def plan_closing(self, order: LiveOrder, plan: LockPlan) -> None:
        if order.hold:
            self.plan_paying(order.account_id, order.side, order.instrument, plan)


SPOT = SpotKind()


def _post(
    trade: TradeRow,
    lot: int,
    buyer_cash: LedgerRow,
    seller_asset: LedgerRow,
    context: BatchContext,
    changes: BatchChanges,
) -> None:
    rules = trade.buy.instrument
    notional, quantity = trade.notional, trade.quantity * lot
    lines = [
        (buyer_cash, -notional - trade.buy_fee),
        (context.row(trade.sell.account_id, rules.quote_asset_id), notional - trade.sell_fee),
        (context.row(trade.buy.account_id, rules.base_asset_id), quantity),
        (seller_asset, -quantity),
    ]
    fees = trade.buy_fee + trade.sell_fee
    if fees:
        lines.append((context.fee_rows[rules.quote_asset_id], fees))
    changes.ledger.post(trade.trade_id, "TRADE", "trade", trade.trade_id, lines)


def _free_spent(order: LiveOrder, row: LedgerRow, spent: int, changes: BatchChanges) -> None:
    """Lower a hold after `spent` money was paid out of it (a buy), or securities (a sell).

    What a buy holds afterwards is what the rest needs, but never more than what it held less what
    it paid: fees are rounded fill by fill, and the account may have nothing else.
    """
    needed = order.hold_needed()
    if order.side == _BUY:
        needed = min(needed, order.hold - spent)
    _lower_hold(order, row, needed, changes)


def _lower_hold(order: LiveOrder, row: LedgerRow, hold: int, changes: BatchChanges) -> None:
    if hold != order.hold:
        changes.ledger.set_hold(row, hold - order.hold)
        order.hold = hold


def _count_net(trade: TradeRow, changes: BatchChanges) -> None:
    nets, asset_id = changes.broker_nets, trade.buy.instrument.quote_asset_id
    buyer, seller = (trade.buy.broker_id, asset_id), (trade.sell.broker_id, asset_id)
    nets[buyer] = nets.get(buyer, 0) - trade.notional
    nets[seller] = nets.get(seller, 0) + trade.notional
