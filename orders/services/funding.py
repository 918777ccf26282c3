"""The clock's side of funding: sample premiums, and let the engines fix what is due.

A funding is fixed once for an instrument and the end of its interval, however often and by however
many it is asked for: the engine decides. One that was missed is made up for the last interval that
has ended, and no other.
"""

import logging
from datetime import datetime
from uuid import UUID

from django.conf import settings

from common.errors import ExchangeError
from common.ids import derived_uuid
from common.instants import to_microseconds
from common.money import to_units8
from margin.selectors.funding import FundingInterval, find_due_interval
from margin.services.funding import record_premium
from marketdata.models import Instrument
from marketdata.selectors import find_mark, list_instruments, make_spec
from marketdata.types import InstrumentSpec
from orders import gateway
from orders.commands import CommandOutcome, FixFunding
from orders.selectors.fair_prices import get_impact_prices
from orders.services.indexes import find_index_price
from orders.types import SERVICES_SHARD, Result

logger = logging.getLogger(__name__)


def sample_premiums(*, now: datetime) -> int:
    """Keep the minute's premium of every perpetual that trades; returns how many were kept.

    None of one without an index, or with too little of two parties on a side of its book.
    """
    trading = list_instruments(
        kind=Instrument.Kind.PERPETUAL.value, state=Instrument.State.CONTINUOUS.value
    )
    return sum(_sample(make_spec(row), now) for row in trading.order_by("id"))


def fix_due_fundings(*, now: datetime) -> int:
    """Have the engines fix every funding that is due; returns how many were fixed.

    One whose mark is stale waits for a fresh mark; when the next interval ends first, it is left
    out, since nobody knows what its positions were worth.
    """
    perpetuals = list_instruments(kind=Instrument.Kind.PERPETUAL.value).order_by("id")
    return sum(_fix_if_due(row, now) for row in perpetuals)


def funding_id(instrument_id: int, due_at: datetime) -> UUID:
    """The one id of a funding: those of an instrument follow their time."""
    milliseconds = to_microseconds(due_at) // 1000
    return derived_uuid(milliseconds, SERVICES_SHARD, instrument_id)


def _sample(instrument: InstrumentSpec, now: datetime) -> bool:
    index_price = find_index_price(instrument)
    if index_price is None:
        return False
    book = get_impact_prices(instrument)
    return record_premium(
        instrument_id=instrument.id,
        at=now,
        impact_bid=book.bid,
        impact_ask=book.ask,
        index_price=index_price,
    )


def _fix_if_due(row: Instrument, now: datetime) -> bool:
    instrument = make_spec(row)
    interval = find_due_interval(instrument, listed_at=row.created_at, now=now)
    if interval is None or not _has_fresh_mark(instrument, now):
        return False
    try:
        outcome = gateway.submit(
            _command(instrument, interval), instrument.shard, timeout=settings.ORDER_WINDOW_SECONDS
        )
    except ExchangeError as error:
        logger.warning("The funding of %s waits: %s", instrument.symbol, error)
        return False
    is_fixed = isinstance(outcome, CommandOutcome) and outcome.result == Result.DONE
    if not is_fixed:
        logger.warning("The funding of %s was not fixed: %s", instrument.symbol, outcome)
    return is_fixed


def _command(instrument: InstrumentSpec, interval: FundingInterval) -> FixFunding:
    return FixFunding(
        command_id=funding_id(instrument.id, interval.due_at).bytes,
        reply_to="",
        instrument_id=instrument.id,
        due_at=to_microseconds(interval.due_at),
        rate=to_units8(interval.rate),
        sample_count=len(interval.samples),
    )


def _has_fresh_mark(instrument: InstrumentSpec, now: datetime) -> bool:
    """Whether the engine, which looks again, will find a mark that is not stale."""
    mark = find_mark(instrument.id)
    return mark is not None and not mark.is_stale(now, instrument.mark_stale_seconds)
