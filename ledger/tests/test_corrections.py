"""Adjustments and reversals: only by two persons, only once, and never by an edit."""

from decimal import Decimal
from typing import Any

import pytest

from brokers.models import TradingAccount, User
from brokers.tests.factories import UserFactory
from common.errors import ValidationFailed
from common.ids import new_uuid
from ledger.errors import (
    AccountNotAdjustable,
    EntryNotReversible,
    EntryReversed,
    InsufficientFunds,
    OwnRequest,
    ReversalRequested,
    UnknownEntry,
)
from ledger.models import Approval, JournalEntry, LedgerAccount, MoneyRequest, Posting
from ledger.services import (
    approve_request,
    deposit,
    post_entry,
    reject_request,
    request_adjustment,
    request_reversal,
    reverse_entry,
)
from ledger.tests.factories import balance_of, fund, make_account, pay_out, wallet_of
from ledger.types import AccountKind, EntryKind, Line, VenueAccount
from marketdata.tests.factories import make_asset

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> TradingAccount:
    """An account with 100 dollars."""
    account = make_account()
    fund(account, "100")
    return account


@pytest.fixture
def asker() -> User:
    return UserFactory.create()


@pytest.fixture
def approver() -> User:
    return UserFactory.create()


def adjust(account: LedgerAccount, amount: str, asker: User) -> MoneyRequest:
    return request_adjustment(
        ledger_account_id=account.id,
        amount=Decimal(amount),
        reason="the bank counted again",
        actor=f"user:{asker.id}",
        user_id=asker.id,
    )


def ask_back(entry_id: Any, asker: User, reason: str = "booked twice") -> MoneyRequest:
    return request_reversal(
        entry_id=entry_id, reason=reason, actor=f"user:{asker.id}", user_id=asker.id
    )


def venue(kind: str, asset: str = "USD") -> LedgerAccount:
    return LedgerAccount.objects.get(kind=kind, asset__code=asset)


def lines(entry_id: Any) -> list[tuple[str, Decimal]]:
    postings = Posting.objects.filter(entry_id=entry_id).order_by("id")
    return [(line.ledger_account.kind, line.amount) for line in postings]


def booked(request: MoneyRequest) -> JournalEntry:
    assert request.entry is not None
    return request.entry


@pytest.mark.parametrize(("amount", "after"), [("12.5", "112.5"), ("-100", "0")])
def test_an_adjustment_is_booked_against_cash_in_transit(
    account: TradingAccount, asker: User, approver: User, amount: str, after: str
) -> None:
    request = adjust(wallet_of(account), amount, asker)
    assert (balance_of(account), request.status) == (Decimal(100), "REQUESTED")

    request = approve_request(request_id=request.id, user_id=approver.id)

    assert (request.status, balance_of(account)) == ("COMPLETED", Decimal(after))
    assert venue("TRANSIT").posted_balance == -Decimal(after)
    entry = booked(request)
    assert (entry.kind, entry.source_kind, entry.source_id, entry.actor, entry.memo) == (
        "ADJUSTMENT", "adjustment", request.id, f"user:{approver.id}", "the bank counted again",
    )  # fmt: skip
    assert lines(entry.id) == [("CASH", Decimal(amount)), ("TRANSIT", -Decimal(amount))]


def test_the_venues_own_accounts_are_adjusted_too(asker: User, approver: User) -> None:
    usd = make_asset("USD").id
    post_entry(
        kind=EntryKind.ADJUSTMENT,
        source_kind="test",
        source_id=new_uuid(),
        lines=[
            Line(VenueAccount(AccountKind.FEES, usd), Decimal(3)),
            Line(VenueAccount(AccountKind.TRANSIT, usd), Decimal(-3)),
        ],
        actor="test",
    )

    request = adjust(venue("FEES"), "-5", asker)
    approve_request(request_id=request.id, user_id=approver.id)

    assert venue("FEES").posted_balance == -2
    assert venue("TRANSIT").posted_balance == 2


