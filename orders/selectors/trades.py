"""Trades and fills, and what is computed of them: prices, a broker's net."""

from dataclasses import replace
from decimal import Decimal
from typing import cast
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet, Sum

from brokers.types import Principal
from common.api.pagination import Page, PageRequest, make_page
from orders.models import BrokerNet, Fill, Trade
from orders.types import PriceSummary


def list_trades(instrument_id: int) -> "QuerySet[Trade]":
    """The trades of an instrument on its book."""
    return Trade.objects.filter(instrument_id=instrument_id, venue=Trade.Venue.BOOK)


def fetch_fills(
    *,
    principal: Principal,
    wanted: PageRequest,
    account_id: int | None = None,
    symbol: str | None = None,
    order_id: UUID | None = None,
) -> Page:
    """A page of the fills of the principal's orders, newest first.

    Pages go by trade: the two fills of a trade between accounts of one broker stay together, so a
    page may hold one more than was asked for.
    """
    fills = Fill.objects.select_related("instrument").filter(account__broker=principal.broker_id)
    for bound in (principal.account_id, account_id):
        if bound is not None:
            fills = fills.filter(account_id=bound)
    if symbol is not None:
        fills = fills.filter(instrument__symbol=symbol)
    if order_id is not None:
        fills = fills.filter(order_id=order_id)
    if wanted.after is not None:
        fills = fills.filter(trade_id__gt=wanted.after).order_by("trade_id", "side")
    elif wanted.before is not None:
        fills = fills.filter(trade_id__lt=wanted.before).order_by("-trade_id", "-side")
    else:
        fills = fills.order_by("-trade_id", "-side")
    return _page_of_whole_trades(list(fills[: wanted.limit + 1]), wanted)


def _page_of_whole_trades(rows: list[Fill], wanted: PageRequest) -> Page:
    size = wanted.size
    if len(rows) > size and rows[size].trade_id == rows[size - 1].trade_id:
        size += 1
    return make_page(
        rows[: size + 1], replace(wanted, size=size), lambda fill: cast(UUID, fill.trade_id)
    )


def get_last_and_average(instrument_id: int, trades: int) -> PriceSummary | None:
    """Last price and the exact sum of the last `trades` prices; None without trades."""
    newest_first = list_trades(instrument_id).order_by("-id")
    prices = list(newest_first.values_list("price", flat=True)[:trades])
    if not prices:
        return None
    return PriceSummary(last_price=prices[0], total=sum(prices, Decimal(0)), count=len(prices))


def get_broker_net(broker_id: UUID) -> Decimal:
    """What a broker sold minus what it bought on the book, in the venue's currency."""
    total = BrokerNet.objects.filter(
        broker_id=broker_id, asset__code=settings.VENUE_CURRENCY
    ).aggregate(total=Sum("net_amount"))["total"]
    return total or Decimal(0)


def count_trades() -> int:
    """How many trades there are: exact, so it reads them all."""
    return Trade.objects.count()
