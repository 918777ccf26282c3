"""Transfers of one step: what moves, what is refused, what is stored of a refusal, linked ones."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from brokers.models import Broker, TradingAccount, User
from brokers.services import create_account
from brokers.tests.factories import UserFactory
from common.errors import ValidationFailed
from common.ids import instant_of, new_uuid
from ledger.models import JournalEntry, LedgerAccount, Posting, Transfer
from ledger.services.transfers.making import make_transfers
from ledger.services.transfers.orders import TransferOutcome
from ledger.services.wallets import close_wallet, suspend_wallet
from ledger.tests.wallets import (
    balances,
    check_books,
    code_of,
    counts,
    make_wallet,
    order,
    picture,
    send,
)

pytestmark = pytest.mark.django_db


def test_money_moves_in_one_entry_that_has_the_transfers_id() -> None:
    payer, payee = make_wallet("10"), make_wallet("1")

    outcome = send(payer, payee, "2.5", memo='rent, "May"')

    state = outcome.transfer
    assert state is not None and outcome.error is None
    assert (state.status, state.amount, state.posted_amount) == ("COMPLETED", Decimal("2.5"), 2.5)
    assert (state.source_id, state.destination_id) == (payer.id, payee.id)
    assert (state.currency, state.reason, state.is_two_step) == ("USD", "", False)
    assert state.created_at == instant_of(state.id) and state.finished_at is not None
    stored = Transfer.objects.get()
    assert (stored.id, stored.memo, stored.actor) == (state.id, 'rent, "May"', "test")
    assert (stored.posted_amount, stored.created_at) == (Decimal("2.5"), state.created_at)
    entry = JournalEntry.objects.get(kind="TRANSFER")
    assert (entry.id, entry.source_kind, entry.source_id) == (state.id, "transfer", state.id)
    assert (entry.actor, entry.memo) == ("test", 'rent, "May"')
    lines = Posting.objects.filter(entry=entry).values_list("ledger_account_id", "amount")
    assert set(lines) == {(payer.id, Decimal("-2.5")), (payee.id, Decimal("2.5"))}
    assert balances(payer, payee) == [(Decimal("7.5"), 0), (Decimal("3.5"), 0)]
    check_books()


def test_an_actor_each_stands_in_the_entries_of_one_batch() -> None:
    payer, payee = make_wallet("10"), make_wallet()

    orders = [order(payer, payee, actor=f"key:{n}, {{x}}") for n in range(3)]

    make_transfers(orders=orders)

    entries = JournalEntry.objects.filter(kind="TRANSFER")
    assert {entry.id: entry.actor for entry in entries} == {one.id: one.actor for one in orders}


def test_all_the_money_may_go_and_not_a_unit_more() -> None:
    payer, payee = make_wallet("10"), make_wallet()

    assert code_of(send(payer, payee, "10.0001")) == "insufficient_funds"
    assert code_of(send(payer, payee, "10")) == ""

    assert balances(payer, payee) == [(0, 0), (10, 0)]


def _suspend(wallet: LedgerAccount) -> None:
    suspend_wallet(wallet_id=wallet.id)


def _close(wallet: LedgerAccount) -> None:
    LedgerAccount.objects.filter(id=wallet.id).update(status="CLOSED")


def _set_account(status: str) -> Callable[[LedgerAccount], None]:
    def act(wallet: LedgerAccount) -> None:
        TradingAccount.objects.filter(ledger_accounts=wallet.id).update(status=status)

    return act


def _nothing(wallet: LedgerAccount) -> None: ...


@pytest.mark.parametrize(
    ("to_payer", "to_payee", "amount", "reason"),
    [
        (_nothing, _nothing, "11", "insufficient_funds"),
        (_suspend, _nothing, "1", "wallet_suspended"),
        (_nothing, _suspend, "1", "wallet_suspended"),
        (_close, _nothing, "1", "wallet_closed"),
        (_nothing, _close, "1", "wallet_closed"),
        (_set_account("SUSPENDED"), _nothing, "1", "account_suspended"),
        (_set_account("CLOSED"), _nothing, "1", "account_closed"),
        (_nothing, _set_account("CLOSED"), "1", "account_closed"),
    ],
)
@pytest.mark.parametrize("timeout_seconds", [None, 60])
def test_a_refused_transfer_is_stored_and_moves_nothing(
    to_payer: Any, to_payee: Any, amount: str, reason: str, timeout_seconds: int | None
) -> None:
    payer, payee = make_wallet("10"), make_wallet()
    to_payer(payer)
    to_payee(payee)
    before, (entries, postings, transfers) = picture(), counts()

    outcome = send(payer, payee, amount, timeout_seconds=timeout_seconds)

    assert outcome.transfer is not None and outcome.error is not None
    assert (outcome.error.code, outcome.error.status) == (reason, 422)
    assert outcome.error.facts["transfer_id"] == outcome.transfer.id
    stored = Transfer.objects.get()
    assert (stored.id, stored.status, stored.reason) == (outcome.transfer.id, "FAILED", reason)
    assert stored.posted_amount is None and stored.finished_at is not None
    assert picture() == before
    assert counts() == (entries, postings, transfers + 1)


def test_the_figures_of_missing_money_are_told() -> None:
    outcome = send(make_wallet("10"), make_wallet(), "10.5")

    assert outcome.error is not None
    facts = outcome.error.facts
    assert (facts["required"], facts["available"]) == (Decimal("10.5"), 10)


def test_a_suspended_account_still_takes_money() -> None:
    payer, payee = make_wallet("10"), make_wallet()
    _set_account("SUSPENDED")(payee)

    assert code_of(send(payer, payee)) == ""


def malformed() -> dict[str, Callable[[LedgerAccount, LedgerAccount], TransferOutcome]]:
    return {
        "zero": lambda payer, payee: send(payer, payee, "0"),
        "negative": lambda payer, payee: send(payer, payee, "-1"),
        "too_many_decimals": lambda payer, payee: send(payer, payee, "0.00001"),
        "too_large": lambda payer, payee: send(payer, payee, "1000000000000000001"),
        "same_wallet": lambda payer, payee: send(payer, payer),
        "currency_mismatch": lambda payer, payee: send(payer, make_wallet(currency="EUR")),
        "not_own_wallet": lambda payer, payee: send(payee, payer, account_id=0),
        "wallet_not_found": lambda payer, payee: send(payer, payee, destination_id=999_999_999),
        "recipient_not_found": lambda payer, payee: send(payer, None, to_email="x@example.test"),
        "stale_version": lambda payer, payee: send(payer, payee, expected_version=0),
    }


@pytest.mark.parametrize("code", malformed())
def test_a_malformed_transfer_is_not_stored(code: str) -> None:
    payer, payee, _ = make_wallet("10"), make_wallet("1"), make_wallet(currency="EUR")
    before, before_counts = picture(), counts()

    outcome = malformed()[code](payer, payee)

    assert outcome.transfer is None and outcome.error is not None
    if isinstance(outcome.error, ValidationFailed):
        assert [(one.field, one.code) for one in outcome.error.errors] == [("amount", code)]
    else:
        assert outcome.error.code == code
    now = picture()
    assert {id: now[id] for id in before} == before
    assert counts() == before_counts


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("zero", 422),
        ("negative", 422),
        ("too_many_decimals", 422),
        ("same_wallet", 422),
        ("currency_mismatch", 422),
        ("not_own_wallet", 403),
        ("wallet_not_found", 404),
        ("recipient_not_found", 404),
        ("stale_version", 409),
    ],
)
def test_each_refusal_has_its_status(code: str, status: int) -> None:
    outcome = malformed()[code](make_wallet("10"), make_wallet("1"))

    assert outcome.error is not None and outcome.error.status == status


def test_a_ledger_account_that_is_no_wallet_is_not_found() -> None:
    payer = make_wallet("10")
    transit = LedgerAccount.objects.get(kind="TRANSIT")

    assert code_of(send(payer, transit)) == "wallet_not_found"
    assert code_of(send(payer, payer, source_id=transit.id)) == "wallet_not_found"


def test_a_broker_pays_from_all_its_accounts_and_a_bound_key_from_its_own() -> None:
    payer, payee = make_wallet("10"), make_wallet()
    assert payer.trading_account is not None
    sibling = create_account(broker_id=payer.trading_account.broker_id, document_number="2")

    assert code_of(send(payer, payee, account_id=None)) == ""
    assert code_of(send(payer, payee, account_id=sibling.id)) == "not_own_wallet"
    assert code_of(send(payer, payee, account_id=None, broker_id=new_uuid())) == "not_own_wallet"


def test_an_expected_version_that_is_right_lets_the_transfer_through() -> None:
    payer, payee = make_wallet("10"), make_wallet()
    expected = picture()[payer.id][2]

    assert code_of(send(payer, payee, expected_version=expected)) == ""
    stale = send(payer, payee, expected_version=expected)

    assert stale.error is not None
    assert (stale.error.code, stale.error.facts["version"]) == ("stale_version", expected + 1)
    assert balances(payer) == [(9, 0)]


@pytest.fixture
def retail(settings: Any) -> LedgerAccount:
    """A person's dollar wallet at the retail broker."""
    wallet = make_wallet()
    assert wallet.trading_account is not None
    settings.RETAIL_BROKER = "People's broker"
    Broker.objects.filter(id=wallet.trading_account.broker_id).update(name="People's broker")
    wallet.trading_account.owner = UserFactory.create(email="Ann@example.test")
    wallet.trading_account.save()
    return wallet