@pytest.mark.parametrize(
    ("amount", "code"), [("0", "not_positive"), ("-0.00001", "too_many_decimals")]
)
def test_an_adjustment_is_of_an_amount(
    account: TradingAccount, asker: User, amount: str, code: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        adjust(wallet_of(account), amount, asker)

    assert [error.code for error in refused.value.errors] == [code]
    assert not MoneyRequest.objects.exists()


def test_what_is_in_transit_and_clearing_are_not_adjusted(
    account: TradingAccount, asker: User
) -> None:
    clearing, funding = (
        LedgerAccount.objects.create(kind=kind, asset=make_asset("USD"))
        for kind in ("CLEARING", "FUNDING")
    )

    for one in (venue("TRANSIT"), clearing, funding):
        with pytest.raises(AccountNotAdjustable) as refused:
            adjust(one, "1", asker)
        assert refused.value.facts == {"account_kind": one.kind}

    assert not MoneyRequest.objects.exists()


def test_what_was_spent_meanwhile_is_refused_and_the_request_waits_on(
    account: TradingAccount, asker: User, approver: User
) -> None:
    request = adjust(wallet_of(account), "-60", asker)
    pay_out(account, "50")

    with pytest.raises(InsufficientFunds) as refused:
        approve_request(request_id=request.id, user_id=approver.id)

    assert refused.value.facts == {"required": Decimal(60), "available": Decimal(50)}
    assert MoneyRequest.objects.get().status == "REQUESTED"
    assert (balance_of(account), Approval.objects.count()) == (Decimal(50), 0)
    fund(account, "10")
    assert approve_request(request_id=request.id, user_id=approver.id).status == "COMPLETED"
    assert balance_of(account) == 0


def test_an_entry_is_reversed_with_the_word_of_a_second_person(
    account: TradingAccount, asker: User, approver: User
) -> None:
    wrong = fund(account, "40")
    request = ask_back(wrong.id, asker)
    with pytest.raises(OwnRequest):
        approve_request(request_id=request.id, user_id=asker.id)
    assert balance_of(account) == 140

    request = approve_request(request_id=request.id, user_id=approver.id)

    assert (request.status, balance_of(account)) == ("COMPLETED", Decimal(100))
    entry = booked(request)
    assert (entry.kind, entry.source_id, entry.memo) == ("REVERSAL", wrong.id, "booked twice")
    assert lines(entry.id) == [("CASH", Decimal(-40)), ("TRANSIT", Decimal(40))]
    assert lines(wrong.id) == [("CASH", Decimal(40)), ("TRANSIT", Decimal(-40))]


def test_who_owns_an_account_of_the_entry_does_not_approve_its_reversal(
    account: TradingAccount, asker: User, approver: User
) -> None:
    paid_out = fund(account, "40")
    request = ask_back(paid_out.id, asker)
    account.owner = approver
    account.save(update_fields=["owner"])

    with pytest.raises(OwnRequest):
        approve_request(request_id=request.id, user_id=approver.id)

    assert (MoneyRequest.objects.get().status, balance_of(account)) == ("REQUESTED", Decimal(140))


def test_a_reversal_of_spent_money_waits_on(
    account: TradingAccount, asker: User, approver: User
) -> None:
    wrong = fund(account, "40")
    request = ask_back(wrong.id, asker)
    pay_out(account, "101")

    with pytest.raises(InsufficientFunds):
        approve_request(request_id=request.id, user_id=approver.id)

    assert (MoneyRequest.objects.get().status, balance_of(account)) == ("REQUESTED", Decimal(39))
    assert not Approval.objects.exists()


def test_an_entry_is_reversed_once(account: TradingAccount, asker: User, approver: User) -> None:
    wrong = fund(account, "40")
    request = ask_back(wrong.id, asker)
    with pytest.raises(ReversalRequested):
        ask_back(wrong.id, approver)
    approve_request(request_id=request.id, user_id=approver.id)

    with pytest.raises(EntryReversed) as refused:
        ask_back(wrong.id, asker)

    reversal = JournalEntry.objects.get(kind="REVERSAL")
    assert refused.value.facts == {"entry_id": wrong.id, "reversal_id": reversal.id}
    assert (MoneyRequest.objects.count(), balance_of(account)) == (1, Decimal(100))


def test_after_a_rejection_one_may_ask_again(
    account: TradingAccount, asker: User, approver: User
) -> None:
    wrong = fund(account, "40")
    first = ask_back(wrong.id, asker)
    reject_request(request_id=first.id, user_id=approver.id, note="it was right")

    assert ask_back(wrong.id, asker).status == "REQUESTED"
    assert balance_of(account) == 140


def test_what_was_reversed_meanwhile_fails_for_good(
    account: TradingAccount, asker: User, approver: User
) -> None:
    wrong = fund(account, "40")
    request = ask_back(wrong.id, asker)
    reversal = reverse_entry(entry_id=wrong.id, reason="at once", actor="test")

    request = approve_request(request_id=request.id, user_id=approver.id)

    assert (request.status, request.status_reason, request.entry_id) == (
        "FAILED", f"reversed already by entry {reversal.id}", None,
    )  # fmt: skip
    assert balance_of(account) == 100


def test_trades_reversals_and_nothing_are_not_reversed(
    account: TradingAccount, asker: User
) -> None:
    usd = make_asset("USD").id
    trade = post_entry(
        kind=EntryKind.TRADE,
        source_kind="trade",
        source_id=new_uuid(),
        lines=[
            Line(VenueAccount(AccountKind.FEES, usd), Decimal(3)),
            Line(VenueAccount(AccountKind.TRANSIT, usd), Decimal(-3)),
        ],
        actor="test",
    )
    wrong = deposit(
        account_id=account.id,
        asset="USD",
        amount=Decimal(1),
        source_id=new_uuid(),
        actor="test",
    )
    reversal = reverse_entry(entry_id=wrong.id, reason="wrong", actor="test")

    for entry in (trade, reversal):
        with pytest.raises(EntryNotReversible):
            ask_back(entry.id, asker)
    with pytest.raises(UnknownEntry):
        ask_back(new_uuid(), asker)
    with pytest.raises(ValidationFailed):
        ask_back(JournalEntry.objects.filter(kind="DEPOSIT").first().pk, asker, reason=" ")  # type: ignore[union-attr]

    assert not MoneyRequest.objects.exists()
