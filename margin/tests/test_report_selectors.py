"""Exposure by instrument, one account's positions, the stress test, equity over time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from fractions import Fraction
from typing import Any

import pytest
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.services.house import get_dealer_account_id
from common.money import UNITS8
from margin.models import EquitySnapshot
from margin.selectors.accounts import list_equity_points, list_positions
from margin.selectors.exposures import list_exposures, list_marks
from margin.selectors.report import find_account_margins
from margin.selectors.stress import StressPoint, get_stress_curve, list_stressed_accounts
from margin.services.snapshots import (
    purge_equity_snapshots,
    take_equity_snapshots,
    thin_out_equity_snapshots,
)
from margin.tasks import snapshot_equity
from margin.tests.factories import (
    make_margin_account,
    make_perpetual,
    make_position,
    set_mark,
)
from marketdata.models import Instrument

pytestmark = pytest.mark.django_db


@pytest.fixture
def bitcoin() -> Instrument:
    return make_perpetual()


@pytest.fixture
def pair(bitcoin: Instrument) -> tuple[TradingAccount, TradingAccount]:
    """0.1 bitcoin bought by an account with 1,000 from one with 5,000, at 50,000."""
    long, short = make_margin_account("1000"), make_margin_account("5000", document="2")
    make_position(long, bitcoin, "0.1", "50000")
    make_position(short, bitcoin, "-0.1", "50000")
    return long, short


# --- exposure -------------------------------------------------------------------------------------


def test_exposure_of_an_instrument(bitcoin: Instrument, pair: Any) -> None:
    third = make_margin_account("9000", document="3")
    make_position(third, bitcoin, "0.3", "49000", open_sell="0.2")
    make_position(make_margin_account("1", document="4"), bitcoin, "-0.3", "49000")
    set_mark(bitcoin, "51000")

    (exposure,) = list_exposures()

    assert (exposure.open_interest, exposure.imbalance) == (D("0.4"), 0)
    assert exposure.notional == 20_400
    assert (exposure.long_count, exposure.short_count) == (2, 2)
    assert (exposure.largest_long, exposure.largest_short) == (D("0.3"), D("0.3"))
    assert exposure.concentration == D("0.75")
    assert (exposure.open_buy, exposure.open_sell) == (0, D("0.2"))
    assert (exposure.long_pnl, exposure.short_pnl) == (700, -700)


def test_a_perpetual_without_positions(bitcoin: Instrument) -> None:
    (exposure,) = list_exposures()

    assert (exposure.open_interest, exposure.long_count, exposure.largest_short) == (0, 0, 0)
    assert exposure.concentration is None


def test_positions_that_do_not_sum_to_zero_are_told(bitcoin: Instrument) -> None:
    make_position(make_margin_account("1"), bitcoin, "0.1", "50000")

    assert [one.imbalance for one in list_exposures()] == [D("0.1")]


def test_the_latest_mark_holds_and_may_be_stale(bitcoin: Instrument) -> None:
    assert [(mark.price, mark.is_stale) for mark in list_marks()] == [(50_000, False)]

    set_mark(bitcoin, "48000", age=timedelta(seconds=601))

    assert [(mark.price, mark.is_stale) for mark in list_marks()] == [(48_000, True)]


# --- an account -----------------------------------------------------------------------------------


def test_positions_with_their_prices(bitcoin: Instrument, pair: Any) -> None:
    long, _ = pair
    ether = make_perpetual("ETH-PERP", "2000")
    make_position(long, ether, "-1", "2100", realized_pnl="7")
    make_position(long, make_perpetual("XRP-PERP", "1"), "0")

    first, second = list_positions(long.id)
    (margin,) = find_account_margins(long.id)

    assert (first.symbol, second.symbol) == ("BTC-PERP", "ETH-PERP")
    assert (first.entry_price, first.unrealized_pnl) == (50_000, 0)
    assert (second.entry_price, second.unrealized_pnl) == (2_100, 100 * UNITS8)
    assert (first.maintenance_margin, second.maintenance_margin) == (500 * UNITS8, 200 * UNITS8)
    assert first.initial_margin + second.initial_margin == margin.state.initial_margin
    # Equity 1,100, margins 500 and 200: (5,000 - 1,100 + 200) / 0.09 and (-2,000 - 600) / -1.1.
    assert first.liquidation_price(margin) == Fraction(4_100 * 100, 9)
    assert second.liquidation_price(margin) == Fraction(2_600 * 10, 11)
    # 50,000 - 1,100 * 5/7 / 0.1 and 2,000 + 1,100 * 2/7.
    assert first.bankruptcy_price(margin) == 50_000 - Fraction(55_000, 7)
    assert second.bankruptcy_price(margin) == 2_000 + Fraction(2_200, 7)


def test_a_long_that_bears_every_fall_has_no_price_to_fear(bitcoin: Instrument) -> None:
    rich = make_margin_account("5001")
    make_position(rich, bitcoin, "0.1", "50000")

    (position,) = list_positions(rich.id)
    (margin,) = find_account_margins(rich.id)

    assert position.liquidation_price(margin) is None
    assert position.bankruptcy_price(margin) is None


# --- stress ---------------------------------------------------------------------------------------


def test_stress_by_hand(bitcoin: Instrument, pair: Any) -> None:
    """Down 10 %: the long has 1,000 - 500 = 500 against 450. Down 12 %: 400 against 440. Down
    30 %: -500, which is the insurance fund's. Up 90 %: the short has 500 against 950."""
    moves = [D(text) for text in ("-0.3", "-0.2", "-0.12", "-0.1", "0", "0.9", "1")]

    curve = get_stress_curve(asset="USDT", instrument_ids=[bitcoin.id], moves=moves)

    assert curve == [
        StressPoint(D("-0.3"), 1, 1, D(500)),
        # Exactly nothing is left: liquidated, and nobody pays.
        StressPoint(D("-0.2"), 1, 0, D(0)),
        StressPoint(D("-0.12"), 1, 0, D(0)),
        StressPoint(D("-0.1"), 0, 0, D(0)),
        StressPoint(D("0"), 0, 0, D(0)),
        StressPoint(D("0.9"), 1, 0, D(0)),
        StressPoint(D("1"), 1, 0, D(0)),
    ]