def test_a_person_is_paid_by_email(retail: LedgerAccount) -> None:
    payer = make_wallet("10")

    outcome = send(payer, None, to_email="ann@EXAMPLE.test")

    assert outcome.transfer is not None
    assert outcome.transfer.destination_id == retail.id
    assert balances(payer, retail) == [(9, 0), (1, 0)]


def test_a_person_without_a_wallet_in_the_currency_gets_one(retail: LedgerAccount) -> None:
    payer = make_wallet("10", "EUR")

    outcome = send(payer, None, to_email="ann@example.test")

    opened = LedgerAccount.objects.get(trading_account=retail.trading_account_id, asset__code="EUR")
    assert outcome.transfer is not None and outcome.transfer.destination_id == opened.id
    assert (opened.kind, opened.posted_balance, opened.overdraft_limit) == ("CASH", 1, 0)


def test_an_address_that_nobody_has_verified_is_not_paid_where_it_must_be(
    retail: LedgerAccount, settings: Any
) -> None:
    settings.REQUIRE_VERIFIED_EMAIL = True
    payer, before = make_wallet("10", "EUR"), counts()

    assert code_of(send(payer, None, to_email="ann@example.test")) == "recipient_not_found"
    assert (balances(payer), counts()) == ([(10, 0)], before)
    assert LedgerAccount.objects.filter(trading_account=retail.trading_account_id).count() == 1

    User.objects.update(email_verified_at=timezone.now())
    assert code_of(send(payer, None, to_email="ann@example.test")) == ""
    assert balances(payer) == [(9, 0)]


