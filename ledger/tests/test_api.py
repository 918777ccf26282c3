"""Balances, booked lines and statements over HTTP: who sees them, exact answers, pages."""

import csv
import io
import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.services import create_account
from brokers.tests.factories import CreatedKeyFactory
from common.api.renderers import format_instant
from common.ids import new_uuid
from ledger.models import JournalEntry, Posting
from ledger.services import deposit, withdraw
from ledger.tests.factories import fund, make_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> TradingAccount:
    account = make_account()
    fund(account, "100.5")
    fund(account, "3", "ACME")
    withdraw(
        account_id=account.id,
        asset="USD",
        amount=Decimal("0.25"),
        source_id=new_uuid(),
        actor="test",
        memo='=cmd "x", é',
    )
    return account


def headers_of(account: TradingAccount, **options: Any) -> dict[str, str]:
    created = CreatedKeyFactory.create(
        broker=account.broker, scopes=options.pop("scopes", ["read"]), **options
    )
    return {"Authorization": f"Bearer {created.secret}"}


def test_balances_tell_what_is_posted_held_and_available(
    client: Client, account: TradingAccount
) -> None:
    answer = client.get(f"/api/v1/accounts/{account.id}/balances", headers=headers_of(account))

    assert answer.status_code == 200
    assert answer.json() == {
        "account_id": account.id,
        "balances": [
            {
                "asset": "ACME",
                "kind": "SECURITY",
                "posted_balance": "3",
                "held_amount": "0",
                "available_balance": "3",
                "overdraft_limit": "0",
                "version": 1,
            },
            {
                "asset": "USD",
                "kind": "CASH",
                "posted_balance": "100.25",
                "held_amount": "0",
                "available_balance": "100.25",
                "overdraft_limit": "0",
                "version": 2,
            },
        ],
    }


@pytest.mark.parametrize("what", ["balances", "entries", "statement"])
def test_only_the_broker_and_a_key_of_the_account_may_look(
    client: Client, account: TradingAccount, what: str
) -> None:
    path = f"/api/v1/accounts/{account.id}/{what}"
    sibling = create_account(broker_id=account.broker_id, document_number="2")

    def status(headers: dict[str, str], asked: str = path) -> tuple[int, str]:
        answer = client.get(asked, headers=headers)
        return answer.status_code, "" if answer.status_code == 200 else answer.json()["code"]

    assert status(headers_of(account)) == (200, "")
    assert status(headers_of(account, account_id=account.id)) == (200, "")
    assert status(headers_of(account, account_id=sibling.id)) == (403, "other_account")
    assert status(headers_of(make_account())) == (403, "other_account")
    assert status(headers_of(account, scopes=["trade"])) == (403, "missing_scope")
    assert status({}) == (401, "not_authenticated")
    nowhere = f"/api/v1/accounts/999999999/{what}"
    assert status(headers_of(account), nowhere) == (404, "account_not_found")


def test_entries_are_the_booked_lines_newest_first(client: Client, account: TradingAccount) -> None:
    answer = client.get(f"/api/v1/accounts/{account.id}/entries", headers=headers_of(account))

    lines = answer.json()["results"]
    assert [(line["asset"], line["amount"], line["balance_after"]) for line in lines] == [
        ("USD", "-0.25", "100.25"),
        ("ACME", "3", "3"),
        ("USD", "100.5", "100.5"),
    ]
    stored = JournalEntry.objects.get(kind="WITHDRAWAL")
    posting = Posting.objects.get(entry=stored, ledger_account__trading_account=account)
    assert lines[0] == {
        "id": posting.id,
        "asset": "USD",
        "kind": "CASH",
        "amount": "-0.25",
        "balance_after": "100.25",
        "version": 2,
        "entry_id": str(stored.id),
        "entry_kind": "WITHDRAWAL",
        "source_kind": "withdrawal",
        "source_id": str(stored.source_id),
        "memo": '=cmd "x", é',
        "occurred_at": format_instant(stored.occurred_at),
        "posted_at": format_instant(stored.posted_at),
    }


def test_entries_come_in_pages_both_ways(client: Client) -> None:
    account = make_account()
    for number in range(1, 8):
        fund(account, str(number), "USD" if number % 2 else "EUR")
    headers = headers_of(account)

    def page(address: str) -> tuple[list[str], str | None, str | None]:
        document = client.get(address, headers=headers).json()
        amounts = [line["amount"] for line in document["results"]]
        return amounts, document["next"], document["previous"]

    base = f"/api/v1/accounts/{account.id}/entries"
    first, older, _ = page(f"{base}?page_size=3")
    second, oldest, newer = page(str(older))
    third, end, _ = page(str(oldest))
    assert (first, second, third, end) == (["7", "6", "5"], ["4", "3", "2"], ["1"], None)
    assert page(str(newer))[0] == first
    assert page(f"{base}?asset=eur")[0] == ["6", "4", "2"]
    assert page(f"{base}?asset=eur&page_size=2")[0] == ["6", "4"]
    assert client.get(f"{base}?cursor=x", headers=headers).status_code == 422


