"""Transfers of two steps: held, then posted in full or in part, voided, or timed out."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from brokers.models import TradingAccount
from common.errors import ExchangeError, ValidationFailed
from common.ids import new_uuid
from ledger.models import JournalEntry, LedgerAccount, Transfer
from ledger.services.transfers.finishing import expire_transfers, post_transfer, void_transfer
from ledger.services.transfers.making import make_transfers
from ledger.services.wallets import suspend_wallet
from ledger.tests.factories import pay_out
from ledger.tests.wallets import (
    balances,
    check_books,
    code_of,
    counts,
    make_wallet,
    order,
    pend,
    picture,
    principal_of,
    send,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def payer() -> LedgerAccount:
    return make_wallet("10")


@pytest.fixture
def payee() -> LedgerAccount:
    return make_wallet()


def test_a_pending_transfer_holds_its_amount_and_moves_nothing(
    payer: LedgerAccount, payee: LedgerAccount
) -> None:
    version = picture()[payer.id][2]

    outcome = send(payer, payee, "4", timeout_seconds=90)

    stored = Transfer.objects.get()
    assert outcome.transfer is not None and outcome.transfer.id == stored.id
    assert (stored.status, stored.is_two_step, stored.posted_amount) == ("PENDING", True, None)
    assert stored.expires_at is not None
    assert abs(stored.expires_at - timezone.now() - timedelta(seconds=90)) < timedelta(seconds=5)
    assert balances(payer, payee) == [(10, 4), (0, 0)]
    assert picture()[payer.id][2] == version
    assert not JournalEntry.objects.filter(kind="TRANSFER").exists()


def test_what_is_held_cannot_be_sent_nor_paid_out(
    payer: LedgerAccount, payee: LedgerAccount
) -> None:
    pend(payer, payee, "4")

    assert code_of(send(payer, payee, "6.0001")) == "insufficient_funds"
    assert code_of(send(payer, payee, "6.0001", timeout_seconds=60)) == "insufficient_funds"
    assert payer.trading_account is not None
    with pytest.raises(ExchangeError, match="not enough"):
        pay_out(payer.trading_account, "7")
    assert balances(payer) == [(10, 4)]


def test_posted_in_full_it_moves_all_that_was_held(
    payer: LedgerAccount, payee: LedgerAccount
) -> None:
    transfer = pend(payer, payee, "4")

    state = post_transfer(transfer_id=transfer.id, principal=principal_of(payer))

    assert (state.status, state.posted_amount, state.reason) == ("COMPLETED", 4, "")
    stored = Transfer.objects.get()
    assert (stored.status, stored.posted_amount) == ("COMPLETED", 4)
    assert stored.finished_at == state.finished_at is not None
    entry = JournalEntry.objects.get(kind="TRANSFER")
    assert (entry.id, entry.actor) == (transfer.id, principal_of(payer).actor[:4] + entry.actor[4:])
    assert balances(payer, payee) == [(6, 0), (4, 0)]
    check_books()


def test_posted_in_part_it_frees_the_rest(payer: LedgerAccount, payee: LedgerAccount) -> None:
    transfer = pend(payer, payee, "4")

    state = post_transfer(
        transfer_id=transfer.id, principal=principal_of(payer), amount=Decimal("1.5")
    )

    assert (state.status, state.amount, state.posted_amount) == ("COMPLETED", 4, Decimal("1.5"))
    assert balances(payer, payee) == [(Decimal("8.5"), 0), (Decimal("1.5"), 0)]
    check_books()


@pytest.mark.parametrize("who", ["payer", "payee"])
def test_either_side_voids_it_and_the_hold_is_free(
    payer: LedgerAccount, payee: LedgerAccount, who: str
) -> None:
    transfer = pend(payer, payee, "4")

    state = void_transfer(
        transfer_id=transfer.id, principal=principal_of({"payer": payer, "payee": payee}[who])
    )

    assert (state.status, state.reason, state.posted_amount) == ("FAILED", "voided", None)
    assert balances(payer, payee) == [(10, 0), (0, 0)]
    assert not JournalEntry.objects.filter(kind="TRANSFER").exists()
    check_books()


def refused(act: Callable[[], object]) -> ExchangeError:
    """What `act` is refused for, having changed nothing."""
    before = picture(), counts(), list(Transfer.objects.order_by("id").values())
    with pytest.raises(ExchangeError) as caught:
        act()
    assert (picture(), counts(), list(Transfer.objects.order_by("id").values())) == before
    return caught.value


@pytest.mark.parametrize(
    ("amount", "code"),
    [("0", "zero"), ("-1", "negative"), ("0.00001", "too_many_decimals"), ("4.0001", "")],
)
def test_only_a_part_of_the_hold_can_be_posted(
    payer: LedgerAccount, payee: LedgerAccount, amount: str, code: str
) -> None:
    transfer = pend(payer, payee, "4")

    error = refused(
        lambda: post_transfer(
            transfer_id=transfer.id, principal=principal_of(payer), amount=Decimal(amount)
        )
    )

    if code:
        assert isinstance(error, ValidationFailed) and error.errors[0].code == code
    else:
        assert (error.code, error.status) == ("amount_above_pending", 422)


def test_only_who_pays_posts_and_strangers_do_nothing(
    payer: LedgerAccount, payee: LedgerAccount
) -> None:
    transfer, stranger = pend(payer, payee, "4"), principal_of(make_wallet())

    for error in (
        refused(lambda: post_transfer(transfer_id=transfer.id, principal=principal_of(payee))),
        refused(lambda: post_transfer(transfer_id=transfer.id, principal=stranger)),
        refused(lambda: void_transfer(transfer_id=transfer.id, principal=stranger)),
    ):
        assert (error.code, error.status) == ("not_own_transfer", 403)
    missing = refused(lambda: post_transfer(transfer_id=new_uuid(), principal=stranger))
    assert (missing.code, missing.status) == ("transfer_not_found", 404)


@pytest.mark.parametrize("end", [post_transfer, void_transfer])
def test_what_is_over_stays_as_it_is(
    payer: LedgerAccount, payee: LedgerAccount, end: Callable[..., Any]
) -> None:
    transfer, principal = pend(payer, payee, "4"), principal_of(payer)
    end(transfer_id=transfer.id, principal=principal)

    for again in (post_transfer, void_transfer):
        error = refused(partial(again, transfer_id=transfer.id, principal=principal))
        assert (error.code, error.status) == ("transfer_finished", 409)


def test_a_transfer_of_one_step_has_no_second(payer: LedgerAccount, payee: LedgerAccount) -> None:
    state = send(payer, payee).transfer
    assert state is not None

    error = refused(lambda: void_transfer(transfer_id=state.id, principal=principal_of(payer)))

    assert error.code == "transfer_finished"


def test_after_its_time_it_is_not_posted_though_nobody_has_swept_it_up(
    payer: LedgerAccount, payee: LedgerAccount
) -> None:
    transfer = pend(payer, payee, "4", is_due=True)

    error = refused(lambda: post_transfer(transfer_id=transfer.id, principal=principal_of(payer)))

    assert (error.code, error.status) == ("transfer_timed_out", 409)


def test_the_sweep_frees_what_has_timed_out_once_and_nothing_else(
    payer: LedgerAccount, payee: LedgerAccount
) -> None:
    due, also_due = (pend(payer, payee, amount, is_due=True) for amount in ("4", "2"))
    kept = pend(payer, payee, "1")

    assert (expire_transfers(), expire_transfers()) == (2, 0)

    states = dict(Transfer.objects.values_list("id", "reason"))
    assert states == {due.id: "timed_out", also_due.id: "timed_out", kept.id: ""}
    assert balances(payer, payee) == [(10, 1), (0, 0)]
    check_books()


def test_a_sweep_of_more_than_a_chunk_leaves_none(
    payer: LedgerAccount, payee: LedgerAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.services.transfers.finishing._CHUNK", 2)
    for _ in range(5):
        pend(payer, payee, "1", is_due=True)

    assert expire_transfers() == 5
    assert balances(payer) == [(10, 0)]


def _suspend(wallet: LedgerAccount) -> None:
    suspend_wallet(wallet_id=wallet.id)


def _suspend_account(wallet: LedgerAccount) -> None:
    TradingAccount.objects.filter(ledger_accounts=wallet.id).update(status="SUSPENDED")


def _close_account(wallet: LedgerAccount) -> None:
    TradingAccount.objects.filter(ledger_accounts=wallet.id).update(status="CLOSED")


@pytest.mark.parametrize(
    ("side", "act", "code"),
    [
        ("payer", _suspend, "wallet_not_active"),
        ("payee", _suspend, "wallet_not_active"),
        ("payer", _suspend_account, "account_not_active"),
        ("payer", _close_account, "account_not_active"),
        ("payee", _close_account, "account_not_active"),
    ],
)
def test_a_side_that_is_suspended_meanwhile_keeps_it_pending(
    payer: LedgerAccount, payee: LedgerAccount, side: str, act: Any, code: str
) -> None:
    transfer = pend(payer, payee, "4")
    concerned = {"payer": payer, "payee": payee}[side]
    act(concerned)

    error = refused(lambda: post_transfer(transfer_id=transfer.id, principal=principal_of(payer)))

    assert (error.code, error.status) == (code, 422)
    assert concerned.id == error.facts.get("wallet_id") or (
        concerned.trading_account_id == error.facts.get("account_id")
    )
    assert void_transfer(transfer_id=transfer.id, principal=principal_of(payer)).reason == "voided"


def test_linked_pending_transfers_are_held_together_or_not_at_all(
    payer: LedgerAccount, payee: LedgerAccount
) -> None:
    def both(amount: str) -> list[str]:
        linked_id = new_uuid()
        options: dict[str, Any] = {"linked_id": linked_id, "timeout_seconds": 60}
        orders = [order(payer, payee, amount, **options) for _ in range(2)]
        return [code_of(outcome) for outcome in make_transfers(orders=orders)]

    assert both("6") == ["linked_failed", "insufficient_funds"]
    assert balances(payer) == [(10, 0)]
    assert both("5") == ["", ""]
    assert balances(payer) == [(10, 10)]