def test_nobody_opens_wallets_of_others_with_money_that_is_not_theirs(
    retail: LedgerAccount,
) -> None:
    payer = make_wallet("10", "EUR")

    outcome = send(payer, None, to_email="ann@example.test", account_id=0)

    assert code_of(outcome) == "not_own_wallet"
    assert LedgerAccount.objects.filter(trading_account=retail.trading_account_id).count() == 1


def test_each_of_a_batch_is_decided_after_the_ones_before_it() -> None:
    first, second, third = make_wallet("10"), make_wallet(), make_wallet()

    outcomes = make_transfers(
        orders=[
            order(second, third, "5"),
            order(first, second, "7"),
            order(second, third, "5"),
            order(first, first, "1"),
            order(first, third, "4"),
        ]
    )

    assert list(map(code_of, outcomes)) == [
        "insufficient_funds", "", "", "same_wallet", "insufficient_funds",
    ]  # fmt: skip
    assert balances(first, second, third) == [(3, 0), (2, 0), (5, 0)]
    assert Transfer.objects.count() == 4
    check_books()


def test_a_thousand_transfers_are_a_few_statements(django_assert_max_num_queries: Any) -> None:
    payer, payees = make_wallet("1000"), [make_wallet() for _ in range(4)]
    orders = [order(payer, payees[n % 4]) for n in range(1_000)]

    with django_assert_max_num_queries(4):  # savepoints; the rest goes through pipelines
        outcomes = make_transfers(orders=orders)

    assert all(outcome.error is None for outcome in outcomes)
    assert balances(payer, *payees) == [(0, 0)] + [(250, 0)] * 4
    check_books()


