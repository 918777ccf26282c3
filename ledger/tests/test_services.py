"""Depositing and withdrawing: exact balances, and nothing moves on a refusal."""

from decimal import Decimal
from uuid import UUID

import pytest

from brokers.errors import AccountNotFound
from brokers.models import Funding, TradingAccount
from common.errors import ValidationFailed
from common.ids import new_uuid
from ledger.errors import (
    AccountNotActive,
    InsufficientFunds,
    SourceBookedDifferently,
)
from ledger.models import JournalEntry, LedgerAccount, Posting
from ledger.selectors import find_balance, list_balances
from ledger.services import deposit, withdraw
from ledger.tests.factories import balance_of, fund, make_account, pay_out, spend_on_credit
from ledger.types import AccountKind
from marketdata.errors import UnknownAsset
from marketdata.tests.factories import make_asset

pytestmark = pytest.mark.django_db


def test_a_deposit_books_the_client_against_cash_in_transit() -> None:
    account = make_account()
    make_asset("USD")
    source_id = new_uuid()

    entry = deposit(
        account_id=account.id,
        asset="USD",
        amount=Decimal("100.2500"),
        source_id=source_id,
        actor="key:1",
        memo='wire "7" \\ {1,2} NULL, été',
    )

    stored = JournalEntry.objects.get(id=entry.id)
    assert (stored.kind, stored.source_kind, stored.source_id) == ("DEPOSIT", "deposit", source_id)
    assert (stored.actor, stored.memo) == ("key:1", 'wire "7" \\ {1,2} NULL, été')
    assert stored.occurred_at == entry.occurred_at
    assert stored.posted_at >= stored.occurred_at
    lines = Posting.objects.filter(entry=stored).order_by("id")
    assert [
        (p.ledger_account.kind, p.amount, p.balance_after, p.account_version)
        for p in lines.select_related("ledger_account")
    ] == [
        ("CASH", Decimal("100.25"), Decimal("100.25"), 1),
        ("TRANSIT", Decimal("-100.25"), Decimal("-100.25"), 1),
    ]
    transit = LedgerAccount.objects.get(kind="TRANSIT")
    assert (transit.shard, transit.posted_balance) == (-1, Decimal("-100.25"))


def test_a_deposit_of_a_share_goes_to_the_holdings() -> None:
    account = make_account()

    fund(account, "10", "ACME")

    [holding] = list_balances(account.id)
    assert (holding.asset, holding.kind) == ("ACME", AccountKind.SECURITY)
    assert holding.available_balance == Decimal(10)


def test_the_same_source_twice_is_one_entry() -> None:
    account = make_account()
    make_asset("USD")
    source_id = new_uuid()

    def pay_in(amount: str) -> tuple[UUID, bool]:
        entry = deposit(
            account_id=account.id,
            asset="USD",
            amount=Decimal(amount),
            source_id=source_id,
            actor="test",
        )
        return entry.id, entry.is_new

    first_id, is_new = pay_in("50")
    assert is_new
    assert pay_in("50.0000") == (first_id, False)
    with pytest.raises(SourceBookedDifferently) as refusal:
        pay_in("51")

    assert refusal.value.facts == {"entry_id": first_id}
    assert balance_of(account) == Decimal(50)
    assert JournalEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("0", "not_positive"),
        ("-1", "not_positive"),
        ("0.00001", "too_many_decimals"),
        ("1000000000000000001", "too_large"),
        ("NaN", "invalid"),
        ("Infinity", "invalid"),
    ],
)
def test_an_amount_that_is_none_is_refused_and_nothing_changes(amount: str, code: str) -> None:
    account = make_account()
    fund(account, "5")

    for service in (deposit, withdraw):
        with pytest.raises(ValidationFailed) as refusal:
            service(
                account_id=account.id,
                asset="USD",
                amount=Decimal(amount),
                source_id=new_uuid(),
                actor="test",
            )
        assert [(error.field, error.code) for error in refusal.value.errors] == [("amount", code)]

    assert balance_of(account) == Decimal(5)
    assert JournalEntry.objects.count() == 1


def test_a_withdrawal_takes_what_is_available_and_no_unit_more() -> None:
    account = make_account()
    fund(account, "100")
    cash = LedgerAccount.objects.get(kind="CASH")
    cash.held_amount = Decimal(30)
    cash.save(update_fields=["held_amount"])

    with pytest.raises(InsufficientFunds) as refusal:
        pay_out(account, "70.0001")
    assert refusal.value.facts == {
        "required": Decimal("70.0001"),
        "available": Decimal(70),
        "held": Decimal(30),
    }
    assert (refusal.value.status, refusal.value.code) == (422, "insufficient_funds")
    assert balance_of(account) == Decimal(100)

    pay_out(account, "70")
    balance = find_balance(account.id, "USD", AccountKind.CASH)
    assert balance is not None
    assert (balance.posted_balance, balance.available_balance) == (Decimal(30), Decimal(0))
    assert JournalEntry.objects.count() == 2


def test_a_refused_withdrawal_does_not_use_its_source_up() -> None:
    account = make_account()
    fund(account, "1")
    source_id = new_uuid()
    with pytest.raises(InsufficientFunds):
        pay_out(account, "2", source_id)

    fund(account, "1")
    pay_out(account, "2", source_id)

    assert balance_of(account) == Decimal(0)


def test_credit_goes_down_to_its_limit_in_the_currency_of_the_venue_alone() -> None:
    account = make_account(Funding.CREDIT, Decimal(40))
    fund(account, "10")
    fund(account, "10", "EUR")

    with pytest.raises(InsufficientFunds) as refusal:
        spend_on_credit(account, "50.0001")
    assert refusal.value.facts["available"] == Decimal(50)
    spend_on_credit(account, "50")
    with pytest.raises(InsufficientFunds):
        withdraw(
            account_id=account.id,
            asset="EUR",
            amount=Decimal("10.01"),
            source_id=new_uuid(),
            actor="test",
        )

    assert balance_of(account) == Decimal(-40)
    assert balance_of(account, "EUR") == Decimal(10)


def test_credit_without_limit_has_none() -> None:
    account = make_account(Funding.CREDIT)
    fund(account, "1")

    spend_on_credit(account, "1000000")

    assert balance_of(account) == Decimal(-999_999)


def test_unknown_accounts_and_assets_are_refused() -> None:
    make_asset("USD")
    account = make_account()

    with pytest.raises(AccountNotFound):
        deposit(
            account_id=account.id + 1,
            asset="USD",
            amount=Decimal(1),
            source_id=new_uuid(),
            actor="test",
        )
    with pytest.raises(UnknownAsset):
        fund_unknown_asset(account)
    assert not JournalEntry.objects.exists()
    assert not LedgerAccount.objects.exists()


def fund_unknown_asset(account: TradingAccount) -> None:
    deposit(
        account_id=account.id,
        asset="XXX",
        amount=Decimal(1),
        source_id=new_uuid(),
        actor="test",
    )


def test_a_closed_account_takes_nothing_and_a_suspended_one_pays_nothing() -> None:
    account = make_account()
    fund(account, "10")
    account.status = TradingAccount.Status.SUSPENDED
    account.save(update_fields=["status"])

    with pytest.raises(AccountNotActive) as refusal:
        pay_out(account, "1")
    assert refusal.value.facts["account_status"] == "SUSPENDED"
    fund(account, "5")
    account.status = TradingAccount.Status.CLOSED
    account.save(update_fields=["status"])
    with pytest.raises(AccountNotActive):
        fund(account, "5")

    assert balance_of(account) == Decimal(15)
