"""Wallets: opened in any currency, suspended, closed when empty, seen by their owners alone."""

import csv
import io
import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.services import create_account, suspend_account
from brokers.tests.factories import CreatedKeyFactory
from common.api.renderers import format_instant
from common.errors import ExchangeError
from ledger.errors import WalletNotActive, WalletNotEmpty, WalletNotFound
from ledger.models import JournalEntry, LedgerAccount
from ledger.selectors.wallets import get_balance_at
from ledger.services.wallets import activate_wallet, close_wallet, open_wallet, suspend_wallet
from ledger.tests.factories import fund, make_account
from ledger.tests.wallets import make_wallet, pend, picture, send
from marketdata.models import Asset
from marketdata.tests.factories import make_asset

pytestmark = pytest.mark.django_db


def headers_of(wallet: LedgerAccount, **options: Any) -> dict[str, str]:
    account = wallet.trading_account
    assert account is not None
    return headers_of_account(account, **options)


def headers_of_account(account: TradingAccount, **options: Any) -> dict[str, str]:
    options = {"scopes": ["read", "transfer"], "account_id": account.id} | options
    created = CreatedKeyFactory.create(broker=account.broker, **options)
    return {"Authorization": f"Bearer {created.secret}"}


# --- services -------------------------------------------------------------------------------------


def test_a_wallet_of_a_currency_that_nobody_had_makes_its_asset() -> None:
    wallet = open_wallet(account_id=make_account().id, currency="JPY")

    asset = Asset.objects.get(code="JPY")
    assert (asset.kind, asset.scale, asset.name) == ("FIAT", 0, "Yen")
    assert (wallet.currency, wallet.status, wallet.posted_balance) == ("JPY", "ACTIVE", 0)
    assert timezone.now() - wallet.opened_at < timedelta(seconds=10)


@pytest.mark.parametrize(("currency", "scale"), [("KWD", 3), ("EUR", 4), ("KRW", 0), ("UYW", None)])
def test_a_currency_has_the_decimals_of_iso_4217_and_one_of_cents_four(
    currency: str, scale: int | None
) -> None:
    account = make_account()
    if scale is None:
        with pytest.raises(ExchangeError):
            open_wallet(account_id=account.id, currency=currency)
        return
    open_wallet(account_id=account.id, currency=currency)
    assert Asset.objects.get(code=currency).scale == scale


def test_a_listed_crypto_currency_has_wallets_of_its_scale() -> None:
    make_asset("BTC")

    assert open_wallet(account_id=make_account().id, currency="BTC").currency == "BTC"


@pytest.mark.parametrize("currency", ["XTS", "XXX", "XAU", "CHE", "XDR", "DOGE", "ZZZ", "usd"])
def test_what_is_no_money_has_no_wallets(currency: str) -> None:
    account = make_account()

    with pytest.raises(ExchangeError) as caught:
        open_wallet(account_id=account.id, currency=currency)

    assert (caught.value.code, caught.value.status) == ("unknown_currency", 422)
    assert not LedgerAccount.objects.exists()
    assert not Asset.objects.filter(code=currency).exists()


def test_a_share_is_no_currency() -> None:
    make_asset("ACME")

    with pytest.raises(ExchangeError, match="no currency"):
        open_wallet(account_id=make_account().id, currency="ACME")


def test_an_account_has_one_wallet_in_a_currency() -> None:
    wallet = make_wallet()
    assert wallet.trading_account is not None

    with pytest.raises(ExchangeError) as caught:
        open_wallet(account_id=wallet.trading_account.id, currency="USD")

    assert (caught.value.code, caught.value.facts["wallet_id"]) == ("wallet_exists", wallet.id)


def test_a_suspended_account_opens_none() -> None:
    account = make_account()
    suspend_account(account=account)

    with pytest.raises(ExchangeError) as caught:
        open_wallet(account_id=account.id, currency="USD")

    assert caught.value.code == "account_not_active"
    assert not LedgerAccount.objects.exists()


def test_a_wallet_is_suspended_activated_closed_and_opened_again() -> None:
    wallet = make_wallet()
    assert wallet.trading_account is not None

    assert suspend_wallet(wallet_id=wallet.id).status == "SUSPENDED"
    for act in (suspend_wallet, close_wallet):
        with pytest.raises(WalletNotActive):
            act(wallet_id=wallet.id)
    assert activate_wallet(wallet_id=wallet.id).status == "ACTIVE"
    assert close_wallet(wallet_id=wallet.id).status == "CLOSED"
    again = open_wallet(account_id=wallet.trading_account.id, currency="USD")
    assert (again.id, again.status) == (wallet.id, "ACTIVE")


