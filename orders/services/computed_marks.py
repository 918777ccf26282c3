"""Mark prices that the venue computes itself, where nobody posts one in time.

The median of what there is: the index (the market price of the underlying pair, where it is
listed), the middle of the book, the last trade. A median, since one of them may be led astray.
"""

import logging
from datetime import timedelta
from decimal import Decimal
from statistics import median

from django.utils import timezone

from common.errors import ExchangeError
from ledger.services.alerts import raise_alert, resolve_alert
from ledger.types import AlertSeverity
from marketdata.calculations import nearest_tick
from marketdata.models import Instrument, MarkPrice
from marketdata.selectors import find_mark, list_instruments, make_spec
from marketdata.types import InstrumentSpec
from orders.selectors.books import get_book
from orders.selectors.trades import get_last_and_average
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
    """Set the computed mark; False where there is none, or the engine refuses it."""
    prices = [price for price in _prices(instrument) if price is not None]
    if not prices:
        return False
    price = nearest_tick(median(prices), instrument.tick_size)
    try:
        set_mark_price(
            instrument=instrument, price=price, actor=_ACTOR, source=MarkPrice.Source.COMPUTED
        )
    except ExchangeError as error:
        logger.warning("the mark of %s was not set: %s", instrument.symbol, error)
        return False
    return True


def _prices(instrument: InstrumentSpec) -> tuple[Decimal | None, ...]:
    """Index, middle of the book, last price: each None where there is none."""
    book = get_book(instrument, 1)
    middle = (book.bids[0].price + book.asks[0].price) / 2 if book.bids and book.asks else None
    summary = get_last_and_average(instrument.id, 1)
    return find_index_price(instrument), middle, None if summary is None else summary.last_price
