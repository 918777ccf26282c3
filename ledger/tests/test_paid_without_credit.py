"""Credit pays for trades alone: transfers, conversions and withdrawals take what is posted."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import Funding
from brokers.tests.factories import UserFactory
from common.errors import ExchangeError
from common.ids import new_uuid
from ledger.errors import InsufficientFunds
from ledger.models import ConversionRate, LedgerAccount, MoneyRequest
from ledger.services import (
    approve_request,
    convert,
    quote_conversion,
    request_withdrawal,
)
from ledger.services.transfers.finishing import post_transfer, void_transfer
from ledger.services.transfers.making import make_transfers
from ledger.tests.factories import fund, make_rate, pay_out, spend_on_credit
from ledger.tests.wallets import (
    balances,
    check_books,
    code_of,
    make_wallet,
    order,
    pend,
    picture,
    principal_of,
    send,
)

pytestmark = pytest.mark.django_db

UNLIMITED, LIMITED = None, Decimal(1_000_000)


@pytest.fixture(params=[UNLIMITED, LIMITED], ids=["unlimited", "limited"])
def payer(request: Any) -> LedgerAccount:
    """Ten dollars of an account that trades on credit."""
    return make_wallet("10", funding=Funding.CREDIT, credit_limit=request.param)


@pytest.fixture
def payee() -> LedgerAccount:
    return make_wallet()


def trade_away(wallet: LedgerAccount, amount: str) -> None:
    assert wallet.trading_account is not None
    spend_on_credit(wallet.trading_account, amount)


def ask(wallet: LedgerAccount, amount: str) -> MoneyRequest:
    return request_withdrawal(
        wallet_id=wallet.id, amount=Decimal(amount), reason="to my bank", actor="test"
    )


def change(wallet: LedgerAccount, amount: str) -> None:
    if not ConversionRate.objects.exists():
        make_rate("EUR", "USD", "1")
    quote = quote_conversion(
        from_wallet_id=wallet.id, to_currency="EUR", sell_amount=Decimal(amount)
    )
    convert(quote_id=quote.id, actor="test")


def withdraw_at_once(wallet: LedgerAccount, amount: str) -> None:
    assert wallet.trading_account is not None
    pay_out(wallet.trading_account, amount)


@pytest.mark.parametrize("timeout_seconds", [None, 60])
def test_a_transfer_takes_no_credit(
    payer: LedgerAccount, payee: LedgerAccount, timeout_seconds: int | None
) -> None:
    before = picture()

    refused = send(payer, payee, "10.0001", timeout_seconds=timeout_seconds)

    assert refused.error is not None and refused.error.code == "insufficient_funds"
    facts = refused.error.facts
    assert (facts["required"], facts["available"]) == (Decimal("10.0001"), 10)
    assert picture() == before
    assert code_of(send(payer, payee, "10", timeout_seconds=timeout_seconds)) == ""
    check_books()


@pytest.mark.parametrize("act", [change, withdraw_at_once, ask])
def test_a_conversion_and_a_withdrawal_take_no_credit(
    payer: LedgerAccount, act: Callable[[LedgerAccount, str], object]
) -> None:
    before = picture()

    with pytest.raises(InsufficientFunds) as caught:
        act(payer, "10.01")

    assert caught.value.facts == {"required": Decimal("10.01"), "available": 10}
    now = picture()
    assert {id: now[id] for id in before} == before
    act(payer, "10")
    assert balances(payer) in ([(0, 0)], [(10, 10)])


def test_a_wallet_below_zero_sends_nothing(payer: LedgerAccount, payee: LedgerAccount) -> None:
    trade_away(payer, "15")

    assert code_of(send(payer, payee, "0.0001")) == "insufficient_funds"

    assert balances(payer, payee) == [(-5, 0), (0, 0)]


def test_of_a_batch_only_what_is_posted_moves(payer: LedgerAccount, payee: LedgerAccount) -> None:
    outcomes = make_transfers(
        orders=[order(payer, payee, "6"), order(payer, payee, "6"), order(payer, payee, "4")]
    )

    assert [code_of(one) for one in outcomes] == ["", "insufficient_funds", ""]
    assert balances(payer, payee) == [(0, 0), (10, 0)]


def test_linked_transfers_pass_on_what_they_bring_and_no_credit(
    payer: LedgerAccount, payee: LedgerAccount
) -> None:
    giver = make_wallet("5")
    too_much, enough = (
        [order(giver, payer, "5", linked_id=linked), order(payer, payee, sum_, linked_id=linked)]
        for linked, sum_ in ((new_uuid(), "15.01"), (new_uuid(), "15"))
    )

    refused = make_transfers(orders=too_much)
    assert [code_of(one) for one in refused] == ["linked_failed", "insufficient_funds"]
    assert balances(giver, payer, payee) == [(5, 0), (10, 0), (0, 0)]

    assert [code_of(one) for one in make_transfers(orders=enough)] == ["", ""]
    assert balances(giver, payer, payee) == [(0, 0), (0, 0), (15, 0)]


def test_a_pending_transfer_waits_while_a_trade_has_spent_its_money(
    payer: LedgerAccount, payee: LedgerAccount
) -> None:
    transfer = pend(payer, payee, "8")
    trade_away(payer, "3")
    before = picture()

    with pytest.raises(InsufficientFunds) as caught:
        post_transfer(transfer_id=transfer.id, principal=principal_of(payer))

    assert caught.value.facts == {"required": 8, "available": 7}
    assert picture() == before
    transfer.refresh_from_db()
    assert transfer.status == "PENDING"

    assert payer.trading_account is not None
    fund(payer.trading_account, "1")
    post_transfer(transfer_id=transfer.id, principal=principal_of(payer))
    assert balances(payer, payee) == [(0, 0), (8, 0)]
    check_books()


def test_a_pending_transfer_without_its_money_can_be_voided(
    payer: LedgerAccount, payee: LedgerAccount
) -> None:
    transfer = pend(payer, payee, "8")
    trade_away(payer, "12")

    void_transfer(transfer_id=transfer.id, principal=principal_of(payer))

    assert balances(payer, payee) == [(-2, 0), (0, 0)]


def test_a_withdrawal_whose_money_was_spent_on_credit_waits(payer: LedgerAccount) -> None:
    request = ask(payer, "8")
    trade_away(payer, "3")
    before = picture()

    with pytest.raises(InsufficientFunds):
        approve_request(request_id=request.id, user_id=UserFactory.create().id)

    request.refresh_from_db()
    assert request.status == "REQUESTED" and picture() == before
    assert payer.trading_account is not None
    fund(payer.trading_account, "1")
    done = approve_request(request_id=request.id, user_id=UserFactory.create().id)
    assert done.status == "COMPLETED"
    assert balances(payer) == [(0, 0)]


def test_trades_still_use_the_credit(payer: LedgerAccount) -> None:
    trade_away(payer, "500000")

    assert balances(payer) == [(-499_990, 0)]
    if payer.overdraft_limit is not None:
        with pytest.raises(ExchangeError, match="not enough"):
            trade_away(payer, "600000")
        assert balances(payer) == [(-499_990, 0)]