def test_who_is_hit_by_a_move(bitcoin: Instrument, pair: Any) -> None:
    long, _ = pair
    poor = make_margin_account("500", document="3", broker="South")
    make_position(poor, bitcoin, "0.1", "50000")

    found = list_stressed_accounts(
        asset="USDT", instrument_ids=[bitcoin.id], move=D("-0.3"), limit=10
    )

    assert [(one.account_id, one.equity, one.loss) for one in found] == [
        (poor.id, -1_000, 1_000),
        (long.id, -500, 500),
    ]
    assert (found[0].broker, found[0].equity_before) == ("South", 500)
    assert found[0].maintenance_margin == 350
    given: dict[str, Any] = {"asset": "USDT", "instrument_ids": [bitcoin.id], "move": D("-0.3")}
    assert len(list_stressed_accounts(**given, limit=1)) == 1


def test_only_the_chosen_marks_move(bitcoin: Instrument, pair: Any) -> None:
    """The short of bitcoin, long ether: its bitcoin gains nothing when only ether falls."""
    _, short = pair
    ether = make_perpetual("ETH-PERP", "2000")
    make_position(short, ether, "10", "2000")
    moves = [D("-0.2")]

    only = get_stress_curve(asset="USDT", instrument_ids=[ether.id], moves=moves)
    both = get_stress_curve(asset="USDT", instrument_ids=[ether.id, bitcoin.id], moves=moves)

    # Ether alone: 5,000 - 4,000 = 1,000 against 500 + 1,600. Both: 2,000 against 400 + 1,600.
    assert [point.liquidated_count for point in only] == [1]
    found = list_stressed_accounts(asset="USDT", instrument_ids=[ether.id], move=moves[0], limit=10)
    assert [(one.account_id, one.equity, one.maintenance_margin) for one in found] == [
        (short.id, 1_000, 2_100)
    ]
    # Now it is the long of bitcoin alone: exactly nothing against 400.
    assert [point.liquidated_count for point in both] == [1]


