"""Booking entries of any lines, and reversing them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from common.errors import ValidationFailed
from common.ids import new_uuid
from ledger.errors import EntryNotReversible, InsufficientFunds, UnknownEntry
from ledger.models import JournalEntry, LedgerAccount, Posting
from ledger.services import deposit, post_entry, reverse_entry
from ledger.tests.factories import balance_of, fund, make_account, pay_out
from ledger.types import AccountKind, ClientAccount, EntryKind, Line, VenueAccount
from marketdata.tests.factories import make_asset

pytestmark = pytest.mark.django_db


def test_a_reversal_books_the_opposite_once() -> None:
    account = make_account()
    mistake = fund(account, "30")

    first = reverse_entry(entry_id=mistake.id, reason="paid twice", actor="user:1")
    again = reverse_entry(entry_id=mistake.id, reason="paid twice", actor="user:1")

    assert (first.id, first.is_new, again.is_new) == (again.id, True, False)
    assert balance_of(account) == Decimal(0)
    stored = JournalEntry.objects.get(id=first.id)
    assert (stored.kind, stored.source_id, stored.memo) == ("REVERSAL", mistake.id, "paid twice")
    with pytest.raises(EntryNotReversible):
        reverse_entry(entry_id=first.id, reason="no", actor="user:1")
    with pytest.raises(UnknownEntry):
        reverse_entry(entry_id=new_uuid(), reason="no", actor="user:1")
    with pytest.raises(ValidationFailed):
        reverse_entry(entry_id=mistake.id, reason=" ", actor="user:1")


def test_a_deposit_that_was_spent_cannot_be_reversed() -> None:
    account = make_account()
    mistake = fund(account, "30")
    pay_out(account, "10")

    with pytest.raises(InsufficientFunds):
        reverse_entry(entry_id=mistake.id, reason="bounced", actor="user:1")

    assert balance_of(account) == Decimal(20)


def test_an_entry_moves_several_assets_at_a_given_time() -> None:
    seller, buyer = make_account(), make_account()
    fund(buyer, "100")
    fund(seller, "4", "ACME")
    usd, share = make_asset("USD").id, make_asset("ACME").id
    occurred_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    entry = post_entry(
        kind=EntryKind.ADJUSTMENT,
        source_kind="adjustment",
        source_id=new_uuid(),
        lines=[
            Line(ClientAccount(buyer.id, usd, AccountKind.CASH), Decimal("-41")),
            Line(ClientAccount(seller.id, usd, AccountKind.CASH), Decimal("40.50")),
            Line(VenueAccount(AccountKind.FEES, usd), Decimal("0.25")),
            Line(VenueAccount(AccountKind.FEES, usd), Decimal("0.25")),
            Line(ClientAccount(seller.id, share, AccountKind.SECURITY), Decimal(-4)),
            Line(ClientAccount(buyer.id, share, AccountKind.SECURITY), Decimal(4)),
        ],
        actor="test",
        occurred_at=occurred_at,
    )

    assert entry.occurred_at == occurred_at
    assert Posting.objects.filter(entry_id=entry.id).count() == 5
    assert (balance_of(buyer), balance_of(seller)) == (Decimal(59), Decimal("40.5"))
    assert balance_of(buyer, "ACME", AccountKind.SECURITY) == Decimal(4)
    assert LedgerAccount.objects.get(kind="FEES").posted_balance == Decimal("0.5")


def test_an_entry_that_does_not_sum_to_zero_is_our_bug_and_leaves_nothing() -> None:
    account = make_account()
    fund(account, "1")
    usd = make_asset("USD").id

    with pytest.raises(AssertionError, match="does not sum to zero"):
        post_entry(
            kind=EntryKind.ADJUSTMENT,
            source_kind="adjustment",
            source_id=new_uuid(),
            lines=[Line(ClientAccount(account.id, usd, AccountKind.CASH), Decimal(1))],
            actor="test",
        )

    assert balance_of(account) == Decimal(1)
    assert JournalEntry.objects.count() == 1


@pytest.mark.parametrize("memo", ["x" * 201, "a\0b", "a\nb", "100\u202e001", "a\u2066b", "\ud800"])
def test_a_memo_that_is_no_text_is_refused(memo: str) -> None:
    account = make_account()
    make_asset("USD")

    with pytest.raises(ValidationFailed):
        deposit(
            account_id=account.id,
            asset="USD",
            amount=Decimal(1),
            source_id=new_uuid(),
            actor="test",
            memo=memo,
        )

    assert not JournalEntry.objects.exists()
