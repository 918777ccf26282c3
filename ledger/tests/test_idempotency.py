"""A request with an Idempotency-Key is answered once and done once, whatever is sent again."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from threading import Event
from typing import Any, cast

import pytest
from django.db import connection, transaction
from django.http import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from brokers.api.callers import caller_of
from brokers.models import TradingAccount
from brokers.types import Principal
from common.api.fields import FieldReader
from common.api.idempotency import idempotent
from common.errors import StoredRefusal
from common.ids import new_uuid
from ledger.models import IdempotencyKey, JournalEntry
from ledger.services import deposit
from ledger.services.idempotency import purge_idempotency_keys
from ledger.tests.factories import balance_of, make_account
from marketdata.tests.factories import make_asset

KEY = "a key"


class DepositView(APIView):
    """Pays in what it is told; refuses, breaks or waits afterwards where it is told so."""

    required_scope = "transfer"

    @idempotent
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        amount, then = reader.decimal("amount"), reader.optional_text("then", max_length=10)
        reader.finish()
        entry = deposit(
            account_id=caller_of(request).account_id or 0,
            asset="USD",
            amount=amount,
            source_id=new_uuid(),
            actor="test",
        )
        if then == "refuse":
            raise StoredRefusal(entry_id=entry.id)
        if then == "wait":
            STARTED.set()
            assert GO_ON.wait(10)
        status = 503 if then == "break" else 201
        return Response({"entry_id": entry.id, "amount": amount}, status=status)


STARTED, GO_ON = Event(), Event()


def caller(account: TradingAccount, *, is_bound: bool = True) -> Principal:
    return Principal(
        key_id=new_uuid(),
        broker_id=account.broker_id,
        broker_name="Broker",
        account_id=account.id if is_bound else None,
        scopes=frozenset({"transfer"}),
    )


def send(principal: Principal, body: Any, key: str | None = KEY) -> HttpResponseBase:
    headers = {} if key is None else {"Idempotency-Key": key}
    request = APIRequestFactory().post("/here", body, format="json", headers=headers)
    force_authenticate(request, token=cast(Any, principal))
    response = DepositView.as_view()(request)
    return response.render() if isinstance(response, Response) else response


def code_of(response: HttpResponseBase) -> str:
    return str(json.loads(response.content)["code"])  # type: ignore[attr-defined]


@pytest.fixture
def account(db: None) -> TradingAccount:
    make_asset("USD")
    return make_account()


def test_the_same_request_again_gets_the_first_answer_byte_for_byte(
    account: TradingAccount,
) -> None:
    principal = caller(account)

    first = send(principal, {"amount": "5"})
    again = send(principal, {"amount": "5"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content  # type: ignore[attr-defined]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert again["Content-Type"] == "application/json"
    assert balance_of(account) == 5


def test_without_a_key_every_request_counts(account: TradingAccount) -> None:
    for _ in range(2):
        assert send(caller(account), {"amount": "5"}, key=None).status_code == 201

    assert balance_of(account) == 10
    assert not IdempotencyKey.objects.exists()


def test_a_key_with_another_request_is_refused(account: TradingAccount) -> None:
    principal = caller(account)
    send(principal, {"amount": "5"})

    refused = send(principal, {"amount": "6"})

    assert (refused.status_code, code_of(refused)) == (422, "idempotency_key_reused")
    assert balance_of(account) == 5


def test_a_key_belongs_to_its_owner(account: TradingAccount) -> None:
    other = make_account()

    for one in (account, other):
        assert "Idempotency-Replayed" not in send(caller(one), {"amount": "5"})

    assert (balance_of(account), balance_of(other)) == (5, 5)
    assert set(IdempotencyKey.objects.values_list("owner", flat=True)) == {
        f"account:{account.id}",
        f"account:{other.id}",
    }


def test_what_wrote_nothing_may_be_sent_again(account: TradingAccount) -> None:
    principal = caller(account)

    assert send(principal, {"amount": "-1"}).status_code == 422
    assert send(principal, {"amount": "5", "then": "nonsense that is too long"}).status_code == 422
    assert not IdempotencyKey.objects.exists()
    assert send(principal, {"amount": "5"}).status_code == 201


def test_an_answer_of_500_and_more_is_not_kept(account: TradingAccount) -> None:
    principal = caller(account)

    assert send(principal, {"amount": "5", "then": "break"}).status_code == 503

    assert not IdempotencyKey.objects.exists()


def test_a_refusal_that_is_a_fact_is_kept_with_what_it_wrote(account: TradingAccount) -> None:
    principal = caller(account)
    body = {"amount": "5", "then": "refuse"}

    first, again = send(principal, body), send(principal, body)

    assert (first.status_code, again.status_code) == (422, 422)
    assert first.content == again.content  # type: ignore[attr-defined]
    assert again["Content-Type"] == "application/problem+json"
    assert again["Idempotency-Replayed"] == "true"
    assert balance_of(account) == 5


@pytest.mark.parametrize("key", ["", "   ", "x" * 256, "schlüssel"])
def test_a_key_is_short_printable_text(account: TradingAccount, key: str) -> None:
    refused = send(caller(account), {"amount": "5"}, key)

    assert (refused.status_code, code_of(refused)) == (400, "invalid_idempotency_key")
    assert balance_of(account) == 0


def test_a_key_in_quotes_is_the_key(account: TradingAccount) -> None:
    send(caller(account), {"amount": "5"}, 'a "key\\')
    again = send(caller(account), {"amount": "5"}, '"a \\"key\\\\"')

    assert again["Idempotency-Replayed"] == "true"


def test_keys_are_forgotten_after_a_week(account: TradingAccount) -> None:
    send(caller(account), {"amount": "5"}, "old")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(days=7, seconds=1))
    send(caller(account), {"amount": "5"}, "new")

    assert purge_idempotency_keys() == 1
    assert [row.key for row in IdempotencyKey.objects.all()] == ["new"]


@contextmanager
def own_connection() -> Iterator[None]:
    try:
        yield
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_request_whose_first_still_runs_is_told_so() -> None:
    make_asset("USD")
    account = make_account()
    principal = caller(account)
    body = {"amount": "5", "then": "wait"}
    STARTED.clear()
    GO_ON.clear()

    def first() -> int:
        with own_connection():
            return send(principal, body).status_code

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(first)
        assert STARTED.wait(10)
        refused = send(principal, body)
        GO_ON.set()
        assert running.result() == 201

    assert (refused.status_code, code_of(refused)) == (409, "request_in_progress")
    assert refused["Retry-After"] == "1"
    assert send(principal, body)["Idempotency-Replayed"] == "true"
    assert balance_of(account) == 5


@pytest.mark.django_db(transaction=True)
def test_one_key_from_twenty_threads_is_done_once() -> None:
    make_asset("USD")
    account = make_account()
    principal = caller(account)

    def once(_: int) -> int:
        with own_connection():
            return send(principal, {"amount": "5"}).status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = set(pool.map(once, range(20)))

    assert statuses <= {201, 409} and 201 in statuses
    assert balance_of(account) == Decimal(5)
    assert JournalEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_broken_transaction_leaves_no_key() -> None:
    make_asset("USD")
    account = make_account()
    with pytest.raises(RuntimeError), transaction.atomic():
        send(caller(account), {"amount": "5"})
        raise RuntimeError
    assert not IdempotencyKey.objects.exists()
    assert balance_of(account) == 0
