"""Pages of fills out of a history: what a plain query over the view gives, whatever the filters."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from brokers.types import Principal
from common.api.pagination import Page, PageRequest
from exchange_project.history.loading import HistoryPlan, load_history
from exchange_project.history.world import Size
from orders.models import Fill, Order, Trade
from orders.selectors.trades import FillFilter, fetch_fills
from orders.tests.emptying import empty_tables

_SIZE = 7


@pytest.fixture
def principal(transactional_db: None) -> Iterator[Principal]:
    """A broker whose accounts trade with each other too."""
    load_history(HistoryPlan(orders=400, open_orders=20, size=Size(2, 3, 3)))
    broker = Order.objects.order_by("id")[0].broker_id
    yield Principal(
        key_id=None, broker_id=broker, broker_name="", account_id=None, scopes=frozenset()
    )
    empty_tables()


def filters_of(principal: Principal) -> dict[str, FillFilter]:
    """Each filter alone and some together."""
    mine = Fill.objects.filter(account__broker=principal.broker_id).order_by("trade_id", "side")
    fill = mine[len(mine) // 2]
    plain = FillFilter()
    return {
        "all": plain,
        "account": structs.replace(plain, account_id=fill.account_id),
        "symbol": structs.replace(plain, symbol="HIST2"),
        "unknown symbol": structs.replace(plain, symbol="NONE"),
        "order": structs.replace(plain, order_id=fill.order_id),
        "side": structs.replace(plain, side="SELL"),
        "venue": structs.replace(plain, venue="BOOK"),
        "other venue": structs.replace(plain, venue="DEALER"),
        "since": structs.replace(plain, since=fill.executed_at),
        "until": structs.replace(plain, until=fill.executed_at),
        "together": structs.replace(plain, symbol="HIST1", side="BUY", since=fill.executed_at),
    }


def expected(principal: Principal, filters: FillFilter) -> list[tuple[UUID, str]]:
    names = {
        "symbol": "instrument__symbol",
        "venue": "trade__venue",
        "since": "executed_at__gte",
        "until": "executed_at__lt",
    }
    wanted: dict[str, Any] = {
        names.get(name, name): value
        for name, value in structs.asdict(filters).items()
        if value is not None
    }
    fills = Fill.objects.filter(account__broker=principal.broker_id, **wanted)
    return list(fills.order_by("-trade_id", "-side").values_list("trade_id", "side"))


def keys(page: Page) -> list[tuple[UUID, str]]:
    return [(fill.trade_id, fill.side) for fill in page.rows]


def test_pages_forwards_and_back_are_all_fills(principal: Principal) -> None:
    assert Trade.objects.filter(
        buy_account__broker=principal.broker_id, sell_account__broker=principal.broker_id
    ).exists()
    for name, filters in filters_of(principal).items():
        found: list[tuple[UUID, str]] = []
        pages = []
        wanted: PageRequest | None = PageRequest(_SIZE)
        while wanted is not None:
            page = fetch_fills(principal=principal, wanted=wanted, filters=filters)
            found += keys(page)
            pages.append(page)
            wanted = PageRequest(_SIZE, before=page.rows[-1].trade_id) if page.next else None
        assert found == expected(principal, filters), name
        assert all(len(page.rows) in (_SIZE, _SIZE + 1) for page in pages[:-1]), name
        for newer, older in pairwise(pages):
            back = PageRequest(_SIZE, after=older.rows[0].trade_id)
            again = keys(fetch_fills(principal=principal, wanted=back, filters=filters))
            assert again[-1] == keys(newer)[-1], name


def test_a_key_of_one_account_sees_its_fills_alone(principal: Principal) -> None:
    assert principal.broker_id is not None
    traded = Order.objects.filter(broker_id=principal.broker_id, filled_quantity__gt=0)
    account_id = traded[0].account_id
    bound = replace(principal, account_id=account_id)
    page = fetch_fills(principal=bound, wanted=PageRequest(1_000), filters=FillFilter())

    assert keys(page) == expected(principal, FillFilter(account_id=account_id)) != []
    other = FillFilter(account_id=account_id + 1)
    assert fetch_fills(principal=bound, wanted=PageRequest(5), filters=other).rows == []


def test_the_venue_itself_has_no_fills(principal: Principal) -> None:
    venue = replace(principal, broker_id=None)
    assert fetch_fills(principal=venue, wanted=PageRequest(5), filters=FillFilter()).rows == []
