"""Conversions over HTTP: quote, convert once, look; exact answers and every refusal."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.services import create_account
from brokers.tests.factories import CreatedKeyFactory
from common.ids import new_uuid
from ledger.models import ConversionQuote, JournalEntry, LedgerAccount
from ledger.tests.factories import balance_of, fund, make_account, make_rate, wallet_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> TradingAccount:
    """An account with 100 dollars; a euro is worth 1.25 dollars, with a spread of 1 %."""
    account = make_account()
    fund(account, "100")
    make_rate("EUR", "USD", "1.25", "0.01")
    return account


def headers_of(account: TradingAccount, **options: Any) -> dict[str, str]:
    created = CreatedKeyFactory.create(
        broker=account.broker, scopes=options.pop("scopes", ["read", "transfer"]), **options
    )
    return {"Authorization": f"Bearer {created.secret}"}


def post(client: Client, path: str, headers: dict[str, str], **body: Any) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def ask(client: Client, account: TradingAccount, headers: dict[str, str], **body: Any) -> Any:
    values = {"from_wallet_id": wallet_of(account).id, "to_currency": "eur", "sell_amount": "50"}
    return post(client, "conversions/quotes", headers, **(values | body))


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_has_converted(client: Client, account: TradingAccount) -> None:
    headers = headers_of(account)
    quote_id = ask(client, account, headers).json()["id"]
    barrier = threading.Barrier(10)

    def use(_: int) -> int:
        barrier.wait()
        try:
            return post(Client(), "conversions", headers, quote_id=quote_id).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        statuses = sorted(pool.map(use, range(10)))
    assert statuses == [200] * 9 + [201]


def test_a_quote_becomes_a_conversion_once(client: Client, account: TradingAccount) -> None:
    headers = headers_of(account)

    quoted = ask(client, account, headers)

    assert quoted.status_code == 201
    quote = quoted.json()
    assert quote == {
        "id": str(ConversionQuote.objects.get().id),
        "account_id": account.id,
        "from_wallet_id": wallet_of(account).id,
        "to_wallet_id": wallet_of(account, "EUR").id,
        "from_currency": "USD",
        "to_currency": "EUR",
        "sell_amount": "50",
        "buy_amount": "39.6",
        "rate": "0.792",
        "created_at": quote["created_at"],
        "expires_at": quote["expires_at"],
        "converted_at": None,
        "entry_id": None,
    }
    unused = client.get(f"/api/v1/conversions/{quote['id']}", headers=headers)
    assert (unused.status_code, unused.json()["code"]) == (404, "quote_not_found")
    assert client.get("/api/v1/conversions", headers=headers).json()["results"] == []

    first = post(client, "conversions", headers, quote_id=quote["id"])
    again = post(client, "conversions", headers, quote_id=quote["id"])

    conversion = first.json()
    entry = JournalEntry.objects.get(kind="CONVERSION")
    assert (first.status_code, conversion["entry_id"]) == (201, str(entry.id))
    assert entry.actor.startswith("key:")
    assert conversion | {"converted_at": None, "entry_id": None} == quote
    assert (again.status_code, again.json()) == (200, conversion)
    assert client.get(f"/api/v1/conversions/{quote['id']}", headers=headers).json() == conversion
    assert client.get("/api/v1/conversions", headers=headers).json()["results"] == [conversion]
    assert (balance_of(account), balance_of(account, "EUR")) == (50, Decimal("39.6"))


def test_an_old_quote_is_refused(client: Client, account: TradingAccount) -> None:
    headers = headers_of(account)
    quote = ask(client, account, headers).json()
    ConversionQuote.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    answer = post(client, "conversions", headers, quote_id=quote["id"])

    assert (answer.status_code, answer.json()["code"]) == (422, "quote_expired")
    assert (balance_of(account), balance_of(account, "EUR")) == (100, 0)


def test_more_than_there_is_is_refused_with_the_figures(
    client: Client, account: TradingAccount
) -> None:
    headers = headers_of(account)
    quote = ask(client, account, headers, sell_amount="101").json()

    answer = post(client, "conversions", headers, quote_id=quote["id"])

    assert answer.status_code == 422
    assert {name: answer.json()[name] for name in ("code", "required", "available")} == {
        "code": "insufficient_funds", "required": "101", "available": "100",
    }  # fmt: skip
    assert (balance_of(account), balance_of(account, "EUR")) == (100, 0)


def test_only_own_wallets_and_quotes_are_used(client: Client, account: TradingAccount) -> None:
    own = headers_of(account)
    sibling = create_account(broker_id=account.broker_id, document_number="2")
    fund(sibling, "5", "EUR")
    stranger = make_account()
    fund(stranger, "5", "EUR")
    quote_id = ask(client, account, own).json()["id"]
    used = post(client, "conversions", own, quote_id=ask(client, account, own).json()["id"]).json()

    for headers in (headers_of(account, account_id=sibling.id), headers_of(stranger)):
        answers = [
            ask(client, account, headers),
            post(client, "conversions", headers, quote_id=quote_id),
            client.get(f"/api/v1/conversions/{used['id']}", headers=headers),
        ]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
            (403, "other_account")
        ] * 3
        assert client.get("/api/v1/conversions", headers=headers).json()["results"] == []
    to_stranger = ask(
        client, account, own, to_currency=None, to_wallet_id=wallet_of(stranger, "EUR").id
    )
    to_sibling = ask(
        client, account, own, to_currency=None, to_wallet_id=wallet_of(sibling, "EUR").id
    )
    readers = post(client, "conversions", headers_of(account, scopes=["read"]), quote_id=quote_id)

    assert (to_stranger.status_code, to_stranger.json()["code"]) == (403, "other_account")
    assert (to_sibling.status_code, to_sibling.json()["code"]) == (422, "wallets_of_two_accounts")
    assert (readers.status_code, readers.json()["code"]) == (403, "missing_scope")
    assert ConversionQuote.objects.filter(entry__isnull=False).count() == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"to_currency": "XYZ"}, 422, "unknown_asset"),
        ({"to_currency": "BTC"}, 422, "no_conversion_rate"),
        ({"from_wallet_id": 10**9}, 404, "wallet_not_found"),
        ({"sell_amount": "0.0001"}, 422, "amount_too_small"),
    ],
)
def test_what_cannot_be_quoted_has_its_code(
    client: Client, account: TradingAccount, body: dict[str, Any], status: int, code: str
) -> None:
    fund(make_account(), "1", "BTC")

    answer = ask(client, account, headers_of(account), **body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not ConversionQuote.objects.exists()
    assert LedgerAccount.objects.filter(trading_account=account).count() == 1


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"to_wallet_id": 1}, "to_wallet_id", "one_of_two"),
        ({"to_currency": None}, "to_wallet_id", "one_of_two"),
        ({"buy_amount": "1"}, "sell_amount", "one_of_two"),
        ({"sell_amount": None}, "sell_amount", "one_of_two"),
        ({"sell_amount": "1.00001"}, "sell_amount", "too_many_decimals"),
        ({"sell_amount": None, "buy_amount": "0"}, "buy_amount", "not_positive"),
    ],
)
def test_a_malformed_quote_names_the_field(
    client: Client, account: TradingAccount, body: dict[str, Any], field: str, code: str
) -> None:
    answer = ask(client, account, headers_of(account), **body)

    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]
    assert not ConversionQuote.objects.exists()


def test_an_unknown_quote_is_404_and_a_key_converts_once(
    client: Client, account: TradingAccount
) -> None:
    headers = headers_of(account)
    keyed = {**headers, "Idempotency-Key": "change-1"}
    quote_id = ask(client, account, headers).json()["id"]

    nowhere = post(client, "conversions", headers, quote_id=str(new_uuid()))
    first = post(client, "conversions", keyed, quote_id=quote_id)
    again = post(client, "conversions", keyed, quote_id=quote_id)

    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "quote_not_found")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert balance_of(account) == 50
