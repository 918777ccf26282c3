"""Mark prices of perpetuals, as commands change them. Pure."""

from common.money import UNITS8
from marketdata.types import NewMark
from orders.commands import SetMarkPrice
from orders.engine.core.batch import Batch
from orders.engine.core.instruments import LiveMark
from orders.types import Result


def set_mark(command: SetMarkPrice, batch: Batch) -> tuple[Result, dict[str, int] | None]:
    """Let another mark hold from now on, unless it jumps too far and is not forced.

    The facts of a refusal are prices in units: the mark that holds and the largest step from it.
    """
    state, changes = batch.state, batch.changes
    rules = state.instruments.get(command.instrument_id)
    if rules is None or rules.perpetual is None or command.price_ticks <= 0:
        return Result.UNKNOWN_INSTRUMENT, None
    marks = state.positions.marks
    present = marks.get(command.instrument_id)
    if present is not None and not command.is_forced:
        step_max = present.price * rules.perpetual.jump_rate // UNITS8
        if abs(command.price_ticks - present.price) > step_max:
            facts = {
                "mark_price": present.price * rules.tick,
                "step_max": step_max * rules.tick,
            }
            return Result.MARK_JUMP_TOO_LARGE, facts
    as_of = min(command.as_of, changes.batch_time)
    marks[command.instrument_id] = LiveMark(command.price_ticks, as_of)
    changes.marks.append(
        NewMark(
            command.instrument_id,
            command.price_ticks * rules.tick,
            command.source,
            as_of,
            command.actor,
            command.is_forced,
        )
    )
    changes.touched_instruments.add(command.instrument_id)
    return Result.DONE, None
