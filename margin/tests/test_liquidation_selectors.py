"""Who the sweep finds, and what the history of liquidations shows."""

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.services.house import get_dealer_account_id, get_insurance_account_id
from common.ids import new_uuid
from ledger.services import post_entry
from ledger.types import AccountKind, ClientAccount, EntryKind, Line, VenueAccount
from margin.errors import LiquidationNotFound
from margin.selectors.liquidations import (
    HistoryFilter,
    NearAccount,
    get_liquidation,
    list_accounts_to_liquidate,
    list_liquidations,
    list_near_accounts,
)
from margin.tests.factories import (
    make_asset,
    make_liquidation,
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


def long(collateral: str, document: str = "1", quantity: str = "0.1") -> TradingAccount:
    """An account that is long since 50,000; 0.1 needs a maintenance margin of 500."""
    account = make_margin_account(collateral, document=document)
    make_position(account, Instrument.objects.get(symbol="BTC-PERP"), quantity, "50000")
    return account


def found() -> list[int]:
    return [one.account_id for one in list_accounts_to_liquidate()]


def owe(account: TradingAccount, amount: str) -> None:
    """Let the collateral be below zero, as a loss leaves it."""
    asset = make_asset("USDT").id
    post_entry(
        kind=EntryKind.FUNDING,
        source_kind="test",
        source_id=new_uuid(),
        lines=[
            Line(ClientAccount(account.id, asset, AccountKind.MARGIN), -D(amount)),
            Line(VenueAccount(AccountKind.CLEARING, asset), D(amount)),
        ],
        actor="test",
    )


def test_equity_as_large_as_the_maintenance_margin_is_enough(bitcoin: Instrument) -> None:
    long("500", "1")
    below = long("499.999999", "2")

    asset = make_asset("USDT").id
    expected = NearAccount(below.id, asset, bitcoin.shard, D("499.999999"), D(500), is_judged=True)
    assert list_accounts_to_liquidate() == [expected]


def test_who_is_near_may_be_judged_by_a_mark_that_is_old(bitcoin: Instrument) -> None:
    near, below = long("625", "1"), long("400", "2")
    long("625.000001", "3")
    set_mark(bitcoin, "50000", age=timedelta(hours=1))

    found = list_near_accounts(ratio=D("0.8"))

    assert [(one.account_id, one.is_judged, one.must_be_liquidated) for one in found] == [
        (below.id, False, False),
        (near.id, False, False),
    ]


def test_the_mark_decides_and_who_lacks_most_comes_first(bitcoin: Instrument) -> None:
    near, deep = long("600", "1"), long("520", "2")
    make_position(make_margin_account("9000", document="3"), bitcoin, "-0.2", "50000")
    assert found() == []

    # Each loses 150: 450 and 370 are left against 485.
    set_mark(bitcoin, "48500")

    assert found() == [deep.id, near.id]


def test_cross_margin_counts_all_positions_of_the_quote_asset(bitcoin: Instrument) -> None:
    ether = make_perpetual("ETH-PERP", "2500")
    account = long("700")
    assert found() == []

    # 250 more of maintenance margin, nothing lost.
    make_position(account, ether, "1", "2500")
    assert found() == [account.id]

    # Profit of 100 carries it again: 800 against 760.
    set_mark(ether, "2600")
    assert found() == []


def test_a_position_in_another_asset_does_not_help(bitcoin: Instrument) -> None:
    account = long("499")
    euro = make_perpetual("BTCE-PERP", "50000", quote="EUR")
    make_position(account, euro, "-0.1", "60000")

    assert [(one.account_id, one.asset_id) for one in list_accounts_to_liquidate()] == [
        (account.id, make_asset("USDT").id)
    ]


def test_the_venues_own_accounts_are_left_out(bitcoin: Instrument) -> None:
    for account_id in (get_dealer_account_id(), get_insurance_account_id()):
        account = TradingAccount.objects.get(id=account_id)
        make_position(account, bitcoin, "1", "90000")
        owe(account, "5")

    assert found() == []


def test_a_stale_mark_liquidates_nobody(bitcoin: Instrument) -> None:
    ether = make_perpetual("ETH-PERP", "2500")
    only_bitcoin, both = long("1", "1"), long("1", "2")
    make_position(both, ether, "1", "2500")

    set_mark(ether, "2500", age=timedelta(seconds=601))
    assert found() == [only_bitcoin.id]

    set_mark(ether, "2500", age=timedelta(seconds=590))
    assert set(found()) == {only_bitcoin.id, both.id}


@pytest.mark.parametrize("state", ["HALTED", "CANCEL_ONLY", "CLOSED", "PRE_OPEN", "AUCTION"])
def test_an_instrument_that_does_not_trade_liquidates_nobody(
    bitcoin: Instrument, state: str
) -> None:
    ether = make_perpetual("ETH-PERP", "2500")
    halted, free = long("1", "1"), make_margin_account("1", document="2")
    make_position(free, ether, "1", "2500")
    Instrument.objects.filter(id=bitcoin.id).update(state=state)

    assert found() == [free.id]
    # Flat and without orders in what is halted: that does not shield the rest.
    make_position(free, bitcoin, "0")
    assert found() == [free.id]
    assert halted.id not in found()


def test_who_has_no_position_and_less_than_nothing_owes_a_bad_debt(bitcoin: Instrument) -> None:
    debtor, flat, fine = (make_margin_account("10", document=name) for name in "123")
    make_position(flat, bitcoin, "0")
    owe(debtor, "12")
    owe(flat, "11")
    owe(fine, "10")
    set_mark(bitcoin, "50000", age=timedelta(hours=1))

    assert found() == [debtor.id, flat.id]


def test_a_debt_in_an_asset_without_perpetuals_is_nobodys_to_liquidate(bitcoin: Instrument) -> None:
    account = make_margin_account("10", quote="EUR")
    post_entry(
        kind=EntryKind.ADJUSTMENT,
        source_kind="test",
        source_id=new_uuid(),
        lines=[
            Line(ClientAccount(account.id, make_asset("EUR").id, AccountKind.MARGIN), D(-11)),
            Line(VenueAccount(AccountKind.TRANSIT, make_asset("EUR").id), D(11)),
        ],
        actor="test",
    )

    assert found() == []


# --- history --------------------------------------------------------------------------------------


def test_the_history_by_account_asset_outcome_and_time(bitcoin: Instrument) -> None:
    first, second = make_margin_account(document="1"), make_margin_account(document="2", broker="B")
    now = timezone.now()
    old = make_liquidation(first, executed_at=now - timedelta(days=2))
    new = make_liquidation(second, outcome="CLOSED", executed_at=now)

    def ids(outcome: str | None = None, **wanted: Any) -> set[Any]:
        rows = list_liquidations(HistoryFilter(**wanted), outcome=outcome)
        return {row.id for row in rows}

    assert ids() == {old.id, new.id}
    assert ids(account_id=first.id) == {old.id}
    assert ids(broker_id=second.broker_id) == {new.id}
    assert ids(asset="EUR") == set()
    assert ids(asset="USDT", outcome="CLOSED") == {new.id}
    assert ids(since=now) == {new.id}
    assert ids(until=now) == {old.id}


def test_a_liquidation_with_its_steps_in_their_order(bitcoin: Instrument) -> None:
    made = make_liquidation(make_margin_account(), instrument=bitcoin)

    found = get_liquidation(made.id)

    assert [(step.number, step.kind) for step in found.steps.all()] == [
        (1, "FREEZE"),
        (2, "TAKEOVER"),
        (3, "UNFREEZE"),
    ]
    with pytest.raises(LiquidationNotFound):
        get_liquidation(new_uuid())
