"""The demo's perpetual follows its index; its simulated traders get calls and are liquidated."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from common.reconciliation import one_moment, run_checks
from exchange_project.demo.loading import load_demo
from exchange_project.demo.market import list_market_accounts, trade_demo_market
from exchange_project.reconciliation import CHECKS
from ledger.models import JournalEntry
from margin.models import Liquidation, MarginCall, Position
from margin.services.freezing import freeze_margin_account
from marketdata.models import MarkPrice
from marketdata.pricing import get_market_price
from marketdata.providers import add_provider
from marketdata.providers.simulated import SimulatedProvider
from marketdata.selectors import find_mark, get_instrument_spec
from orders.models import Trade
from orders.services.computed_marks import compute_mark_prices
from orders.services.marks import set_mark_price
from orders.tasks import sweep_liquidations


@pytest.fixture
def demo(engine: object, settings: Settings, tmp_path: Path) -> Settings:
    """A loaded demo with a living engine."""
    settings.DEMO_KEYS_FILE = str(tmp_path / "keys.json")
    settings.DEMO_MARKET = True
    load_demo()
    return settings


@pytest.fixture
def clock(settings: Settings) -> Iterator[list[datetime]]:
    """The time of the simulated prices, in a list of one; none of them counts as stale."""
    settings.PRICE_STALE_SECONDS = settings.PRICE_STALE_SECONDS_EQUITY = 10**9
    now = [datetime(2026, 11, 21, 12, 34, 56, tzinfo=UTC)]
    add_provider(SimulatedProvider(lambda: now[0]))
    yield now
    add_provider(SimulatedProvider())


def set_mark(price: str) -> None:
    instrument = get_instrument_spec("ETH-PERP")
    set_mark_price(instrument=instrument, price=Decimal(price), actor="test", is_forced=True)


def positions() -> list[Decimal]:
    """Quantities of the traders, in the order of their accounts."""
    rows = dict(Position.objects.values_list("account_id", "quantity"))
    return [rows.get(account_id, Decimal(0)) for account_id in list_market_accounts()]


def wait_for_liquidation() -> int:
    """Whose account is liquidated, once the engine has done so."""
    ends_at = time.monotonic() + 10
    while not Liquidation.objects.exists():
        assert time.monotonic() < ends_at
        time.sleep(0.02)
    return Liquidation.objects.get().account_id


def test_the_mark_follows_the_index_and_that_of_the_documents_stays(
    demo: Settings, clock: list[datetime]
) -> None:
    ether, bitcoin = map(get_instrument_spec, ("ETH-PERP", "BTC-PERP"))
    compute_mark_prices()
    mark = find_mark(ether.id)
    assert mark is not None
    assert mark.price == get_market_price(symbol="ETH-USDT").price

    clock[0] += timedelta(hours=1)
    MarkPrice.objects.filter(instrument_id=ether.id).update(
        as_of=mark.as_of - timedelta(seconds=31)
    )
    compute_mark_prices()

    later, fixed = find_mark(ether.id), find_mark(bitcoin.id)
    assert later is not None and fixed is not None
    assert later.price == get_market_price(symbol="ETH-USDT").price != mark.price
    assert fixed.price == 50_000


def test_traders_open_are_called_are_liquidated_and_start_over(demo: Settings) -> None:
    assert trade_demo_market() == 0  # there is no mark yet
    set_mark("2500")

    assert trade_demo_market() == 4
    opened = positions()
    # Stakes of 100 at 170, 140, 110 and 80 to one; two of them against the others.
    assert opened == [Decimal(text) for text in ("6.8", "-5.6", "4.4", "-3.2")]
    assert trade_demo_market() == 0

    set_mark("2486.25")
    sweep_liquidations()

    # 6.8 × 13.75 = 93.5 of 100, and 8.5 of fee: bankrupt. 4.4 × 13.75 = 60.5 and 5.5: called.
    assert wait_for_liquidation() == list_market_accounts()[0]
    assert {one.account_id for one in MarginCall.objects.all()} >= {list_market_accounts()[2]}
    entries = JournalEntry.objects.filter(memo="Demo market").count()
    assert entries == 0

    # The first pays in its stake again and goes the other way; the second takes its profit.
    assert trade_demo_market() == 2
    assert JournalEntry.objects.filter(memo="Demo market").count() == 1
    first, second, *others = positions()
    # 100 and the dust that the fund's price, in whole ticks, has left: 0.04.
    assert first == Decimal("-6.8403")
    assert (second, others) == (0, opened[2:])
    with one_moment():
        assert sum(result.difference_count for result in run_checks(CHECKS, shown_max=3)) == 0


def test_whom_staff_have_frozen_does_not_trade(demo: Settings) -> None:
    set_mark("2500")
    account_id = list_market_accounts()[0]
    freeze_margin_account(account_id=account_id, asset="USDT", reason="audit", actor="staff")

    assert trade_demo_market() == 3
    assert trade_demo_market() == 0
    assert positions()[0] == 0


def test_their_trades_are_not_counted(demo: Settings) -> None:
    set_mark("2500")
    trade_demo_market()

    answer = Client().get("/debug/trade-count", headers={"x-api-key": demo.ADMIN_API_KEY})

    assert (answer.json(), Trade.objects.count()) == ({"count": 0}, 4)


def test_they_do_nothing_where_the_demo_market_is_off(demo: Settings) -> None:
    set_mark("2500")
    demo.DEMO_MARKET = False
    assert trade_demo_market() == 0
    demo.DEMO_MARKET, demo.DEMO = True, False
    assert trade_demo_market() == 0
    assert not Position.objects.exists()
