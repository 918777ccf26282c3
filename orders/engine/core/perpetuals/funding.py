"""Funding of perpetuals: fixes what every position pays or gets for an interval. Pure.

No collateral is touched: `margin.services.funding` books the payments afterwards.
"""

from collections.abc import Iterator

from margin.calculations import funding_payment
from margin.types import NewFunding, NewPayment
from orders.commands import FixFunding
from orders.engine.core.batch import Batch
from orders.engine.core.instruments import InstrumentRules
from orders.engine.core.settlement import next_event
from orders.types import Result


def fix_funding(command: FixFunding, batch: Batch) -> Result:
    """Fix an interval's payments by the positions and the mark of this moment, all at once.

    NOT_NEEDED where that interval, or a later one, is fixed already. Where the mark is stale
    nothing is done, so that the same command may come again.
    """
    state, changes = batch.state, batch.changes
    last_fundings = batch.context.last_fundings
    rules = state.instruments.get(command.instrument_id)
    if rules is None or rules.perpetual is None:
        return Result.UNKNOWN_INSTRUMENT
    last_due_at = last_fundings.get(command.instrument_id)
    if last_due_at is not None and command.due_at <= last_due_at:
        return Result.NOT_NEEDED
    mark = state.positions.marks.get(command.instrument_id)
    if mark is None or rules.perpetual.is_stale(mark, changes.batch_time):
        return Result.MARK_PRICE_STALE
    payments = tuple(_payments(rules, mark.price, command.rate, batch))
    changes.fundings.append(
        NewFunding(
            command.command_id,
            command.instrument_id,
            command.due_at,
            command.rate,
            command.sample_count,
            mark.price * rules.tick,
            payments,
        )
    )
    last_fundings[command.instrument_id] = command.due_at
    return Result.DONE


def _payments(rules: InstrumentRules, mark: int, rate: int, batch: Batch) -> Iterator[NewPayment]:
    """Of each position, by account; one that neither pays nor gets a unit has none."""
    positions = batch.state.positions.of_instrument(rules.instrument_id)
    for position in sorted(positions, key=lambda one: one.account_id):
        amount = funding_payment(position.quantity, mark, rules.factor, rate, rules.fee_unit)
        if amount:
            entry_id, _sequence = next_event(batch.state, batch.changes.batch_time)
            yield NewPayment(position.account_id, position.quantity * rules.lot, amount, entry_id)
