"""The venue's own money in the insurance fund."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal as D
from typing import Any

import pytest
from django.db import connection

from brokers.models import TradingAccount
from brokers.services.house import get_insurance_account_id
from common.errors import ValidationFailed
from common.ids import new_uuid
from ledger.errors import InsufficientFunds, SourceBookedDifferently
from ledger.models import JournalEntry, LedgerAccount
from ledger.types import Entry
from margin.errors import NoPerpetuals
from margin.services.fund import deposit_to_fund, open_funds, withdraw_from_fund
from margin.tests.factories import make_asset, make_perpetual, make_position
from marketdata.errors import UnknownAsset
from marketdata.models import Instrument

pytestmark = pytest.mark.django_db


@pytest.fixture
def bitcoin() -> Instrument:
    return make_perpetual(shard=3)


def deposit(amount: str, **fields: Any) -> Entry:
    given: dict[str, Any] = {
        "asset": "USDT",
        "source_id": new_uuid(),
        "actor": "test",
        "memo": "Paid in",
    }
    return deposit_to_fund(amount=D(amount), **(given | fields))


def withdraw(amount: str, **fields: Any) -> Entry:
    given: dict[str, Any] = {
        "asset": "USDT",
        "source_id": new_uuid(),
        "actor": "test",
        "memo": "Taken out",
    }
    return withdraw_from_fund(amount=D(amount), **(given | fields))


def balances() -> dict[tuple[str, int], D]:
    rows = LedgerAccount.objects.values_list("kind", "shard", "posted_balance")
    return {(kind, shard): balance for kind, shard, balance in rows}


def test_money_goes_to_the_row_of_the_perpetuals_shard_and_back(bitcoin: Instrument) -> None:
    entry = deposit("100.5")

    assert balances() == {("INSURANCE", 3): D("100.5"), ("TRANSIT", -1): D("-100.5")}
    stored = JournalEntry.objects.get(id=entry.id)
    assert (stored.kind, stored.memo, stored.actor) == ("DEPOSIT", "Paid in", "test")

    withdraw("100.5")

    assert balances() == {("INSURANCE", 3): 0, ("TRANSIT", -1): 0}


def test_no_more_is_taken_out_than_there_is(bitcoin: Instrument) -> None:
    deposit("100")

    with pytest.raises(InsufficientFunds) as refused:
        withdraw("100.000001")

    assert refused.value.facts == {"required": D("100.000001"), "available": D(100)}
    assert balances()["INSURANCE", 3] == 100
    assert JournalEntry.objects.count() == 1


def test_the_same_source_books_once(bitcoin: Instrument) -> None:
    paid, taken = new_uuid(), new_uuid()

    assert [deposit("100", source_id=paid).is_new for _ in range(2)] == [True, False]
    assert [withdraw("100", source_id=taken).is_new for _ in range(2)] == [True, False]
    with pytest.raises(SourceBookedDifferently):
        deposit("99", source_id=paid)

    assert balances()["INSURANCE", 3] == 0
    assert JournalEntry.objects.count() == 2


@pytest.mark.parametrize("amount", ["0", "-1", "0.0000001"])
def test_amounts_that_are_none(bitcoin: Instrument, amount: str) -> None:
    for move in (deposit, withdraw):
        with pytest.raises(ValidationFailed):
            move(amount)
    assert not JournalEntry.objects.exists()


def test_assets_without_perpetuals(bitcoin: Instrument) -> None:
    make_asset("EUR")
    for move in (deposit, withdraw):
        with pytest.raises(NoPerpetuals):
            move("1", asset="EUR")
        with pytest.raises(UnknownAsset):
            move("1", asset="NONE")
    assert not JournalEntry.objects.exists()


def test_funds_are_opened_once_for_each_quote_asset(bitcoin: Instrument) -> None:
    make_perpetual("ETH-PERP", shard=3)
    make_perpetual("BTCE-PERP", quote="EUR", shard=1)

    open_funds()
    open_funds()

    assert balances() == {("INSURANCE", 3): 0, ("INSURANCE", 1): 0}


@pytest.mark.django_db(transaction=True)
def test_many_at_once_take_no_more_than_there_is() -> None:
    make_perpetual()
    deposit("5")
    start = threading.Barrier(4)

    def take(_: int) -> bool:
        start.wait()
        try:
            withdraw("2")
        except InsufficientFunds:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(take, range(4)))

    assert sum(taken) == 2
    assert balances()["INSURANCE", 0] == 1


def test_what_the_fund_has_taken_over_must_still_be_carried(bitcoin: Instrument) -> None:
    """Long 0.5 from 52,000 at a mark of 50,000: 1,000 lost, 2,500 of maintenance margin."""
    deposit("10000")
    fund = TradingAccount.objects.get(id=get_insurance_account_id())
    make_position(fund, bitcoin, "0.5", "52000")

    with pytest.raises(InsufficientFunds) as refused:
        withdraw("6500.000001")
    assert refused.value.facts == {"required": D("6500.000001"), "available": D(6500)}
    assert balances()["INSURANCE", 3] == 10_000
    withdraw("6500")
    assert balances()["INSURANCE", 3] == 3_500
