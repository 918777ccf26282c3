"""The start page: where to go, and a glance at the living venue."""

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import redis
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from common.errors import ExchangeError
from common.money import plain
from common.valkey import get_client
from exchange_project.health import health_document
from marketdata.models import Instrument
from marketdata.pricing import MarketPrice, get_last_prices
from marketdata.selectors import list_instruments, make_spec
from marketdata.snapshots import BookSnapshot, read_snapshots
from marketdata.types import InstrumentSpec

logger = logging.getLogger(__name__)

_SHOWN_MAX = 16
# For price services, all together: the page comes without what they have not said by then.
_PRICE_SECONDS_MAX = 1.0


@require_safe
def start_page(request: HttpRequest) -> HttpResponse:
    """The page. It comes also when the database or Valkey is away, and says so."""
    health = health_document()
    context = {"health": health, "instruments": _glances()}
    return render(request, "exchange_project/start.html", context)


def _glances() -> list[dict[str, Any]]:
    """The first instruments, those of the staff before openly listed ones, with their prices."""
    try:
        shown = list_instruments(state=Instrument.State.CONTINUOUS)
        specs = [make_spec(row) for row in shown.order_by("is_open_listing", "symbol")[:_SHOWN_MAX]]
    except (DatabaseError, InterfaceError) as error:
        logger.warning("start page without instruments: %s", error)
        return []
    snapshots = _find_snapshots(specs)
    if snapshots is None:
        return [_glance(spec, None, None) for spec in specs]
    prices = get_last_prices(symbols=[one.symbol for one in specs], seconds_max=_PRICE_SECONDS_MAX)
    return [
        _glance(spec, snapshot, prices[spec.symbol])
        for spec, snapshot in zip(specs, snapshots, strict=True)
    ]


def _glance(
    spec: InstrumentSpec, snapshot: BookSnapshot | None, market: MarketPrice | ExchangeError | None
) -> dict[str, Any]:
    """Prices of the book; where it has none, what the market says and the venue deals at."""
    bid = snapshot.bids[0][0] * spec.tick_size if snapshot and snapshot.bids else None
    ask = snapshot.asks[0][0] * spec.tick_size if snapshot and snapshot.asks else None
    last = snapshot.last_price if snapshot else None
    price = None if last is None else last * spec.tick_size
    if isinstance(market, MarketPrice):
        price, bid, ask = price or market.price, bid or market.bid, ask or market.ask
    return {
        "symbol": spec.symbol,
        "kind": spec.kind.capitalize(),
        "quote": spec.quote_asset,
        "last": _shown(price, spec),
        "bid": _shown(bid, spec),
        "ask": _shown(ask, spec),
    }


def _find_snapshots(specs: Sequence[InstrumentSpec]) -> Sequence[BookSnapshot | None] | None:
    """The books as they were last published; None where Valkey does not answer."""
    try:
        return read_snapshots(get_client(), [(spec.shard, spec.id) for spec in specs])
    except (redis.RedisError, msgspec.MsgspecError) as error:
        logger.warning("start page without prices: %s", error)
        return None


def _shown(price: Decimal | None, spec: InstrumentSpec) -> str:
    """A price with as many decimals as the tick has."""
    if price is None:
        return "–"
    places = -int(Decimal(plain(spec.tick_size)).as_tuple().exponent)
    return f"{price:.{max(0, places)}f}"
