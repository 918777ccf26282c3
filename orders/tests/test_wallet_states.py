"""What a wallet that is suspended or closed stops: orders, deals, booked executions, collateral."""

from decimal import Decimal as D
from typing import Any

import pytest

from brokers.models import TradingAccount
from common.ids import new_uuid
from exchange_project.reconciliation import check_venue
from ledger.errors import WalletInUse, WalletNotActive
from ledger.models import JournalEntry
from ledger.services import reverse_entry
from ledger.services.requests import request_deposit
from ledger.services.wallets import activate_wallet, suspend_wallet
from ledger.tests.factories import balance_of, fund, wallet_of
from ledger.tests.wallets import make_wallet, pend
from margin.services.collateral import move_collateral
from margin.tests.world import make_perpetual
from orders.models import Order, Trade
from orders.services.wallets import close_unused_wallet
from orders.tests.dealing import ALL_SCOPES, api_of, counts, make_client, problem
from orders.tests.fixtures import Api

pytestmark = pytest.mark.django_db


def owner_of(account: TradingAccount) -> Api:
    """The API of a key that may close wallets too."""
    return api_of(account, scopes=(*ALL_SCOPES, "transfer"))


def limit(side: str, price: str, quantity: str = "10") -> dict[str, str]:
    return {"symbol": "ACME", "side": side, "quantity": quantity, "limit_price": price}


@pytest.fixture
def seller(engine: object) -> tuple[TradingAccount, Api]:
    return make_client(("10", "ACME"), ("5", "USD"))


@pytest.fixture
def buyer(engine: object) -> tuple[TradingAccount, Api]:
    return make_client(("1000", "USD"))


def picture(*accounts: TradingAccount) -> list[tuple[D, D]]:
    """Dollars and shares of each."""
    return [(balance_of(one), balance_of(one, "ACME", "SECURITY")) for one in accounts]  # type: ignore[arg-type]


def close(api: Api, account: TradingAccount) -> Any:
    return api.post(f"/wallets/{wallet_of(account).id}/close")


# --- closing --------------------------------------------------------------------------------------


def test_a_wallet_that_an_open_order_would_credit_is_not_closed(engine: object) -> None:
    account, _ = make_client(("10", "ACME"))
    api = owner_of(account)
    make_wallet(account=account)
    resting = api.post("/orders", limit("SELL", "10")).json()

    document = problem(close(api, account), 409, "wallet_in_use")
    assert document["open_orders"] == 1
    assert wallet_of(account).status == "ACTIVE"

    assert api.post(f"/orders/{resting['id']}/cancel").status_code == 200
    assert close(api, account).json()["status"] == "CLOSED"


def test_a_wallet_that_a_booked_order_waits_for_is_not_closed(prices: dict[str, str]) -> None:
    account, _ = make_client(("10", "ACME"))
    api = owner_of(account)
    wallet = make_wallet(account=account)
    body = {"symbol": "ACME", "side": "SELL", "quantity": "10", "price": "10"}
    assert api.post(f"/accounts/{account.id}/orders", body).status_code == 201
    document = problem(api.post(f"/wallets/{wallet.id}/close"), 409, "wallet_in_use")
    assert document["open_orders"] == 1


def test_a_wallet_to_which_money_is_under_way_is_not_closed() -> None:
    wallet = make_wallet()
    pend(make_wallet("5"), wallet, "5")
    request_deposit(wallet_id=wallet.id, amount=D(1), reason="Cash", actor="test")

    with pytest.raises(WalletInUse) as refused:
        close_unused_wallet(wallet_id=wallet.id)
    facts = refused.value.facts
    assert (facts["pending_transfers"], facts["open_requests"]) == (1, 1)
    wallet.refresh_from_db()
    assert wallet.status == "ACTIVE"


# --- suspended ------------------------------------------------------------------------------------


def test_a_suspended_wallet_takes_no_order(
    seller: tuple[TradingAccount, Api], buyer: tuple[TradingAccount, Api]
) -> None:
    (account, api), (other, other_api) = buyer, seller
    suspend_wallet(wallet_id=wallet_of(account).id)
    problem(api.post("/orders", limit("BUY", "10")), 422, "wallet_suspended")
    assert Order.objects.get().reason == "wallet_suspended"
    # A sale would credit it.
    assert other_api.post("/orders", limit("SELL", "10")).status_code == 201
    fund(account, "10", "ACME")
    suspend_wallet(wallet_id=wallet_of(other).id)
    assert api.post("/orders", limit("SELL", "10")).status_code == 201
    assert not Trade.objects.exists()


def test_an_order_that_rests_is_canceled_when_it_is_met(
    seller: tuple[TradingAccount, Api], buyer: tuple[TradingAccount, Api]
) -> None:
    (account, api), (other, other_api) = seller, buyer
    resting = api.post("/orders", limit("SELL", "10")).json()
    suspend_wallet(wallet_id=wallet_of(account).id)
    before = picture(account, other)

    taker = other_api.post("/orders", limit("BUY", "10")).json()

    assert (taker["status"], taker["filled_quantity"]) == ("OPEN", "0")
    stored = Order.objects.get(id=resting["id"])
    assert (stored.status, stored.reason) == ("CANCELED", "wallet_suspended")
    assert picture(account, other) == before
    # Active again, it sells; and the wallet of a taker is looked at as well.
    activate_wallet(wallet_id=wallet_of(account).id)
    assert api.post("/orders", limit("SELL", "10", "4")).json()["status"] == "FILLED"
    suspend_wallet(wallet_id=wallet_of(account).id)
    problem(api.post("/orders", limit("SELL", "10", "4")), 422, "wallet_suspended")
    assert balance_of(account) == 45
    assert not [one for one in check_venue(shown_max=5) if one.difference_count]


def test_a_suspended_wallet_deals_and_settles_nothing(prices: dict[str, str]) -> None:
    account, api = make_client(("10000", "USD"), ("10", "ACME"))
    body = {"symbol": "ACME", "side": "SELL", "quantity": "10", "price": "10"}
    waiting = api.post(f"/accounts/{account.id}/orders", body).json()
    suspend_wallet(wallet_id=wallet_of(account).id)

    for side in ("BUY", "SELL"):
        deal = {"symbol": "ACME", "side": side, "quantity": "1"}
        refused = problem(api.post("/trade", deal), 422, "wallet_suspended")
        assert refused["wallet_id"] == wallet_of(account).id
    assert counts() == (3, 0)
    problem(api.post(f"/orders/{waiting['id']}/execute"), 422, "wallet_not_active")
    assert Order.objects.get(id=waiting["id"]).status == "PENDING"

    activate_wallet(wallet_id=wallet_of(account).id)
    assert api.post(f"/orders/{waiting['id']}/execute").json()["status"] == "FILLED"


def test_a_suspended_wallet_is_no_collateral() -> None:
    make_perpetual()
    account, _ = make_client(("100", "USDT"))

    def move(amount: str) -> None:
        move_collateral(
            account_id=account.id,
            asset="USDT",
            amount=D(amount),
            source_id=new_uuid(),
            actor="test",
        )

    move("50")
    suspend_wallet(wallet_id=wallet_of(account, "USDT").id)
    for amount in ("10", "-10"):
        with pytest.raises(WalletNotActive):
            move(amount)
    assert balance_of(account, "USDT") == 50


def test_staff_still_correct_a_suspended_wallet() -> None:
    account, _ = make_client(("100", "USD"))
    suspend_wallet(wallet_id=wallet_of(account).id)
    reverse_entry(entry_id=JournalEntry.objects.get().id, reason="Wrong account", actor="staff")
    assert balance_of(account) == 0
