"""The record of a liquidation: each step with the account's figures around it. Pure."""

from uuid import UUID

from common.money import half_up_div
from margin.types import LiquidationRow, StepRow
from orders.commands import LiquidateAccount
from orders.engine.core.batch import Batch
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.positions import LivePosition
from orders.webhooks import (
    ACCOUNT_LIQUIDATED,
    POSITION_DELEVERAGED,
    deleveraging_payload,
    liquidation_payload,
)


class LiquidationRecord:
    """The record of one liquidation, from before its first step on."""

    def __init__(self, command: LiquidateAccount, batch: Batch) -> None:
        self._batch = batch
        self._id = command.command_id
        self._owner = (command.account_id, command.asset_id)
        self._fund = (command.fund_account_id, command.asset_id)
        self._first = self._last = batch.margin_of(self._owner)
        self._fund_equity = batch.margin_of(self._fund).equity
        self._steps: list[StepRow] = []

    def step(
        self,
        kind: str,
        *,
        rules: InstrumentRules | None = None,
        lots: int | None = None,
        price: int | None = None,
        notional: int | None = None,
        quantity: int | None = None,
        amount: int = 0,
        counterparty_id: int | None = None,
        order_id: bytes | None = None,
    ) -> None:
        """Add a step that has just been taken.

        `lots` are what was bought (negative: sold), each at `price` or all for `notional`;
        `quantity` counts what has no lots.
        """
        before, after = self._last, self._batch.margin_of(self._owner)
        mark = mean = None
        if quantity is not None:
            quantity *= 100_000_000
        if rules is not None and lots is not None:
            quantity = lots * rules.lot
            mark = self._batch.state.positions.mark_of(rules).price * rules.tick
            if notional is None:
                assert price is not None
                mean = price * rules.tick
            else:
                mean = half_up_div(notional * rules.tick, abs(lots) * rules.factor)
        self._steps.append(
            StepRow(
                liquidation_id=self._id.hex(),
                number=len(self._steps) + 1,
                kind=kind,
                instrument_id=None if rules is None else rules.instrument_id,
                quantity=quantity,
                price=mean,
                mark_price=mark,
                amount=amount,
                counterparty_id=counterparty_id,
                order_id=None if order_id is None else order_id.hex(),
                equity_before=before.equity,
                equity_after=after.equity,
                maintenance_before=before.maintenance_margin,
                maintenance_after=after.maintenance_margin,
            )
        )
        self._last = after

    def finish(self, *, is_closed: bool, fee: int, debt: int) -> None:
        """Store the liquidation with its steps, and queue the webhook for the broker."""
        batch, changes = self._batch, self._batch.changes
        first, last = self._first, batch.margin_of(self._owner)
        row = LiquidationRow(
            id=self._id.hex(),
            account_id=self._owner[0],
            asset_id=self._owner[1],
            outcome="CLOSED" if is_closed else "RESTORED",
            collateral_before=first.collateral,
            collateral_after=last.collateral,
            equity_before=first.equity,
            equity_after=last.equity,
            maintenance_before=first.maintenance_margin,
            maintenance_after=last.maintenance_margin,
            fee=fee,
            fund_result=batch.margin_of(self._fund).equity - self._fund_equity,
            bad_debt=debt,
        )
        changes.liquidations.append(row)
        changes.liquidation_steps.extend(self._steps)
        broker_id = batch.context.brokers.get(self._owner[0], b"")
        if broker_id in batch.context.webhook_brokers:
            payload = liquidation_payload(
                liquidation_id=UUID(bytes=self._id),
                account_id=row.account_id,
                asset=batch.state.asset_code(row.asset_id),
                outcome=row.outcome,
                equity_before=row.equity_before,
                maintenance_margin_before=row.maintenance_before,
                equity_after=row.equity_after,
                fee=fee,
                executed_at=changes.batch_time,
            )
            changes.webhooks.append((broker_id, ACCOUNT_LIQUIDATED, payload, ""))

    def queue_deleveraging_webhook(self, position: LivePosition, lots: int, price: int) -> None:
        """For the broker of an account on the other side; signed `lots` are what it traded."""
        context, changes = self._batch.context, self._batch.changes
        broker_id = context.brokers.get(position.account_id, b"")
        if broker_id in context.webhook_brokers:
            rules = position.instrument
            payload = deleveraging_payload(
                liquidation_id=UUID(bytes=self._id),
                account_id=position.account_id,
                symbol=rules.symbol,
                is_buy=lots > 0,
                quantity=abs(lots) * rules.lot,
                price=price * rules.tick,
                executed_at=changes.batch_time,
            )
            changes.webhooks.append((broker_id, POSITION_DELEVERAGED, payload, ""))