def test_other_quote_assets_do_not_count(bitcoin: Instrument, pair: Any) -> None:
    moves = [D("-0.9")]

    curve = get_stress_curve(asset="EUR", instrument_ids=[bitcoin.id], moves=moves)
    assert curve == [StressPoint(moves[0], 0, 0, D(0))]


def test_the_venues_own_account_is_never_liquidated(bitcoin: Instrument) -> None:
    dealer = TradingAccount.objects.get(id=get_dealer_account_id())
    make_position(dealer, bitcoin, "0.1", "50000")

    curve = get_stress_curve(asset="USDT", instrument_ids=[bitcoin.id], moves=[D("-0.5")])
    assert curve == [StressPoint(D("-0.5"), 0, 0, D(0))]
    assert [one.long_count for one in list_exposures()] == [1]


# --- equity over time -----------------------------------------------------------------------------


def test_a_snapshot_is_taken_once_a_minute(bitcoin: Instrument, pair: Any) -> None:
    long, short = pair
    make_position(make_margin_account("9", document="3"), bitcoin, "0", open_buy="0.1")
    set_mark(bitcoin, "51000")
    at = datetime(2026, 1, 1, 12, 30, 41, tzinfo=UTC)

    assert take_equity_snapshots(at=at) == 2
    assert take_equity_snapshots(at=at.replace(second=59)) == 0
    assert take_equity_snapshots(at=at + timedelta(minutes=1)) == 2

    rows = EquitySnapshot.objects.order_by("at", "account_id").values_list(
        "account_id", "at", "equity", "initial_margin", "maintenance_margin"
    )
    minute = at.replace(second=0)
    assert list(rows[:2]) == [
        (long.id, minute, 1_100, 1_020, 510),
        (short.id, minute, 4_900, 1_020, 510),
    ]


def test_old_snapshots_keep_their_hours_then_go(pair: Any) -> None:
    now = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)
    young = now - timedelta(days=1, minutes=7)
    old = now - timedelta(days=3)
    instants = [young, old, old + timedelta(minutes=7), now - timedelta(days=91)]
    for at in instants:
        take_equity_snapshots(at=at)

    assert thin_out_equity_snapshots(now=now) == 4
    kept = set(EquitySnapshot.objects.values_list("at", flat=True))
    assert kept == {young.replace(second=0), old.replace(second=0)}
    assert thin_out_equity_snapshots(now=now) == 0


def test_the_tasks_take_and_thin_out(pair: Any) -> None:
    assert snapshot_equity() == 2
    take_equity_snapshots(at=timezone.now() - timedelta(days=100))

    assert purge_equity_snapshots() == 2
    assert EquitySnapshot.objects.count() == 2


def test_points_of_a_period_end_where_the_account_stands(bitcoin: Instrument, pair: Any) -> None:
    long, _ = pair
    now = timezone.now()
    for minutes, mark in ((300, "49000"), (2, "51000"), (1, "52000"), (0, "53000")):
        set_mark(bitcoin, mark)
        take_equity_snapshots(at=now - timedelta(minutes=minutes))

    hour = list_equity_points(long.id, period=timedelta(hours=1))
    quarter = list_equity_points(long.id, period=timedelta(days=90))

    assert [point.equity for point in hour] == [1_100, 1_200, 1_300]
    assert (hour[0].asset, hour[0].maintenance_margin) == ("USDT", 510)
    # Steps of six hours: the last of each.
    assert quarter[-1].equity == 1_300
    assert len(quarter) <= 2
    assert list_equity_points(0, period=timedelta(hours=1)) == []
