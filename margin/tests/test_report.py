"""The margin report: what it says of each account is what the pure formulas say."""

from decimal import Decimal as D
from fractions import Fraction
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.models import TradingAccount
from brokers.services.house import get_dealer_account_id
from common.money import UNITS8
from margin.calculations import liquidation_price, margin_state
from margin.models import MarginAccount
from margin.selectors.report import (
    SORTS,
    ReportFilter,
    RiskLevel,
    exposure_of,
    find_account_margins,
    get_margin_report,
    stream_margin_report,
)
from margin.tests.factories import (
    make_asset,
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
def four(bitcoin: Instrument) -> dict[RiskLevel, TradingAccount]:
    """One account of each level: 0.1 bitcoin long at 50,000, margins 1,000 and 500."""
    accounts = {}
    for level, collateral, broker in (
        (RiskLevel.SAFE, "1000", "North"),
        (RiskLevel.CALL, "600", "North"),
        (RiskLevel.LIQUIDATE, "499.999999", "South"),
        (RiskLevel.BANKRUPT, "0", "South"),
    ):
        account = make_margin_account(collateral, document=f"D-{level}", broker=broker)
        make_position(account, bitcoin, "0.1", "50000")
        accounts[level] = account
    return accounts


def ids_of(**wanted: Any) -> list[int]:
    return [line.account_id for line in get_margin_report(**wanted).lines]


def test_the_worked_example(bitcoin: Instrument) -> None:
    make_position(make_margin_account("1000"), bitcoin, "0.1", "50000")
    set_mark(bitcoin, "51000")

    (line,) = get_margin_report().lines

    state = line.state
    assert state.unrealized_pnl == 100 * UNITS8
    assert state.equity == 1_100 * UNITS8
    assert state.initial_margin == 1_020 * UNITS8
    assert state.maintenance_margin == 510 * UNITS8
    assert (line.asset, line.scale, line.position_count) == ("USDT", 6, 1)
    assert line.level == RiskLevel.SAFE
    # (5,100 - 1,100) / 0.09, which is where it was before the mark moved.
    assert line.liquidation_price == Fraction(4_000 * 100, 9)


def test_levels_and_the_order_of_risk(four: dict[RiskLevel, TradingAccount]) -> None:
    report = get_margin_report()

    assert [line.level for line in report.lines] == list(RiskLevel)
    assert [line.account_id for line in report.lines] == [four[level].id for level in RiskLevel]
    counts = (
        report.account_count,
        report.at_risk_count,
        report.liquidation_count,
        report.bankrupt_count,
    )
    assert counts == (4, 3, 2, 1)
    assert report.lines[0].state.margin_ratio is None


def test_equality_is_enough(bitcoin: Instrument) -> None:
    make_position(make_margin_account("500"), bitcoin, "0.1", "50000")

    assert [line.level for line in get_margin_report().lines] == [RiskLevel.CALL]
    assert get_margin_report().liquidation_count == 0


def test_the_deepest_of_the_bankrupt_comes_first(bitcoin: Instrument) -> None:
    shallow, deep = make_margin_account("10", document="1"), make_margin_account("0", document="2")
    for account in (shallow, deep):
        make_position(account, bitcoin, "0.1", "60000")

    assert ids_of() == [deep.id, shallow.id]


def test_filters(four: dict[RiskLevel, TradingAccount]) -> None:
    ids = {level: account.id for level, account in four.items()}
    south = four[RiskLevel.BANKRUPT].broker_id

    assert ids_of(filters=ReportFilter(broker_id=south)) == [
        ids[RiskLevel.BANKRUPT],
        ids[RiskLevel.LIQUIDATE],
    ]
    assert ids_of(filters=ReportFilter(search="D-SA")) == [ids[RiskLevel.SAFE]]
    assert ids_of(filters=ReportFilter(search=str(ids[RiskLevel.CALL]))) == [ids[RiskLevel.CALL]]
    assert ids_of(filters=ReportFilter(search="%")) == []
    assert ids_of(filters=ReportFilter(asset="EUR")) == []
    assert len(ids_of(filters=ReportFilter(asset="USDT"))) == 4
    assert ids_of(filters=ReportFilter(account_id=ids[RiskLevel.SAFE])) == [ids[RiskLevel.SAFE]]
    at_risk = get_margin_report(filters=ReportFilter(is_at_risk=True))
    assert [line.level for line in at_risk.lines] == list(RiskLevel)[:3]
    assert at_risk.account_count == 3


@pytest.mark.parametrize("sort", SORTS)
def test_every_sort_and_its_reverse(four: Any, sort: str) -> None:
    down, up = ids_of(sort=sort), ids_of(sort=sort, is_descending=False)

    assert sorted(down) == sorted(up) == sorted(account.id for account in four.values())
    if sort in ("risk", "utilization", "equity", "collateral", "account"):
        assert up == down[::-1]


def test_pages(four: dict[RiskLevel, TradingAccount]) -> None:
    everything = ids_of()

    first, second = (get_margin_report(page=page, page_size=3) for page in (1, 2))
    assert [line.account_id for line in first.lines + second.lines] == everything
    assert (first.page_count, second.page, second.account_count) == (2, 2, 4)
    beyond = get_margin_report(page=9, page_size=3)
    assert (beyond.page, beyond.lines) == (2, second.lines)


def test_what_has_neither_position_nor_order_is_no_line(bitcoin: Instrument) -> None:
    make_position(make_margin_account("1000"), bitcoin, "0")

    assert get_margin_report().lines == []
    assert get_margin_report(page=3).page == 1


def test_open_orders_alone_are_a_line(bitcoin: Instrument) -> None:
    account = make_margin_account("3000")
    make_position(account, bitcoin, "0", open_buy="0.1", loss_reserve="12.5")

    (line,) = get_margin_report().lines

    assert (line.position_count, line.sole, line.liquidation_price) == (0, None, None)
    assert line.state.initial_margin == 1_000 * UNITS8
    assert line.state.maintenance_margin == 0
    assert line.state.loss_reserve == D("12.5") * UNITS8
    assert line.level == RiskLevel.SAFE


def test_a_line_for_each_quote_asset(bitcoin: Instrument) -> None:
    account = make_margin_account("1000")
    make_position(account, bitcoin, "0.1", "50000")
    make_position(account, make_perpetual("ETH-PERP", "2000", quote="EUR"), "1", "2000")

    lines = find_account_margins(account.id)

    found = {line.asset: (line.state.collateral, line.level) for line in lines}
    assert found == {
        "USDT": (1_000 * UNITS8, RiskLevel.SAFE),
        "EUR": (0, RiskLevel.BANKRUPT),
    }


def test_frozen_is_said(bitcoin: Instrument) -> None:
    account = make_margin_account("1000")
    make_position(account, bitcoin, "0.1", "50000")
    MarginAccount.objects.create(
        account=account, asset=make_asset("USDT"), is_frozen=True, frozen_reason="Looked into"
    )

    assert [line.is_frozen for line in get_margin_report().lines] == [True]


def test_the_venues_own_account_is_shown_only_when_asked_for(bitcoin: Instrument) -> None:
    dealer = get_dealer_account_id()
    make_position(TradingAccount.objects.get(id=dealer), bitcoin, "-0.1", "40000")

    assert get_margin_report().lines == []
    assert list(stream_margin_report()) == []
    assert [line.account_id for line in find_account_margins(dealer)] == [dealer]


def test_the_stream_has_all_lines_in_the_same_order(four: Any) -> None:
    assert list(stream_margin_report()) == get_margin_report().lines
    only = ReportFilter(is_at_risk=True)
    assert list(stream_margin_report(filters=only)) == get_margin_report(filters=only).lines


# --- the same as the pure formulas ----------------------------------------------------------------

_LOTS = st.integers(-50_000, 50_000)
_OPEN = st.integers(0, 20_000)
_POSITION = st.tuples(_LOTS, st.integers(1, 9_000_000), _OPEN, _OPEN)
_RATES = st.integers(1, 40_000_000)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    marks=st.tuples(st.integers(1, 9_000_000), st.integers(1, 9_000_000)),
    rates=st.tuples(_RATES, _RATES),
    books=st.lists(
        st.tuples(st.integers(0, 10**12), st.lists(_POSITION, min_size=1, max_size=2)),
        min_size=1,
        max_size=4,
    ),
)
def test_every_figure_is_that_of_the_formulas(
    db: Any, marks: tuple[int, int], rates: tuple[int, int], books: list[Any]
) -> None:
    with transaction.atomic():
        expected = _written(marks, rates, books)
        found = {
            line.account_id: (line.state, line.liquidation_price and line.liquidation_price * 100)
            for line in get_margin_report().lines
        }
        transaction.set_rollback(True)

    assert found == expected


