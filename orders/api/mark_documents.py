"""Mark prices as documents of `/api/v1/`."""

from typing import Annotated

from django.utils import timezone
from msgspec import Meta

from common.api.declarations import Amount, Document, Instant
from common.api.renderers import format_instant
from common.money import plain
from marketdata.types import InstrumentSpec, Mark
from orders.choices import MarkSourceChoice


class MarkDocument(Document, frozen=True):
    """The mark price of a perpetual."""

    symbol: str
    price: Amount
    source: MarkSourceChoice
    as_of: Annotated[Instant, Meta(description="The time that the price is of.")]
    posted_at: Annotated[Instant, Meta(description="The time from which it has been in force.")]
    age_seconds: int
    is_stale: Annotated[
        bool, Meta(description="Whether it is too old for anybody to take on more risk.")
    ]


def mark_document(instrument: InstrumentSpec, mark: Mark) -> MarkDocument:
    """A mark price with its age now."""
    now = timezone.now()
    return MarkDocument(
        symbol=instrument.symbol,
        price=plain(mark.price),
        source=mark.source,
        as_of=format_instant(mark.as_of),
        posted_at=format_instant(mark.posted_at),
        age_seconds=mark.age_seconds(now),
        is_stale=mark.is_stale(now, instrument.mark_stale_seconds),
    )
