"""Set mark prices of perpetuals. The engine decides, in the order of its stream."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from common.errors import FieldError, ValidationFailed
from common.ids import new_uuid
from common.instants import to_microseconds
from common.money import from_units8, plain, steps_of
from marketdata.errors import NotPerpetual
from marketdata.models import Instrument, MarkPrice
from marketdata.selectors import find_mark
from marketdata.types import InstrumentSpec, Mark
from orders import gateway
from orders.commands import CommandOutcome, SetMarkPrice
from orders.errors import EngineFailed, MarkJumpTooLarge
from orders.services.liquidations import nudge_sweep
from orders.services.terms import UNITS_MAX
from orders.types import Result


def set_mark_price(
    *,
    instrument: InstrumentSpec,
    price: Decimal,
    actor: str,
    source: str = MarkPrice.Source.POSTED,
    is_forced: bool = False,
) -> Mark:
    """Let `price`, of now, be the mark price of a perpetual; returns when it is committed.

    Who cannot carry the new price is looked for at once.

    Raises:
        NotPerpetual: the instrument has no mark price.
        ValidationFailed: the price is no whole number of ticks above zero.
        MarkJumpTooLarge: it is too far from the mark that holds, and not forced.
        EngineUnavailable, VenueBusy, EngineFailed: nothing was done.
        OutcomeUnknown: sent, outcome not known.
    """
    if instrument.kind != Instrument.Kind.PERPETUAL:
        raise NotPerpetual(symbol=instrument.symbol)
    command = SetMarkPrice(
        command_id=new_uuid().bytes,
        reply_to="",
        instrument_id=instrument.id,
        price_ticks=_ticks(price, instrument),
        source=str(source),
        as_of=to_microseconds(datetime.now(UTC)),
        actor=actor,
        is_forced=is_forced,
    )
    outcome = gateway.submit(command, instrument.shard, timeout=settings.ORDER_WINDOW_SECONDS)
    if not isinstance(outcome, CommandOutcome) or outcome.result == Result.UNKNOWN_INSTRUMENT:
        raise EngineFailed
    if outcome.result == Result.MARK_JUMP_TOO_LARGE:
        facts: dict[str, Any] = {
            name: from_units8(value) for name, value in (outcome.facts or {}).items()
        }
        raise MarkJumpTooLarge(symbol=instrument.symbol, price=price, **facts)
    nudge_sweep()
    mark = find_mark(instrument.id)
    assert mark is not None, "the engine has just set one"
    return mark


def _ticks(price: Decimal, instrument: InstrumentSpec) -> int:
    ticks = steps_of(price, instrument.tick_size) if 0 < price <= UNITS_MAX else None
    if not ticks:
        step = plain(instrument.tick_size)
        detail = f"A price above zero, at most {UNITS_MAX}, in whole ticks of {step}."
        raise ValidationFailed(errors=[FieldError("price", "off_step", detail)])
    return ticks
