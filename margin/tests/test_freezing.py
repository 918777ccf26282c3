"""Freezing by staff: who, why and when are kept, and what the frozen one cannot do."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal as D
from typing import Any

import pytest
from django.db import connection, transaction

from brokers.errors import AccountNotFound
from brokers.models import TradingAccount
from brokers.services.house import get_insurance_account_id
from common.errors import ValidationFailed
from common.ids import new_uuid
from ledger import locks
from ledger.selectors import list_balances
from margin.errors import (
    HouseAccount,
    MarginAccountFrozen,
    MarginAccountFrozenAlready,
    MarginAccountNotFrozen,
    MarginAccountRequired,
)
from margin.models import FreezeChange, MarginAccount
from margin.services.collateral import move_collateral
from margin.services.freezing import freeze_margin_account, unfreeze_margin_account
from margin.tests.factories import make_asset, make_margin_account
from margin.tests.world import make_perpetual, make_trader, order, set_mark
from marketdata.errors import UnknownAsset
from orders.tests.fixtures import Api

_VENUE = "tests-admin-key"


def freeze(account_id: int, **fields: Any) -> MarginAccount:
    given = {"asset": "USDT", "reason": "Looked into", "actor": "user:1"}
    return freeze_margin_account(account_id=account_id, **(given | fields))


def unfreeze(account_id: int, **fields: Any) -> MarginAccount:
    given = {"asset": "USDT", "reason": "All is well", "actor": "user:2"}
    return unfreeze_margin_account(account_id=account_id, **(given | fields))


def history() -> list[tuple[Any, ...]]:
    rows = FreezeChange.objects.order_by("id")
    return list(rows.values_list("account_id", "is_frozen", "reason", "actor"))


@pytest.mark.django_db
def test_a_freeze_and_its_end_are_kept_with_who_and_why() -> None:
    account = make_margin_account("100")

    frozen = freeze(account.id)
    assert (frozen.is_frozen, frozen.frozen_reason) == (True, "Looked into")

    free = unfreeze(account.id)
    assert (free.is_frozen, free.frozen_reason) == (False, "")
    assert MarginAccount.objects.get() == free
    assert history() == [
        (account.id, True, "Looked into", "user:1"),
        (account.id, False, "All is well", "user:2"),
    ]


@pytest.mark.django_db
def test_a_frozen_collateral_does_not_move_out_and_a_free_one_does() -> None:
    account = make_margin_account("100")

    def move(amount: str) -> None:
        move_collateral(
            account_id=account.id,
            asset="USDT",
            amount=D(amount),
            source_id=new_uuid(),
            actor="test",
        )

    freeze(account.id)
    with pytest.raises(MarginAccountFrozen):
        move("-40")
    unfreeze(account.id)
    move("-40")

    assert {one.kind.value: one.posted_balance for one in list_balances(account.id)} == {
        "CASH": 40,
        "MARGIN": 60,
    }


@pytest.mark.django_db
def test_one_asset_is_frozen_and_no_other() -> None:
    account = make_margin_account("100")
    make_asset("EUR")

    freeze(account.id)
    freeze(account.id, asset="EUR", reason="Another one")
    unfreeze(account.id)

    rows = MarginAccount.objects.order_by("asset__code").values_list("asset__code", "is_frozen")
    assert list(rows) == [("EUR", True), ("USDT", False)]


@pytest.mark.django_db
def test_what_is_so_already_is_refused() -> None:
    account = make_margin_account("100")
    with pytest.raises(MarginAccountNotFrozen):
        unfreeze(account.id)
    assert not MarginAccount.objects.exists()

    freeze(account.id)
    with pytest.raises(MarginAccountFrozenAlready) as refused:
        freeze(account.id, reason="Another one")

    assert refused.value.facts["reason"] == "Looked into"
    assert MarginAccount.objects.get().frozen_reason == "Looked into"
    assert len(history()) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "two\nlines", "nul\0", "bidi\u202e"])
def test_a_reason_is_some_words(reason: str) -> None:
    account = make_margin_account("100")

    with pytest.raises(ValidationFailed) as refused:
        freeze(account.id, reason=reason)

    assert [error.field for error in refused.value.errors] == ["reason"]
    assert not MarginAccount.objects.exists()


@pytest.mark.django_db
def test_whom_nobody_freezes() -> None:
    account = make_margin_account("100")
    credit = TradingAccount.objects.create(
        broker=account.broker, document_number="C", funding="CREDIT"
    )

    with pytest.raises(HouseAccount):
        freeze(get_insurance_account_id())
    with pytest.raises(MarginAccountRequired):
        freeze(credit.id)
    with pytest.raises(AccountNotFound):
        freeze(10**9)
    with pytest.raises(UnknownAsset):
        freeze(account.id, asset="NONE")

    assert not MarginAccount.objects.exists()
    assert history() == []


@pytest.mark.django_db(transaction=True)
def test_two_at_once_freeze_once() -> None:
    account = make_margin_account("100")
    start = threading.Barrier(4)

    def run(number: int) -> bool:
        start.wait()
        try:
            freeze(account.id, actor=f"user:{number}")
        except MarginAccountFrozenAlready:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(run, range(4)))

    assert sum(outcomes) == 1
    assert len(history()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_freeze_waits_for_who_has_the_account() -> None:
    account = make_margin_account("100")
    done = threading.Event()

    def run() -> None:
        freeze(account.id)
        connection.close()
        done.set()

    with transaction.atomic():
        locks.lock_trading_account(account.id)
        thread = threading.Thread(target=run)
        thread.start()
        assert not done.wait(0.3)
    thread.join()
    assert MarginAccount.objects.get().is_frozen


# --- over HTTP, with a living engine --------------------------------------------------------------


@pytest.fixture
def trader(engine: object) -> tuple[TradingAccount, Api]:
    make_perpetual()
    set_mark(50_000)
    return make_trader("Trader", collateral=1_000)


def test_the_venues_key_freezes_and_orders_are_refused(trader: tuple[TradingAccount, Api]) -> None:
    (account, api), venue = trader, Api(_VENUE, "/api/v1/")
    path, body = f"margin/accounts/{account.id}/freeze", {"asset": "usdt", "reason": "Looked into"}

    answer = venue.post(path, body)
    assert answer.status_code == 200
    document = answer.json()
    assert document.pop("updated_at")
    assert document == {
        "account_id": account.id,
        "asset": "USDT",
        "is_frozen": True,
        "reason": "Looked into",
    }
    assert history() == [(account.id, True, "Looked into", "venue-admin")]
    refusal = api.post("orders", order("BUY", 50_000, "0.01"))
    assert (refusal.status_code, refusal.json()["code"]) == (422, "margin_account_frozen")
    assert api.get(f"margin/accounts/{account.id}").json()["accounts"][0]["is_frozen"]
    again = venue.post(path, body)
    assert (again.status_code, again.json()["code"]) == (409, "margin_account_frozen_already")

    freed = venue.post(
        f"margin/accounts/{account.id}/unfreeze", {"asset": "USDT", "reason": "All is well"}
    )
    assert (freed.status_code, freed.json()["is_frozen"]) == (200, False)
    assert api.post("orders", order("BUY", 50_000, "0.01")).status_code == 201


def test_nobody_elses_key_freezes(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    body = {"asset": "USDT", "reason": "Looked into"}
    for verb in ("freeze", "unfreeze"):
        refusal = api.post(f"margin/accounts/{account.id}/{verb}", body)
        assert (refusal.status_code, refusal.json()["code"]) == (403, "missing_scope")
    wrong = Api(_VENUE, "/api/v1/").post(f"margin/accounts/{account.id}/freeze", {"asset": "USDT"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "reason")
    assert not MarginAccount.objects.exists()
