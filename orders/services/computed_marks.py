"""Mark prices that the venue computes itself, where nobody posts one in time.

The index, off by the average premium of the book, and by half the maintenance margin rate at most:
no party that trades here can move a mark further. Trades do not count. Without an index no mark is
computed: the last one goes stale, which is an alert, and staff post one.
"""

import logging
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from common.errors import ExchangeError
from common.money import from_units8, to_units8
from ledger.services.alerts import raise_alert, resolve_alert
from ledger.types import AlertSeverity
from margin.calculations import computed_mark
from margin.selectors.funding import get_premium
from marketdata.calculations import nearest_tick
from marketdata.models import Instrument, MarkPrice
from marketdata.selectors import find_mark, list_instruments, make_spec
from marketdata.types import InstrumentSpec
from orders.services.indexes import find_index_price
from orders.services.marks import set_mark_price

logger = logging.getLogger(__name__)

MARK_STALE = "mark_stale"
_ACTOR = "venue"


def compute_mark_prices() -> int:
    """Compute the marks that have lived half of their time; returns how many were set.

    One that is stale nevertheless is an alert: nobody takes on more risk, and nobody is liquidated.
    """
    trading = list_instruments(
        kind=Instrument.Kind.PERPETUAL.value, state=Instrument.State.CONTINUOUS.value
    )
    return sum(_look_after(make_spec(row)) for row in trading.order_by("id"))


def _look_after(instrument: InstrumentSpec) -> bool:
    assert instrument.mark_stale_seconds is not None, "a perpetual says when its mark is stale"
    limit = timedelta(seconds=instrument.mark_stale_seconds)
    mark = find_mark(instrument.id)
    age = None if mark is None else timezone.now() - mark.as_of
    if age is not None and age < limit / 2:
        resolve_alert(kind=MARK_STALE, subject=instrument.symbol)
        return False
    if _compute(instrument):
        resolve_alert(kind=MARK_STALE, subject=instrument.symbol)
        return True
    if age is None or age > limit:
        raise_alert(
            kind=MARK_STALE,
            severity=AlertSeverity.WARNING,
            message=f"{instrument.symbol} has no fresh mark price.",
            subject=instrument.symbol,
        )
    return False


def _compute(instrument: InstrumentSpec) -> bool:
    """Set the computed mark; False where there is no index, or the engine refuses the mark."""
    index = find_index_price(instrument)
    if index is None:
        return False
    try:
        set_mark_price(
            instrument=instrument,
            price=_mark(instrument, index),
            actor=_ACTOR,
            source=MarkPrice.Source.COMPUTED,
        )
    except ExchangeError as error:
        logger.warning("the mark of %s was not set: %s", instrument.symbol, error)
        return False
    return True


def _mark(instrument: InstrumentSpec, index: Decimal) -> Decimal:
    assert instrument.maintenance_margin_rate is not None, "a perpetual has margin rates"
    premium = get_premium(instrument.id, now=timezone.now())
    units = (to_units8(one) for one in (index, premium, instrument.maintenance_margin_rate))
    return nearest_tick(from_units8(computed_mark(*units)), instrument.tick_size)
