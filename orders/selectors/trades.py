"""Trades and fills, and what is computed of them: prices, a broker's net."""

from collections.abc import Iterator, Sequence
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

# For each account the ends of two index ranges, its buys and its sells: a page costs as much as
# there are accounts, whatever the number of trades. The halves of the view come in no order.
_SHOWN = """
SELECT f.trade_id, f.side
  FROM brokers_tradingaccount a
 CROSS JOIN LATERAL ({halves}) AS f
 WHERE a.broker_id = %(broker)s {accounts}
 ORDER BY f.trade_id {direction}, f.side {direction} LIMIT %(limit)s
"""
_HALF = """
(SELECT t.id AS trade_id, '{side}' AS side FROM orders_trade t
  WHERE t.{half}_account_id = a.id AND (t.{half}_order_id IS NOT NULL OR t.venue = 'FORCED') {fills}
  ORDER BY t.id {direction} LIMIT %(limit)s)
"""
_OF_ACCOUNTS = {"account": "a.id = %(account)s", "named_account": "a.id = %(named_account)s"}
_OF_FILLS = {
    "after": "t.id > %(after)s",
    "before": "t.id < %(before)s",
    "symbol": "t.instrument_id = (SELECT id FROM marketdata_instrument WHERE symbol = %(symbol)s)",
    "order": "t.{half}_order_id = %(order)s",
    "venue": "t.venue = %(venue)s",
    "since": "t.executed_at >= %(since)s",
    "until": "t.executed_at < %(until)s",
}
_SIDES = ("BUY", "SELL")


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
    with connection.cursor() as cursor:
        cursor.execute(*_shown_statement(principal, wanted, filters))
        shown: list[tuple[UUID, str]] = cursor.fetchall()
    found = Fill.objects.select_related("instrument", "trade").filter(
        trade_id__in={trade_id for trade_id, _ in shown}
    )
    fills = {(fill.trade_id, fill.side): fill for fill in found}
    return _page_of_whole_trades([fills[key] for key in shown], wanted)


def _shown_statement(
    principal: Principal, wanted: PageRequest, filters: FillFilter
) -> tuple[str, dict[str, Any]]:
    """What selects trade and side of the fills of a page, and its parameters."""
    values = {
        "account": principal.account_id,
        "named_account": filters.account_id,
        "after": wanted.after,
        "before": wanted.before,
        "symbol": filters.symbol,
        "order": filters.order_id,
        "venue": filters.venue,
        "since": filters.since,
        "until": filters.until,
    }
    params = {name: value for name, value in values.items() if value is not None}
    direction = "ASC" if wanted.after is not None else "DESC"
    fills = "".join(f" AND {text}" for name, text in _OF_FILLS.items() if name in params)
    halves = " UNION ALL ".join(
        _HALF.format(side=side, half=side.lower(), direction=direction,
                     fills=fills.format(half=side.lower()))
        for side in _SIDES
        if filters.side in (None, side)
    )  # fmt: skip
    accounts = "".join(f" AND {text}" for name, text in _OF_ACCOUNTS.items() if name in params)
    query = _SHOWN.format(halves=halves, accounts=accounts, direction=direction)
    return query, params | {"limit": wanted.limit + 1, "broker": principal.broker_id}


def iterate_fills(*, principal: Principal, filters: FillFilter) -> Iterator[Fill]:
    """All fills of the principal's accounts, newest first, read page by page."""
    wanted = PageRequest(_CHUNK)
    while True:
        page = fetch_fills(principal=principal, wanted=wanted, filters=filters)
        yield from page.rows
        if page.next is None:
            return
        wanted = PageRequest(_CHUNK, before=page.rows[-1].trade_id)


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


def count_trades(*, without_accounts: Sequence[int] = ()) -> int:
    """How many trades there are, but for those of some accounts: exact, so it reads them all."""
    count = Trade.objects.count()
    if without_accounts:
        theirs = Q(buy_account__in=without_accounts) | Q(sell_account__in=without_accounts)
        count -= Trade.objects.filter(theirs).count()
    return count