def test_linked_transfers_go_through_together_each_on_top_of_the_other() -> None:
    first, second, third = make_wallet("10"), make_wallet(), make_wallet()
    linked_id = new_uuid()

    outcomes = make_transfers(
        orders=[
            order(first, second, "10", linked_id=linked_id, expected_version=1),
            order(second, third, "4", linked_id=linked_id),
        ]
    )

    assert list(map(code_of, outcomes)) == ["", ""]
    assert balances(first, second, third) == [(0, 0), (6, 0), (4, 0)]
    assert {row.linked_id for row in Transfer.objects.all()} == {linked_id}
    check_books()


def test_of_linked_transfers_one_that_fails_fails_all() -> None:
    first, second, third = make_wallet("10"), make_wallet(), make_wallet()
    before = picture()

    outcomes = make_transfers(
        orders=[
            order(first, second, "6", linked_id=(linked_id := new_uuid())),
            order(first, third, "6", linked_id=linked_id),
            order(first, third, "1", linked_id=linked_id),
        ]
    )

    assert list(map(code_of, outcomes)) == ["linked_failed", "insufficient_funds", "linked_failed"]
    stored = {row.id: (row.status, row.reason) for row in Transfer.objects.all()}
    assert [stored[one.transfer.id] for one in outcomes if one.transfer] == [
        ("FAILED", "linked_failed"),
        ("FAILED", "insufficient_funds"),
        ("FAILED", "linked_failed"),
    ]
    assert picture() == before


def test_of_linked_transfers_one_that_is_malformed_leaves_none() -> None:
    first, second = make_wallet("10"), make_wallet()
    before, before_counts = picture(), counts()
    linked_id = new_uuid()

    outcomes = make_transfers(
        orders=[
            order(first, second, "6", linked_id=linked_id),
            order(first, first, "1", linked_id=linked_id),
        ]
    )

    assert list(map(code_of, outcomes)) == ["same_wallet"] * 2
    assert (picture(), counts()) == (before, before_counts)


@pytest.mark.parametrize("change", ["amount = 2", "status = 'FAILED'", "memo = 'x'", None])
def test_a_finished_transfer_is_immutable(change: str | None) -> None:
    send(make_wallet("10"), make_wallet())
    statement = "DELETE FROM ledger_transfer" if change is None else (
        f"UPDATE ledger_transfer SET {change}"
    )  # fmt: skip

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_wallet_is_closed_when_it_is_paid_out() -> None:
    payer, payee = make_wallet("10"), make_wallet()
    send(payer, payee, "10")

    close_wallet(wallet_id=payer.id)

    assert code_of(send(payee, payer)) == "wallet_closed"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"amount": "11"}, "insufficient_funds"),
        ({"expected_version": 10**9}, "stale_version"),
        ({"amount": "0"}, "invalid"),
    ],
)
def test_what_the_sender_lacks_says_nothing_about_an_address(
    retail: LedgerAccount, fields: dict[str, Any], code: str
) -> None:
    payer = make_wallet("10")
    before = counts()
    outcomes = [
        send(payer, None, **({"amount": "1", "to_email": email} | fields))
        for email in ("ann@example.test", "nobody@example.test")
    ]
    assert [code_of(outcome) for outcome in outcomes] == [code, code]
    assert [dict(one.error.facts) for one in outcomes if one.error] == [
        dict(outcomes[0].error.facts)  # type: ignore[union-attr]
    ] * 2
    assert counts() == before
