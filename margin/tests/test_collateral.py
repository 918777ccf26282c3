"""Collateral moves in from cash, and out as far as it is free."""

import threading
from decimal import Decimal as D

import pytest
from django.db import connections

from brokers.models import TradingAccount
from brokers.services import create_account, register_broker, suspend_account
from common.errors import ValidationFailed
from common.ids import new_uuid
from ledger.errors import AccountNotActive, EntryNotReversible, InsufficientFunds
from ledger.models import JournalEntry
from ledger.selectors import find_balance
from ledger.services import reverse_entry, withdraw
from ledger.tests.factories import fund, make_account
from ledger.types import AccountKind
from margin.errors import (
    InsufficientFreeCollateral,
    MarginAccountFrozen,
    MarginAccountRequired,
    MarkPriceStale,
    NotCollateralAsset,
)
from margin.models import MarginAccount
from margin.services.collateral import move_collateral
from margin.tests.world import make_perpetual, make_trader, order, set_mark
from marketdata.models import Asset, MarkPrice
from orders.tests.fixtures import Api


def move(account: TradingAccount, amount: str) -> None:
    move_collateral(
        account_id=account.id, asset="USDT", amount=D(amount), source_id=new_uuid(), actor="test"
    )


def money(account: TradingAccount) -> tuple[D, D]:
    """Cash and collateral."""
    cash, margin = (
        find_balance(account.id, "USDT", kind) for kind in (AccountKind.CASH, AccountKind.MARGIN)
    )
    return (
        D(0) if cash is None else cash.posted_balance,
        D(0) if margin is None else margin.posted_balance,
    )


@pytest.fixture
def trader(engine: object) -> tuple[TradingAccount, Api]:
    """Holds 0.1 at 50,000 on a collateral of 2,000: 1,000 are free."""
    make_perpetual()
    set_mark(50_000)
    _, counter = make_trader("Counter", collateral=50_000)
    account, api = make_trader("Trader", collateral=2_000, cash=500)
    assert counter.post("orders", order("SELL", 50_000, "0.1")).status_code == 201
    assert api.post("orders", order("BUY", 50_000, "0.1")).json()["status"] == "FILLED"
    return account, api


def test_cash_becomes_collateral_and_back(trader: tuple[TradingAccount, Api]) -> None:
    account, _ = trader
    move(account, "300")
    assert money(account) == (200, 2_300)
    move(account, "-1300")
    assert money(account) == (1_500, 1_000)
    assert JournalEntry.objects.filter(kind="COLLATERAL").count() == 2


def test_no_more_goes_out_than_is_free(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    with pytest.raises(InsufficientFreeCollateral) as refusal:
        move(account, "-1000.000001")
    assert refusal.value.facts == {"required": D("1000.000001"), "available": D(1_000)}
    # An open order needs its margin, and what it would lose at once.
    assert api.post("orders", order("BUY", 51_000, "0.05")).json()["status"] == "OPEN"
    with pytest.raises(InsufficientFreeCollateral) as refusal:
        move(account, "-450.000001")
    assert refusal.value.facts["available"] == 450
    assert money(account) == (500, 2_000)
    move(account, "-450")


def test_a_profit_that_is_not_realized_does_not_go_out(
    trader: tuple[TradingAccount, Api],
) -> None:
    account, _ = trader
    set_mark(80_000)
    with pytest.raises(InsufficientFreeCollateral) as refusal:
        move(account, "-2000.000001")
    assert refusal.value.facts["available"] == 2_000


def test_no_more_goes_in_than_there_is_cash(trader: tuple[TradingAccount, Api]) -> None:
    account, _ = trader
    with pytest.raises(InsufficientFunds):
        move(account, "500.000001")
    assert money(account) == (500, 2_000)


@pytest.mark.parametrize("amount", ["0", "0.0000001"])
def test_an_amount_is_some_whole_units(trader: tuple[TradingAccount, Api], amount: str) -> None:
    with pytest.raises(ValidationFailed):
        move(trader[0], amount)


def test_a_stale_mark_or_a_freeze_keeps_collateral_in(trader: tuple[TradingAccount, Api]) -> None:
    account, _ = trader
    usdt = Asset.objects.get(code="USDT")
    frozen = MarginAccount.objects.create(
        account=account, asset=usdt, is_frozen=True, frozen_reason="looked at"
    )
    with pytest.raises(MarginAccountFrozen):
        move(account, "-1")
    move(account, "1")
    frozen.delete()
    MarkPrice.objects.update(as_of="2020-01-01T00:00:00Z")
    with pytest.raises(MarkPriceStale) as refusal:
        move(account, "-1")
    assert refusal.value.facts["symbol"] == "BTC-PERP"
    assert money(account) == (499, 2_001)


def test_only_active_prefunded_accounts_have_collateral(
    trader: tuple[TradingAccount, Api],
) -> None:
    account, _ = trader
    suspend_account(account=account)
    with pytest.raises(AccountNotActive):
        move(account, "1")
    broker = register_broker(name="Credit").broker
    on_credit = create_account(broker_id=broker.id, document_number="9", funding="CREDIT")
    with pytest.raises(MarginAccountRequired):
        move(on_credit, "1")
    assert money(account) == (500, 2_000)


def test_the_same_source_moves_once(trader: tuple[TradingAccount, Api]) -> None:
    account, _ = trader
    source = new_uuid()
    entries = [
        move_collateral(
            account_id=account.id, asset="USDT", amount=D(5), source_id=source, actor="test"
        )
        for _ in range(2)
    ]
    assert [entry.is_new for entry in entries] == [True, False]
    assert money(account) == (495, 2_005)


def test_a_move_is_not_reversed_past_what_is_free(trader: tuple[TradingAccount, Api]) -> None:
    account, _ = trader
    move(account, "100")
    entry = JournalEntry.objects.get(kind="COLLATERAL")
    with pytest.raises(EntryNotReversible):
        reverse_entry(entry_id=entry.id, reason="mistake", actor="test")
    assert money(account) == (400, 2_100)


def test_two_at_once_do_not_both_take_what_is_free(trader: tuple[TradingAccount, Api]) -> None:
    account, _ = trader
    outcomes: list[str] = []

    def take() -> None:
        try:
            move(account, "-800")
            outcomes.append("moved")
        except InsufficientFreeCollateral:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["moved", "refused"]
    assert money(account) == (1_300, 1_200)


@pytest.mark.django_db
def test_only_what_perpetuals_are_quoted_in_is_collateral() -> None:
    make_perpetual()
    account = make_account()
    fund(account, "100")
    with pytest.raises(NotCollateralAsset) as refused:
        move_collateral(
            account_id=account.id, asset="USD", amount=D(1), source_id=new_uuid(), actor="test"
        )
    assert refused.value.facts == {"asset": "USD"}
    assert find_balance(account.id, "USD", AccountKind.MARGIN) is None


@pytest.mark.django_db
def test_a_refusal_says_where_the_rest_is() -> None:
    make_perpetual()
    account = make_account()
    fund(account, "100", "USDT")
    move(account, "70")
    with pytest.raises(InsufficientFunds) as refused:
        withdraw(
            account_id=account.id,
            asset="USDT",
            amount=D(31),
            source_id=new_uuid(),
            actor="test",
        )
    facts = {"required": 31, "available": 30, "in_collateral": 70}
    assert dict(refused.value.facts) == facts