def _written(marks: tuple[int, int], rates: tuple[int, int], books: list[Any]) -> dict[int, Any]:
    """Write the accounts; their margin state and liquidation price in ticks by the formulas."""
    instruments = _instruments(marks, rates)
    expected = {}
    for number, (collateral, positions) in enumerate(books):
        account = make_margin_account(str(D(collateral) / 10**6), document=str(number))
        exposures = []
        for instrument, mark, terms in zip(instruments, marks, positions, strict=False):
            fields = _fields(*terms)
            make_position(account, instrument, **fields)
            exposures.append(_exposure(instrument, mark, fields))
        live = [one for one in exposures if one.quantity or one.open_buy or one.open_sell]
        if live:
            state = margin_state(collateral * 100, live)
            held = [one for one in live if one.quantity]
            ticks = liquidation_price(state, held[0]) if len(held) == 1 else None
            expected[account.id] = (state, ticks)
    return expected


def _instruments(marks: tuple[int, int], rates: tuple[int, int]) -> list[Instrument]:
    return [
        make_perpetual(
            symbol,
            str(D(mark) / 100),
            maintenance_margin_rate=D(rate) / UNITS8,
            initial_margin_rate=D(rate * 2 + 1) / UNITS8,
        )
        for symbol, mark, rate in zip(("A-PERP", "B-PERP"), marks, rates, strict=True)
    ]


def _fields(lots: int, entry: int, buys: int, sells: int) -> dict[str, str]:
    quantities = {"quantity": lots, "open_buy": buys, "open_sell": sells}
    fields = {name: str(D(value) / 10_000) for name, value in quantities.items()}
    return fields | {"entry": str(D(entry) / 100)}


def _exposure(instrument: Instrument, mark: int, fields: dict[str, str]) -> Any:
    quantity = D(fields["quantity"])
    return exposure_of(
        tick_size=D("0.01"),
        lot_size=D("0.0001"),
        initial_rate=instrument.initial_margin_rate,
        maintenance_rate=instrument.maintenance_margin_rate,
        mark=D(mark) / 100,
        quantity=quantity,
        cost_basis=quantity * D(fields["entry"]),
        open_buy=D(fields["open_buy"]),
        open_sell=D(fields["open_sell"]),
    )
