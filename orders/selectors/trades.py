"""Trades and fills, and what is computed of them: prices, a broker's net."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, cast
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from msgspec import Meta

from brokers.types import Principal
from common.api.declarations import Moment, Request, RowId, Symbol
from common.api.pagination import Page, PageRequest, make_page
from orders.choices import SideChoice, VenueChoice
from orders.models import Fill, Trade, Venue
from orders.selectors import statements
from orders.types import PriceSummary

_CHUNK = 1_000


def list_trades(instrument_id: int) -> "QuerySet[Trade]":
    """The trades of an instrument on its book."""
    return Trade.objects.filter(instrument_id=instrument_id, venue=Venue.BOOK)


class FillFilter(Request, frozen=True):
    """Which fills a list shows; None: all."""

    account_id: RowId | None = None
    symbol: Annotated[Symbol | None, Meta(description="In any case.")] = None
    order_id: UUID | None = None
    side: SideChoice | None = None
    venue: VenueChoice | None = None
    since: Annotated[Moment | None, Meta(description="Executed at that time or later.")] = None
    until: Annotated[Moment | None, Meta(description="Executed before that time.")] = None


def fetch_fills(*, principal: Principal, wanted: PageRequest, filters: FillFilter) -> Page:
    """A page of the fills of the principal's accounts, newest first.

    Pages go by trade: the two fills of a trade between accounts of one broker stay together, so a
    page may hold one more than was asked for.
    """
    fills = _list_fills(principal, filters)
    if wanted.after is not None:
        fills = fills.filter(trade_id__gt=wanted.after).order_by("trade_id", "side")
    elif wanted.before is not None:
        fills = fills.filter(trade_id__lt=wanted.before).order_by("-trade_id", "-side")
    else:
        fills = fills.order_by("-trade_id", "-side")
    return _page_of_whole_trades(list(fills[: wanted.limit + 1]), wanted)


def iterate_fills(*, principal: Principal, filters: FillFilter) -> Iterator[Fill]:
    """All fills of the principal's accounts, newest first, read in chunks."""
    fills = _list_fills(principal, filters).order_by("-trade_id", "-side")
    return fills.iterator(chunk_size=_CHUNK)


def _list_fills(principal: Principal, filters: FillFilter) -> "QuerySet[Fill]":
    fills = Fill.objects.select_related("instrument", "trade").filter(
        account__broker=principal.broker_id
    )
    if principal.account_id is not None:
        fills = fills.filter(account_id=principal.account_id)
    return fills.filter(_matching(filters))


def _matching(filters: FillFilter) -> Q:
    plain: dict[str, Any] = {
        "account_id": filters.account_id,
        "instrument__symbol": filters.symbol,
        "order_id": filters.order_id,
        "side": filters.side,
        "trade__venue": filters.venue,
        "executed_at__gte": filters.since,
        "executed_at__lt": filters.until,
    }
    return Q(**{name: value for name, value in plain.items() if value is not None})


def _page_of_whole_trades(rows: list[Fill], wanted: PageRequest) -> Page:
    size = wanted.size
    if len(rows) > size and rows[size].trade_id == rows[size - 1].trade_id:
        size += 1
    return make_page(
        rows[: size + 1], replace(wanted, size=size), lambda fill: cast(UUID, fill.trade_id)
    )


def get_last_and_average(instrument_id: int, trades: int) -> PriceSummary | None:
    """Last price and the exact sum of the last `trades` prices; None without trades."""
    with connection.cursor() as cursor:
        cursor.execute(statements.LAST_PRICES, [instrument_id, trades])
        return statements.read_prices(cursor.fetchall())


def get_broker_net(broker_id: UUID) -> Decimal:
    """What a broker sold minus what it bought on the book, in the venue's currency."""
    with connection.cursor() as cursor:
        cursor.execute(statements.BROKER_NET, [broker_id, settings.VENUE_CURRENCY])
        net: Decimal = cursor.fetchone()[0]
        return net


def count_trades() -> int:
    """How many trades there are: exact, so it reads them all."""
    return Trade.objects.count()
