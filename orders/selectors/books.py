"""Books as the engine last published them; the database where Valkey has none or an old one."""

import logging
import time
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import redis
from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from common.valkey import get_client
from marketdata.snapshots import BookSnapshot, Level, read_snapshot
from marketdata.types import InstrumentSpec
from orders.models import Order, Side
from orders.types import Book, BookLevel

logger = logging.getLogger(__name__)

# An engine expires orders within 250 ms: a snapshot that is older has no living engine.
_OVERDUE_MICROSECONDS = 500_000


def get_book(spec: InstrumentSpec, depth: int) -> Book:
    """The best `depth` (at most `marketdata.snapshots.DEPTH`) levels of each side."""
    snapshot = _find_snapshot(spec)
    if snapshot is None:
        return _stored_book(spec, depth)
    return Book(
        bids=_levels(snapshot.bids[:depth], spec), asks=_levels(snapshot.asks[:depth], spec)
    )


def _find_snapshot(spec: InstrumentSpec) -> BookSnapshot | None:
    """The published book, None when there is none that can be trusted now."""
    try:
        snapshot = read_snapshot(get_client(), shard=spec.shard, instrument_id=spec.id)
    except (redis.RedisError, msgspec.MsgspecError) as error:
        logger.warning("The book of %s is read from the database: %s", spec.symbol, error)
        return None
    if snapshot is None or snapshot.next_expiry_at is None:
        return snapshot
    is_overdue = snapshot.next_expiry_at + _OVERDUE_MICROSECONDS < time.time_ns() // 1000
    return None if is_overdue else snapshot


def _levels(levels: Sequence[Level], spec: InstrumentSpec) -> tuple[BookLevel, ...]:
    tick, lot = spec.tick_size, spec.lot_size
    return tuple(BookLevel(price * tick, lots * lot, count) for price, lots, count in levels)


def _stored_book(spec: InstrumentSpec, depth: int) -> Book:
    return Book(
        bids=_stored_side(spec, Side.BUY, "-limit_price", depth),
        asks=_stored_side(spec, Side.SELL, "limit_price", depth),
    )


def _stored_side(
    spec: InstrumentSpec, side: Side, best_first: str, depth: int
) -> tuple[BookLevel, ...]:
    rows = (
        Order.objects.filter(
            Q(valid_until__isnull=True) | Q(valid_until__gt=timezone.now()),
            instrument_id=spec.id,
            side=side,
            status__in=Order.OPEN_STATUSES,
            limit_price__isnull=False,
        )
        .values_list("limit_price")
        .annotate(open_quantity=Sum(F("quantity") - F("filled_quantity")), orders=Count("id"))
        .order_by(best_first)[:depth]
    )
    return tuple(BookLevel(price or Decimal(0), quantity, count) for price, quantity, count in rows)