def test_a_wallet_with_money_or_a_hold_is_not_closed() -> None:
    wallet = make_wallet("5")

    with pytest.raises(WalletNotEmpty):
        close_wallet(wallet_id=wallet.id)

    assert LedgerAccount.objects.get(id=wallet.id).status == "ACTIVE"


def test_only_wallets_are_wallets() -> None:
    make_wallet("5")
    transit = LedgerAccount.objects.get(kind="TRANSIT")

    for act in (suspend_wallet, activate_wallet, close_wallet):
        with pytest.raises(WalletNotFound):
            act(wallet_id=transit.id)


def test_the_balance_of_any_instant_is_found_in_a_long_history() -> None:
    wallet, payee = make_wallet("100"), make_wallet()
    for _ in range(20):
        send(wallet, payee, "1")
    entries = JournalEntry.objects.filter(postings__ledger_account=wallet).order_by("posted_at")
    instants = [entry.posted_at for entry in entries]
    assert instants == sorted(set(instants)) and len(instants) == 21

    for version, instant in enumerate(instants, start=1):
        found = get_balance_at(wallet.id, instant + timedelta(microseconds=1))
        assert (found.version, found.posted_balance) == (version, 101 - version)
    before = get_balance_at(wallet.id, instants[0])
    assert (before.version, before.posted_balance) == (0, 0)


def test_the_balance_of_an_instant_costs_the_same_however_long_the_history() -> None:
    assert get_balance_at(make_wallet().id, timezone.now()).version == 0


# --- the API --------------------------------------------------------------------------------------


def test_a_wallet_is_opened_shown_and_closed(client: Client) -> None:
    account = make_account()
    headers = headers_of_account(account)

    opened = client.post(
        "/api/v1/wallets", {"currency": "eur"}, content_type="application/json", headers=headers
    )

    assert opened.status_code == 201
    document = opened.json()
    wallet_id = document["id"]
    assert document == {
        "id": wallet_id,
        "account_id": account.id,
        "currency": "EUR",
        "status": "ACTIVE",
        "posted_balance": "0",
        "held_amount": "0",
        "available_balance": "0",
        "overdraft_limit": "0",
        "version": 0,
        "opened_at": document["opened_at"],
    }
    assert client.get(f"/api/v1/wallets/{wallet_id}", headers=headers).json() == document
    closed = client.post(f"/api/v1/wallets/{wallet_id}/close", headers=headers)
    assert (closed.status_code, closed.json()["status"]) == (200, "CLOSED")
    again = client.post(f"/api/v1/wallets/{wallet_id}/close", headers=headers)
    assert (again.status_code, again.json()["code"]) == (422, "wallet_not_active")


