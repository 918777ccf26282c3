"""Many at once on the same account: never below zero, never twice, never stuck."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection, connections

from common.ids import new_uuid
from ledger.errors import InsufficientFunds
from ledger.models import JournalEntry, LedgerAccount, Posting
from ledger.selectors import list_posted_lines
from ledger.services import deposit, post_entry, withdraw
from ledger.tests.factories import balance_of, fund, make_account
from ledger.types import AccountKind, ClientAccount, EntryKind, Line
from marketdata.tests.factories import make_asset

pytestmark = pytest.mark.django_db(transaction=True)


def test_twenty_withdrawals_at_once_never_take_more_than_there_is() -> None:
    account = make_account()
    fund(account, "7")

    def take_one(_: int) -> bool:
        try:
            withdraw(
                account_id=account.id,
                asset="USD",
                amount=Decimal(1),
                source_id=new_uuid(),
                actor="test",
            )
        except InsufficientFunds:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(take_one, range(20)))

    assert (outcomes.count(True), outcomes.count(False)) == (7, 13)
    assert balance_of(account) == Decimal(0)
    assert JournalEntry.objects.filter(kind="WITHDRAWAL").count() == 7
    lines = Posting.objects.filter(ledger_account__kind="CASH").order_by("account_version")
    assert [int(line.balance_after) for line in lines] == [7, 6, 5, 4, 3, 2, 1, 0]


def test_one_source_from_ten_callers_is_booked_once() -> None:
    account = make_account()
    make_asset("USD")
    source_id = new_uuid()

    def pay_in(_: int) -> tuple[UUID, bool]:
        try:
            entry = deposit(
                account_id=account.id,
                asset="USD",
                amount=Decimal(5),
                source_id=source_id,
                actor="test",
            )
        finally:
            connection.close()
        return entry.id, entry.is_new

    with ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(pay_in, range(10)))

    assert len({entry_id for entry_id, _ in outcomes}) == 1
    assert [is_new for _, is_new in outcomes].count(True) == 1
    assert balance_of(account) == Decimal(5)


def test_money_sent_round_in_a_circle_from_all_sides_neither_sticks_nor_vanishes() -> None:
    usd = make_asset("USD").id
    accounts = [make_account() for _ in range(3)]
    for account in accounts:
        fund(account, "100")

    def send(number: int) -> None:
        payer, payee = accounts[number % 3], accounts[(number + 1) % 3]
        lines = [
            Line(ClientAccount(payer.id, usd, AccountKind.CASH), Decimal(-1)),
            Line(ClientAccount(payee.id, usd, AccountKind.CASH), Decimal(1)),
        ]
        try:
            post_entry(
                kind=EntryKind.TRANSFER,
                source_kind="test",
                source_id=new_uuid(),
                lines=lines,
                actor="test",
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(send, range(60)))

    assert [balance_of(account) for account in accounts] == [Decimal(100)] * 3
    assert [a.version for a in LedgerAccount.objects.filter(kind="CASH")] == [41, 41, 41]


def test_lines_stand_in_the_order_of_their_booking_whichever_process_booked_them() -> None:
    account = make_account()
    make_asset("USD")
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        for process, amount in ((one, "1"), (other, "2"), (other, "3"), (one, "4")):
            process.submit(fund, account, amount).result()
        for process in (one, other):
            process.submit(connections.close_all).result()

    newest, oldest = [], []
    before, after = None, 0
    for _ in range(4):
        [line] = list_posted_lines(account.id, limit=1, before=before)
        before = line.id
        newest.append(int(line.balance_after))
        [line] = list_posted_lines(account.id, limit=1, after=after)
        after = line.id
        oldest.append(int(line.balance_after))
    assert (newest, oldest) == ([10, 6, 3, 1], [1, 3, 6, 10])
