"""What the database itself refuses, whoever writes: tried with SQL, past all of our code."""

from typing import Any

import pytest
from django.db import Error, connection, transaction

from brokers.models import Funding
from common.ids import new_uuid
from ledger.models import JournalEntry, LedgerAccount, Posting
from ledger.tests.factories import fund, make_account

pytestmark = pytest.mark.django_db

_INSERT = """
INSERT INTO ledger_posting
       (entry_id, ledger_account_id, asset_id, amount, balance_after, account_version)
VALUES (%s, %s, %s, %s, 0, %s), (%s, %s, %s, %s, 0, %s)
"""


def refused(match: str, sql: str, params: list[Any] | None = None) -> None:
    """See that a statement fails for this reason, at once or at the end of its transaction."""
    with pytest.raises(Error, match=match), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def cash() -> LedgerAccount:
    fund(make_account(Funding.PREFUNDED), "10")
    return LedgerAccount.objects.get(kind="CASH")


@pytest.fixture
def transit(cash: LedgerAccount) -> LedgerAccount:
    return LedgerAccount.objects.get(kind="TRANSIT")


def test_postings_that_do_not_sum_to_zero(cash: LedgerAccount, transit: LedgerAccount) -> None:
    entry_id = JournalEntry.objects.get().id
    first = [entry_id, cash.id, cash.asset_id, 5, 2]

    short = [entry_id, transit.id, transit.asset_id, "-4.99999999", 2]
    other_entry = [new_uuid(), transit.id, transit.asset_id, -5, 2]

    refused("does not sum to zero", _INSERT, first + short)
    refused("does not sum to zero", _INSERT, first + other_entry)
    assert Posting.objects.count() == 2


def test_a_posting_in_another_asset_than_its_account(
    cash: LedgerAccount, transit: LedgerAccount
) -> None:
    fund(make_account(), "1", "EUR")
    euro = LedgerAccount.objects.filter(asset__code="EUR", kind="CASH").get()
    entry_id = JournalEntry.objects.first()
    assert entry_id is not None
    lines = [entry_id.id, cash.id, euro.asset_id, 5, 9, entry_id.id, euro.id, euro.asset_id, -5, 9]

    refused(f"no account {cash.id} in asset {euro.asset_id}", _INSERT, lines)
    assert Posting.objects.count() == 4


def test_a_posting_without_an_account(cash: LedgerAccount, transit: LedgerAccount) -> None:
    entry_id, nowhere = JournalEntry.objects.get().id, cash.id + transit.id
    lines = [entry_id, nowhere, cash.asset_id, 5, 1, entry_id, transit.id, cash.asset_id, -5, 2]

    refused(f"no account {nowhere} in asset", _INSERT, lines)
    assert Posting.objects.count() == 2


def test_a_posting_of_zero_and_a_version_twice(cash: LedgerAccount, transit: LedgerAccount) -> None:
    entry_id = JournalEntry.objects.get().id
    zero = [entry_id, cash.id, cash.asset_id, 0, 2, entry_id, transit.id, cash.asset_id, 0, 2]
    twice = [entry_id, cash.id, cash.asset_id, 5, 1, entry_id, transit.id, cash.asset_id, -5, 2]

    refused("posting_not_zero", _INSERT, zero)
    refused("posting_once_per_version", _INSERT, twice)


def test_a_posting_without_an_entry(cash: LedgerAccount, transit: LedgerAccount) -> None:
    nowhere = new_uuid()
    lines = [nowhere, cash.id, cash.asset_id, 5, 2, nowhere, transit.id, cash.asset_id, -5, 2]

    refused("is not in the journal", _INSERT, lines)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger_posting SET amount = amount + 1",
        "DELETE FROM ledger_posting",
        "UPDATE ledger_journalentry SET memo = 'another'",
        "DELETE FROM ledger_journalentry",
        "UPDATE ledger_entrysource SET kind = 'another'",
        "DELETE FROM ledger_entrysource",
    ],
)
def test_nothing_booked_is_changed_or_deleted(cash: LedgerAccount, sql: str) -> None:
    refused("append-only", sql)
    assert (JournalEntry.objects.count(), Posting.objects.count()) == (1, 2)


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("ledger_account_within_limit", "posted_balance = -0.00000001"),
        ("ledger_account_within_limit", "held_amount = 10.00000001"),
        ("ledger_account_held_not_negative", "held_amount = -1"),
        ("ledger_account_client_or_venue", "kind = 'FEES'"),
        ("ledger_account_client_or_venue", "trading_account_id = NULL"),
    ],
)
def test_an_account_out_of_its_bounds(cash: LedgerAccount, constraint: str, change: str) -> None:
    refused(constraint, f"UPDATE ledger_ledgeraccount SET {change} WHERE id = %s", [cash.id])


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM ledger_ledgeraccount",
        "UPDATE ledger_ledgeraccount SET id = id + 1000",
        "UPDATE ledger_ledgeraccount SET asset_id = asset_id",
    ],
)
def test_an_account_that_has_postings_stays_in_its_asset(cash: LedgerAccount, sql: str) -> None:
    refused("it stays, and in its asset", sql)
    assert LedgerAccount.objects.get(id=cash.id).asset_id == cash.asset_id


def test_an_account_without_postings_may_go(cash: LedgerAccount) -> None:
    unused = LedgerAccount.objects.create(asset_id=cash.asset_id, kind="FEES")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ledger_ledgeraccount WHERE id = %s", [unused.id])
    assert not LedgerAccount.objects.filter(id=unused.id).exists()
