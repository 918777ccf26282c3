"""Deposits and withdrawals over HTTP: who may ask, look and cancel; exact answers, pages, keys."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from brokers.models import Broker, TradingAccount
from brokers.services import create_account
from brokers.tests.factories import CreatedKeyFactory, UserFactory
from common.ids import new_uuid
from ledger.models import MoneyRequest
from ledger.services import approve_request
from ledger.tests.factories import fund, make_account, wallet_of

pytestmark = pytest.mark.django_db

KINDS = ["deposits", "withdrawals"]


@pytest.fixture
def account() -> TradingAccount:
    account = make_account()
    fund(account, "100")
    return account


def headers_of(account: TradingAccount, **options: Any) -> dict[str, str]:
    created = CreatedKeyFactory.create(
        broker=account.broker, scopes=options.pop("scopes", ["read", "transfer"]), **options
    )
    return {"Authorization": f"Bearer {created.secret}"}


def ask(
    client: Client,
    what: str,
    headers: dict[str, str],
    wallet_id: int,
    amount: Any = "60",
    **body: Any,
) -> Any:
    return client.post(
        f"/api/v1/{what}",
        {"wallet_id": wallet_id, "amount": amount, "reason": "IBAN 1", **body},
        content_type="application/json",
        headers=headers,
    )


@pytest.mark.parametrize("what", KINDS)
def test_a_request_is_answered_as_it_stands_until_it_is_booked(
    client: Client, account: TradingAccount, what: str
) -> None:
    headers, wallet = headers_of(account), wallet_of(account)

    answer = ask(client, what, headers, wallet.id, "60.5")

    assert answer.status_code == 201
    stored = MoneyRequest.objects.get()
    asked = {
        "id": str(stored.id),
        "wallet_id": wallet.id,
        "account_id": account.id,
        "currency": "USD",
        "amount": "60.5",
        "reason": "IBAN 1",
        "status": "REQUESTED",
        "status_reason": "",
        "approvals_needed": 1,
        "entry_id": None,
        "created_at": answer.json()["created_at"],
        "finished_at": None,
    }
    assert answer.json() == asked
    assert client.get(f"/api/v1/{what}/{stored.id}", headers=headers).json() == asked
    assert stored.actor.startswith("key:")
    assert wallet_of(account).held_amount == (Decimal("60.5") if what == "withdrawals" else 0)

    booked = approve_request(request_id=stored.id, user_id=UserFactory.create().id)
    now = client.get(f"/api/v1/{what}/{stored.id}", headers=headers).json()
    assert (now["status"], now["entry_id"]) == ("COMPLETED", str(booked.entry_id))
    assert now["finished_at"] is not None


@pytest.mark.parametrize("what", KINDS)
def test_only_the_wallets_own_people_ask_look_and_cancel(
    client: Client, account: TradingAccount, what: str
) -> None:
    own, wallet = headers_of(account), wallet_of(account)
    sibling = create_account(broker_id=account.broker_id, document_number="2")
    request_id = ask(client, what, own, wallet.id).json()["id"]
    before = wallet_of(account).held_amount

    def codes(headers: dict[str, str]) -> list[tuple[int, str]]:
        answers = [
            ask(client, what, headers, wallet.id, "1"),
            client.get(f"/api/v1/{what}/{request_id}", headers=headers),
            client.post(f"/api/v1/{what}/{request_id}/cancel", headers=headers),
        ]
        return [(answer.status_code, answer.json()["code"]) for answer in answers]

    other = [(403, "other_account")] * 3
    assert codes(headers_of(account, account_id=sibling.id)) == other
    assert codes(headers_of(make_account())) == other
    assert codes(headers_of(account, scopes=["trade"])) == [(403, "missing_scope")] * 3
    assert codes({}) == [(401, "not_authenticated")] * 3
    readers = headers_of(account, scopes=["read"])
    assert ask(client, what, readers, wallet.id).json()["code"] == "missing_scope"
    assert MoneyRequest.objects.get().status == "REQUESTED"
    assert wallet_of(account).held_amount == before

    bound = headers_of(account, account_id=account.id)
    assert ask(client, what, bound, wallet.id, "1").status_code == 201
    assert client.get(f"/api/v1/{what}/{request_id}", headers=bound).status_code == 200
    assert client.post(f"/api/v1/{what}/{request_id}/cancel", headers=bound).status_code == 200


@pytest.mark.parametrize(("what", "other"), [KINDS, KINDS[::-1]])
def test_a_canceled_request_is_free_and_stays_canceled(
    client: Client, account: TradingAccount, what: str, other: str
) -> None:
    headers = headers_of(account)
    request_id = ask(client, what, headers, wallet_of(account).id).json()["id"]
    Broker.objects.update(status="SUSPENDED")  # who may only read and cancel

    wrong = client.post(f"/api/v1/{other}/{request_id}/cancel", headers=headers)
    first = client.post(f"/api/v1/{what}/{request_id}/cancel", headers=headers)
    second = client.post(f"/api/v1/{what}/{request_id}/cancel", headers=headers)

    assert (wrong.status_code, wrong.json()["code"]) == (404, "request_not_found")
    assert (first.status_code, first.json()["status"]) == (200, "CANCELED")
    assert (second.status_code, second.json()["code"], second.json()["request_status"]) == (
        409, "request_not_open", "CANCELED",
    )  # fmt: skip
    assert wallet_of(account).held_amount == 0


@pytest.mark.parametrize("what", KINDS)
@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"amount": "0"}, "amount", "not_positive"),
        ({"amount": "-5"}, "amount", "not_positive"),
        ({"amount": "1.00001"}, "amount", "too_many_decimals"),
        ({"amount": "1e-9"}, "amount", "too_many_decimals"),
        ({"amount": None}, "amount", "required"),
        ({"wallet_id": "1"}, "wallet_id", "not_an_integer"),
        ({"reason": " "}, "reason", "too_short"),
        ({"reason": "x" * 201}, "reason", "too_long"),
        ({"reason": "IBAN \u202e1"}, "reason", "invalid_characters"),
        ({"currency": "USD"}, "currency", "unknown_field"),
    ],
)
def test_a_malformed_request_names_the_field(
    client: Client, account: TradingAccount, what: str, body: dict[str, Any], field: str, code: str
) -> None:
    given = {"wallet_id": wallet_of(account).id, **body}

    answer = ask(client, what, headers_of(account), **given)

    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]
    assert not MoneyRequest.objects.exists()


def test_more_than_there_is_is_refused_with_the_figures(
    client: Client, account: TradingAccount
) -> None:
    answer = ask(client, "withdrawals", headers_of(account), wallet_of(account).id, "100.01")

    assert answer.status_code == 422
    assert {name: answer.json()[name] for name in ("code", "required", "available")} == {
        "code": "insufficient_funds", "required": "100.01", "available": "100",
    }  # fmt: skip
    assert not MoneyRequest.objects.exists()


@pytest.mark.parametrize("what", KINDS)
def test_what_is_not_there_is_404(client: Client, account: TradingAccount, what: str) -> None:
    headers = headers_of(account)

    wallet = ask(client, what, headers, 10**9)
    found = client.get(f"/api/v1/{what}/{new_uuid()}", headers=headers)
    canceled = client.post(f"/api/v1/{what}/{new_uuid()}/cancel", headers=headers)

    answers = (wallet, found, canceled)
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (404, "wallet_not_found"), (404, "request_not_found"), (404, "request_not_found"),
    ]  # fmt: skip


def test_the_same_key_asks_once(client: Client, account: TradingAccount) -> None:
    headers = {**headers_of(account), "Idempotency-Key": "payout-1"}
    wallet = wallet_of(account)

    first = ask(client, "withdrawals", headers, wallet.id)
    again = ask(client, "withdrawals", headers, wallet.id)
    other = ask(client, "withdrawals", headers, wallet.id, "61")

    assert (again.status_code, again.json()) == (201, first.json())
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (MoneyRequest.objects.count(), wallet_of(account).held_amount) == (1, 60)


@pytest.mark.parametrize("what", [*KINDS, "transfers", "wallets"])
def test_a_list_narrowed_to_what_is_anothers_is_refused(
    client: Client, account: TradingAccount, what: str
) -> None:
    sibling = create_account(broker_id=account.broker_id, document_number="2")
    stranger = make_account()
    for one in (sibling, stranger):
        fund(one, "100")
    wide, bound = headers_of(account), headers_of(account, account_id=account.id)
    has_wallets, has_accounts = what != "wallets", what != "transfers"

    def answer(headers: dict[str, str], name: str, value: int) -> tuple[int, str]:
        answered = client.get(f"/api/v1/{what}?{name}={value}", headers=headers)
        return answered.status_code, answered.json().get("code", "")

    for headers, other in ((wide, stranger), (bound, stranger), (bound, sibling)):
        if has_wallets:
            refused = answer(headers, "wallet_id", wallet_of(other).id)
            assert refused == (403, "other_account")
        if has_accounts:
            assert answer(headers, "account_id", other.id) == (403, "other_account")
    if has_wallets:
        assert answer(wide, "wallet_id", 10**9) == (404, "wallet_not_found")
        assert answer(bound, "wallet_id", wallet_of(account).id) == (200, "")
    if has_accounts:
        assert answer(wide, "account_id", 10**9) == (404, "account_not_found")
        assert answer(bound, "account_id", account.id) == (200, "")


def test_lists_are_of_one_kind_newest_first_and_can_be_narrowed(
    client: Client, account: TradingAccount, django_assert_num_queries: Any
) -> None:
    headers = headers_of(account)
    sibling = create_account(broker_id=account.broker_id, document_number="2")
    fund(sibling, "100")
    stranger = make_account()
    fund(stranger, "100")
    ask(client, "withdrawals", headers_of(stranger), wallet_of(stranger).id)
    ask(client, "deposits", headers, wallet_of(account).id, "7")
    for amount in ("1", "2", "3"):
        ask(client, "withdrawals", headers, wallet_of(account).id, amount)
    ask(client, "withdrawals", headers, wallet_of(sibling).id, "4")
    canceled = MoneyRequest.objects.get(amount=2)
    client.post(f"/api/v1/withdrawals/{canceled.id}/cancel", headers=headers)

    def amounts(query: str, who: dict[str, str] = headers) -> list[str]:
        answer = client.get(f"/api/v1/withdrawals{query}", headers=who)
        assert answer.status_code == 200
        return [row["amount"] for row in answer.json()["results"]]

    assert amounts("") == ["4", "3", "2", "1"]
    assert amounts(f"?account_id={account.id}") == ["3", "2", "1"]
    assert amounts(f"?wallet_id={wallet_of(sibling).id}") == ["4"]
    assert amounts("?status=REQUESTED") == ["4", "3", "1"]
    bound = headers_of(account, account_id=account.id)
    assert amounts("", bound) == ["3", "2", "1"]

    page = client.get("/api/v1/withdrawals?page_size=3", headers=headers).json()
    following = client.get(page["next"], headers=headers).json()
    assert [row["amount"] for row in page["results"] + following["results"]] == ["4", "3", "2", "1"]
    with django_assert_num_queries(1):
        assert amounts("") == ["4", "3", "2", "1"]