def read_statement(
    client: Client, account: TradingAccount, query: str = ""
) -> tuple[int, dict[str, Any]]:
    answer = client.get(
        f"/api/v1/accounts/{account.id}/statement{query}", headers=headers_of(account)
    )
    if answer.status_code != 200:
        return answer.status_code, answer.json()
    assert answer["Content-Type"] == "application/json"
    return 200, json.loads(answer.getvalue())


def test_a_statement_opens_lists_and_closes_every_balance(
    client: Client, account: TradingAccount
) -> None:
    status, statement = read_statement(client, account)

    assert (status, statement["account_id"]) == (200, account.id)
    shown = [
        (
            part["asset"],
            part["kind"],
            part["opening_balance"],
            [(line["version"], line["amount"]) for line in part["lines"]],
            part["closing_balance"],
        )
        for part in statement["accounts"]
    ]
    assert shown == [
        ("ACME", "SECURITY", "0", [(1, "3")], "3"),
        ("USD", "CASH", "0", [(1, "100.5"), (2, "-0.25")], "100.25"),
    ]


def test_a_statement_covers_its_span_and_no_more(client: Client) -> None:
    account = make_account()
    fund(account, "1")
    between = timezone.now()
    fund(account, "2")
    after = timezone.now()
    fund(account, "4")

    def usd(query: str) -> tuple[str, list[str], str]:
        _, statement = read_statement(client, account, query)
        [part] = statement["accounts"]
        amounts = [line["amount"] for line in part["lines"]]
        return part["opening_balance"], amounts, part["closing_balance"]

    first, second = quote(format_instant(between)), quote(format_instant(after))
    assert usd(f"?since={first}&until={second}") == ("1", ["2"], "3")
    assert usd(f"?since={first}") == ("1", ["2", "4"], "7")
    assert usd(f"?until={first}") == ("0", ["1"], "1")
    assert usd(f"?since={second}") == ("3", ["4"], "7")
    status, document = read_statement(client, account, f"?since={second}&until={first}")
    assert (status, document["errors"][0]["code"]) == (422, "not_before_until")
    assert read_statement(client, account, "?until=0001-01-01T00:00:00Z")[0] == 422
    assert usd("?until=0001-01-02T00:00:00Z") == ("0", [], "0")
    assert read_statement(client, account, "?format=pdf")[0] == 422
    assert read_statement(client, account, "?since=yesterday")[0] == 422


def test_a_statement_longer_than_a_chunk_is_complete(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.selectors.statements._CHUNK", 2)
    account = make_account()
    for number in range(1, 6):
        fund(account, str(number))

    _, statement = read_statement(client, account)

    [part] = statement["accounts"]
    assert [line["amount"] for line in part["lines"]] == ["1", "2", "3", "4", "5"]
    assert part["closing_balance"] == "15"


def test_an_account_without_bookings_has_an_empty_statement(client: Client) -> None:
    _, statement = read_statement(client, make_account())

    assert statement["accounts"] == []


def test_a_statement_as_csv_is_safe_to_open(client: Client, account: TradingAccount) -> None:
    answer = client.get(
        f"/api/v1/accounts/{account.id}/statement?format=csv", headers=headers_of(account)
    )

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert f"statement-{account.id}.csv" in answer["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [(r["asset"], r["version"], r["amount"], r["balance_after"]) for r in rows] == [
        ("ACME", "1", "3", "3"),
        ("USD", "1", "100.5", "100.5"),
        ("USD", "2", "-0.25", "100.25"),
    ]
    assert rows[2]["memo"] == '\'=cmd "x", é'


def test_pages_read_no_more_for_a_long_history(
    client: Client, account: TradingAccount, django_assert_num_queries: Any
) -> None:
    headers = headers_of(account)
    path = f"/api/v1/accounts/{account.id}/entries?page_size=1"
    client.get(path, headers=headers)

    with django_assert_num_queries(2):
        client.get(path, headers=headers)
    deposit(
        account_id=account.id,
        asset="USD",
        amount=Decimal(1),
        source_id=new_uuid(),
        actor="test",
        memo="later",
    )
    assert client.get(path, headers=headers).json()["results"][0]["memo"] == "later"