def test_a_wallet_that_is_opened_twice_with_a_key_is_opened_once(client: Client) -> None:
    headers = headers_of_account(make_account()) | {"Idempotency-Key": "1"}

    answers = [
        client.post(
            "/api/v1/wallets", {"currency": "EUR"}, content_type="application/json", headers=headers
        )
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert LedgerAccount.objects.count() == 1


def test_a_holding_wallet_is_not_closed_over_http(client: Client) -> None:
    wallet = make_wallet("5")
    pend(wallet, make_wallet(), "5")
    before = picture()

    refused = client.post(f"/api/v1/wallets/{wallet.id}/close", headers=headers_of(wallet))

    assert (refused.status_code, refused.json()["code"]) == (409, "wallet_not_empty")
    assert (refused.json()["posted_balance"], refused.json()["held_amount"]) == ("5", "5")
    assert picture() == before


@pytest.mark.parametrize("what", ["", "/balance", "/statement"])
def test_only_the_owner_looks_at_a_wallet(client: Client, what: str) -> None:
    wallet = make_wallet("5")
    account = wallet.trading_account
    assert account is not None
    sibling = create_account(broker_id=account.broker_id, document_number="2")

    def answer(headers: dict[str, str], wallet_id: int = wallet.id) -> tuple[int, str]:
        got = client.get(f"/api/v1/wallets/{wallet_id}{what}", headers=headers)
        return got.status_code, "" if got.status_code == 200 else got.json()["code"]

    assert answer(headers_of(wallet)) == (200, "")
    assert answer(headers_of(wallet, account_id=None)) == (200, "")
    assert answer(headers_of_account(sibling)) == (403, "other_account")
    assert answer(headers_of_account(make_account())) == (403, "other_account")
    assert answer(headers_of(wallet, scopes=["trade"])) == (403, "missing_scope")
    assert answer({}) == (401, "not_authenticated")
    assert answer(headers_of(wallet), 2**70) == (404, "wallet_not_found")


def test_a_key_that_only_reads_opens_and_closes_nothing(client: Client) -> None:
    wallet = make_wallet()
    headers = headers_of(wallet, scopes=["read"])

    for path in ("wallets", f"wallets/{wallet.id}/close"):
        answer = client.post(f"/api/v1/{path}", {}, "application/json", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert LedgerAccount.objects.get(id=wallet.id).status == "ACTIVE"


def test_nobody_opens_a_wallet_on_anothers_account(client: Client) -> None:
    account, stranger = make_account(), make_account()
    body = {"currency": "EUR", "account_id": account.id}

    for options in ({"account_id": None}, {}):
        headers = headers_of_account(stranger, **options)
        answer = client.post("/api/v1/wallets", body, "application/json", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "other_account")
    headers = headers_of_account(account, account_id=None)
    unnamed = client.post("/api/v1/wallets", {"currency": "EUR"}, "application/json",
                          headers=headers)  # fmt: skip
    assert unnamed.json()["errors"][0]["field"] == "account_id"
    assert not LedgerAccount.objects.exists()


def test_a_list_is_of_the_own_wallets_and_can_be_narrowed(client: Client) -> None:
    usd, _ = make_wallet(), make_wallet()
    account = usd.trading_account
    assert account is not None
    eur = make_wallet(currency="EUR", account=account)
    sibling = create_account(broker_id=account.broker_id, document_number="2")
    other = make_wallet(account=sibling)

    def ids(query: str = "", **options: Any) -> list[int]:
        answer = client.get(f"/api/v1/wallets{query}", headers=headers_of(usd, **options))
        return [wallet["id"] for wallet in answer.json()["results"]]

    assert ids() == [eur.id, usd.id]
    assert ids(account_id=None) == [other.id, eur.id, usd.id]
    assert ids(f"?account_id={sibling.id}", account_id=None) == [other.id]
    assert ids("?currency=eur") == [eur.id]
    suspend_wallet(wallet_id=eur.id)
    assert ids("?status=suspended") == [eur.id]
    refused = client.get(f"/api/v1/wallets?account_id={sibling.id}", headers=headers_of(usd))
    assert (refused.status_code, refused.json()["code"]) == (403, "other_account")


def test_the_balance_of_an_instant_over_http(client: Client) -> None:
    wallet = make_wallet("5")
    between = timezone.now()
    assert wallet.trading_account is not None
    fund(wallet.trading_account, "2")
    headers, path = headers_of(wallet), f"/api/v1/wallets/{wallet.id}/balance"

    past = client.get(f"{path}?at={quote(format_instant(between))}", headers=headers).json()
    now = client.get(path, headers=headers).json()

    assert past == {
        "wallet_id": wallet.id,
        "currency": "USD",
        "at": format_instant(between),
        "posted_balance": "5",
        "version": 1,
    }
    assert (now["posted_balance"], now["version"]) == ("7", 2)
    later = quote(format_instant(timezone.now() + timedelta(hours=1)))
    refused = client.get(f"{path}?at={later}", headers=headers)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "in_the_future")


def test_a_statement_has_the_balance_after_each_line_of_this_wallet_alone(client: Client) -> None:
    wallet, payee = make_wallet("5"), make_wallet()
    assert wallet.trading_account is not None
    fund(wallet.trading_account, "3", "EUR")
    send(wallet, payee, "1.25", memo="=1+1")
    headers, path = headers_of(wallet), f"/api/v1/wallets/{wallet.id}/statement"

    statement = json.loads(client.get(path, headers=headers).getvalue())
    table = client.get(f"{path}?format=csv", headers=headers)

    assert (statement["wallet_id"], statement["account_id"]) == (
        wallet.id,
        wallet.trading_account.id,
    )
    [part] = statement["accounts"]
    assert (part["opening_balance"], part["closing_balance"]) == ("0", "3.75")
    assert [(line["amount"], line["balance_after"]) for line in part["lines"]] == [
        ("5", "5"),
        ("-1.25", "3.75"),
    ]
    assert table["Content-Type"] == "text/csv; charset=utf-8"
    assert f"statement-{wallet.id}.csv" in table["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(table.getvalue().decode())))
    assert [(row["amount"], row["balance_after"], row["memo"]) for row in rows] == [
        ("5", "5", ""),
        ("-1.25", "3.75", "'=1+1"),
    ]
