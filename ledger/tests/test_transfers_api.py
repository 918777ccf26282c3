"""Transfers over HTTP: exact answers, refusals, keys, batches, lists."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from brokers.models import Broker, TradingAccount
from common.api.renderers import format_instant
from common.ids import new_uuid
from ledger.api import limits
from ledger.models import IdempotencyKey, LedgerAccount, Transfer
from ledger.services.wallets import suspend_wallet
from ledger.tests.test_wallets import headers_of, headers_of_account
from ledger.tests.wallets import balances, counts, make_wallet, pend, picture, send

pytestmark = pytest.mark.django_db

PATH = "/api/v1/transfers"


@pytest.fixture
def payer() -> LedgerAccount:
    return make_wallet("10")


@pytest.fixture
def payee() -> LedgerAccount:
    return make_wallet()


def post(client: Client, wallet: LedgerAccount, body: Any, path: str = PATH, **options: Any) -> Any:
    """The answer to the owner of `wallet`; `key` is an Idempotency-Key."""
    key = options.pop("key", None)
    headers = headers_of(wallet, **options) | ({"Idempotency-Key": key} if key else {})
    return client.post(path, body, content_type="application/json", headers=headers)


def body_of(payer: LedgerAccount, payee: LedgerAccount, **fields: Any) -> dict[str, Any]:
    return {"from_wallet_id": payer.id, "to_wallet_id": payee.id, "amount": "2.5"} | fields


def test_a_transfer_is_made_and_both_sides_see_it(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    answer = post(client, payer, body_of(payer, payee, memo="rent"))

    assert answer.status_code == 201
    document = answer.json()
    assert document == {
        "id": str(Transfer.objects.get().id),
        "from_wallet_id": payer.id,
        "to_wallet_id": payee.id,
        "currency": "USD",
        "amount": "2.5",
        "posted_amount": "2.5",
        "status": "COMPLETED",
        "reason": None,
        "is_two_step": False,
        "expires_at": None,
        "linked_id": None,
        "memo": "rent",
        "created_at": document["created_at"],
        "finished_at": document["finished_at"],
    }
    for side in (payer, payee):
        seen = client.get(f"{PATH}/{document['id']}", headers=headers_of(side))
        assert (seen.status_code, seen.json()) == (200, document)
    stranger = client.get(f"{PATH}/{document['id']}", headers=headers_of(make_wallet()))
    assert (stranger.status_code, stranger.json()["code"]) == (403, "not_own_transfer")
    missing = client.get(f"{PATH}/{new_uuid()}", headers=headers_of(payer))
    assert (missing.status_code, missing.json()["code"]) == (404, "transfer_not_found")


def test_a_refused_transfer_answers_with_its_id_code_and_figures(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    before = picture()

    answer = post(client, payer, body_of(payer, payee, amount="10.5"))

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "insufficient_funds")
    assert answer["Content-Type"] == "application/problem+json"
    assert (problem["required"], problem["available"]) == ("10.5", "10")
    assert problem["transfer_id"] == str(Transfer.objects.get().id)
    assert picture() == before
    stored = client.get(f"{PATH}/{problem['transfer_id']}", headers=headers_of(payer)).json()
    assert (stored["status"], stored["reason"]) == ("FAILED", "insufficient_funds")


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"amount": "0"}, "amount", "zero"),
        ({"amount": 0}, "amount", "zero"),
        ({"amount": "-1"}, "amount", "negative"),
        ({"amount": "0.00001"}, "amount", "too_many_decimals"),
        ({"amount": "0.000000001"}, "amount", "too_many_decimals"),
        ({"amount": "1e-9"}, "amount", "too_many_decimals"),
        ({"amount": None}, "amount", "required"),
        ({"from_wallet_id": "1"}, "from_wallet_id", "not_an_integer"),
        ({"to_wallet_id": None}, "to_wallet_id", "one_of_two"),
        ({"to_email": "a@example.test"}, "to_wallet_id", "one_of_two"),
        ({"timeout_seconds": 5}, "timeout_seconds", "not_pending"),
        ({"pending": True, "timeout_seconds": 0}, "timeout_seconds", "out_of_range"),
        ({"pending": True, "timeout_seconds": 2_592_001}, "timeout_seconds", "out_of_range"),
        ({"expected_version": -1}, "expected_version", "out_of_range"),
        ({"memo": "x" * 201}, "memo", "too_long"),
        ({"memo": "rent\nof May"}, "memo", "invalid_characters"),
        ({"memo": "to \u202eecila"}, "memo", "invalid_characters"),
        ({"memo": "\u2067rent\u2069"}, "memo", "invalid_characters"),
        ({"note": "x"}, "note", "unknown_field"),
    ],
)
def test_what_is_malformed_is_named_and_not_stored(
    client: Client,
    payer: LedgerAccount,
    payee: LedgerAccount,
    fields: dict[str, Any],
    field: str,
    code: str,
) -> None:
    before = picture(), counts()

    answer = post(client, payer, body_of(payer, payee, **fields), key="k")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert [(one["field"], one["code"]) for one in answer.json()["errors"]] == [(field, code)]
    assert (picture(), counts()) == before
    assert not IdempotencyKey.objects.exists()


def test_other_refusals_have_their_own_codes(client: Client, payer: LedgerAccount) -> None:
    payee, euros = make_wallet(), make_wallet(currency="EUR")
    cases = [
        (body_of(payer, payer), 422, "same_wallet"),
        (body_of(payer, euros), 422, "currency_mismatch"),
        (body_of(payee, payer), 403, "not_own_wallet"),
        (body_of(payer, payee, to_wallet_id=2**62), 404, "wallet_not_found"),
        (body_of(payer, payee, from_wallet_id=2**62), 404, "wallet_not_found"),
        (body_of(payer, payee, expected_version=7), 409, "stale_version"),
        (
            {"from_wallet_id": payer.id, "to_email": "no@example.test", "amount": "1"},
            404,
            "recipient_not_found",
        ),
    ]
    before = picture(), counts()

    for body, status, code in cases:
        answer = post(client, payer, body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert post(client, payer, body_of(payer, payee), scopes=["read"]).status_code == 403
    stale = post(client, payer, body_of(payer, payee, expected_version=7)).json()
    assert (stale["wallet_id"], stale["version"]) == (payer.id, 1)
    assert (picture(), counts()) == before


def test_the_same_transfer_with_the_same_key_is_made_once(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    body = body_of(payer, payee)

    first, again = (post(client, payer, body, key="one") for _ in range(2))
    other = post(client, payer, body_of(payer, payee, amount="3"), key="one")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert ("Idempotency-Replayed" in first, again["Idempotency-Replayed"]) == (False, "true")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert [str(posted) for posted, _ in balances(payer, payee)] == ["7.50000000", "2.50000000"]
    assert Transfer.objects.count() == 1


def test_a_refusal_that_is_stored_is_replayed_as_well(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    body = body_of(payer, payee, amount="11")

    first, again = (post(client, payer, body, key="one") for _ in range(2))

    assert (first.status_code, again.status_code) == (422, 422)
    assert first.content == again.content
    assert again["Content-Type"] == "application/problem+json"
    assert Transfer.objects.count() == 1


def test_two_steps_over_http(client: Client, payer: LedgerAccount, payee: LedgerAccount) -> None:
    made = post(client, payer, body_of(payer, payee, amount="4", pending=True)).json()
    path = f"{PATH}/{made['id']}"

    assert (made["status"], made["is_two_step"], made["posted_amount"]) == ("PENDING", True, None)
    assert balances(payer) == [(10, 4)]
    too_much = post(client, payer, {"amount": "4.5"}, f"{path}/post")
    assert (too_much.status_code, too_much.json()["code"]) == (422, "amount_above_pending")
    posted, again = (
        post(client, payer, {"amount": "1.5"}, f"{path}/post", key="post") for _ in range(2)
    )
    assert (posted.status_code, posted.json()["posted_amount"]) == (200, "1.5")
    assert posted.content == again.content
    over = post(client, payer, {}, f"{path}/void")
    assert (over.status_code, over.json()["code"]) == (409, "transfer_finished")
    assert over.json()["transfer_status"] == "COMPLETED"
    assert balances(payer, payee)[0][1] == 0


@pytest.mark.parametrize("body", ["0", "[]", '""', "false", "null"])
def test_a_body_that_is_no_object_posts_nothing(
    client: Client, payer: LedgerAccount, payee: LedgerAccount, body: str
) -> None:
    transfer = pend(payer, payee, "4")

    for step in ("post", "void"):
        answer = post(client, payer, body, f"{PATH}/{transfer.id}/{step}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert balances(payer, payee) == [(10, 4), (0, 0)]


def test_a_pending_transfer_is_posted_in_full_without_a_body(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    transfer = pend(payer, payee, "4")

    answer = client.generic(
        "POST", f"{PATH}/{transfer.id}/post", b"", content_type="", headers=headers_of(payer)
    )

    assert (answer.status_code, answer.json()["posted_amount"]) == (200, "4")
    assert balances(payer, payee) == [(6, 0), (4, 0)]


def test_the_one_who_would_be_paid_declines_and_does_not_post(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    transfer = pend(payer, payee, "4")

    taken = post(client, payee, {}, f"{PATH}/{transfer.id}/post")
    Broker.objects.update(status="SUSPENDED")  # who may only read and cancel
    declined = post(client, payee, {}, f"{PATH}/{transfer.id}/void")

    assert (taken.status_code, taken.json()["code"]) == (403, "not_own_transfer")
    assert (declined.json()["status"], declined.json()["reason"]) == ("FAILED", "voided")


def test_a_pending_transfer_waits_a_day_by_itself(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    post(client, payer, body_of(payer, payee, pending=True))

    expires_at = Transfer.objects.get().expires_at
    assert expires_at is not None
    assert abs(expires_at - timezone.now() - timedelta(days=1)) < timedelta(seconds=10)


def test_a_batch_has_a_result_for_each(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    items = [body_of(payer, payee, amount=amount) for amount in ("6", "6", "0")]

    answer = post(client, payer, {"transfers": items}, f"{PATH}/batch")

    assert answer.status_code == 200
    document = answer.json()
    first, second, third = document["results"]
    assert document["linked_id"] is None
    assert (first["status"], first["transfer"]["status"], first["problem"]) == (
        201,
        "COMPLETED",
        None,
    )
    assert (second["status"], second["problem"]["code"]) == (422, "insufficient_funds")
    assert second["transfer"]["status"] == "FAILED"
    assert (third["status"], third["transfer"]) == (422, None)
    assert third["problem"]["errors"][0]["code"] == "zero"
    assert balances(payer, payee) == [(4, 0), (6, 0)]


def test_a_batch_with_a_key_is_done_once(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    body = {"transfers": [body_of(payer, payee)] * 2}

    first, again = (post(client, payer, body, f"{PATH}/batch", key="b") for _ in range(2))

    assert first.content == again.content
    assert Transfer.objects.count() == 2


def test_a_linked_batch_goes_through_or_is_refused_as_a_whole(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    def send_both(amount: str, key: str | None = None) -> Any:
        items = [body_of(payer, payee, amount=amount) for _ in range(2)]
        body = {"linked": True, "transfers": items}
        return post(client, payer, body, f"{PATH}/batch", key=key)

    refused, again = (send_both("6", key="linked") for _ in range(2))
    assert (refused.status_code, refused.json()["code"]) == (422, "insufficient_funds")
    assert refused.content == again.content
    problem = refused.json()
    stored = {str(row.id): row for row in Transfer.objects.all()}
    assert problem["index"] == 1
    assert [stored[id].reason for id in problem["transfer_ids"]] == [
        "linked_failed",
        "insufficient_funds",
    ]
    assert {str(row.linked_id) for row in stored.values()} == {problem["linked_id"]}
    assert balances(payer) == [(10, 0)]
    through = send_both("5")
    assert through.status_code == 200 and through.json()["linked_id"]
    assert [one["status"] for one in through.json()["results"]] == [201, 201]
    assert balances(payer, payee) == [(0, 0), (10, 0)]


def test_a_linked_batch_with_a_malformed_member_stores_nothing(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    before = picture(), counts()
    items = [body_of(payer, payee), body_of(payer, payer)]

    answer = post(client, payer, {"linked": True, "transfers": items}, f"{PATH}/batch")

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["index"]) == (422, "same_wallet", 1)
    assert (picture(), counts()) == before


@pytest.mark.parametrize("count", [0, 1_001])
def test_a_batch_has_one_to_a_thousand(
    client: Client, payer: LedgerAccount, payee: LedgerAccount, count: int
) -> None:
    body = {"transfers": [body_of(payer, payee)] * count}

    answer = post(client, payer, body, f"{PATH}/batch")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "transfers")
    assert not Transfer.objects.exists()


def test_wrong_fields_of_a_batch_are_named_by_their_place(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    body = {"transfers": [body_of(payer, payee), body_of(payer, payee, amount="x", y=1)]}

    answer = post(client, payer, body, f"{PATH}/batch")

    assert [one["field"] for one in answer.json()["errors"]] == [
        "transfers.1.amount",
        "transfers.1.y",
    ]
    assert not Transfer.objects.exists()


def test_lists_are_filtered_and_paged(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    ids = [str(t.id) for t in (send(payer, payee, str(n)).transfer for n in (1, 2, 3)) if t]
    back = send(payee, payer, "1").transfer
    assert back is not None
    suspend_wallet(wallet_id=payer.id)
    failed = send(payer, payee, "1").transfer
    assert failed is not None
    send(make_wallet("1"), make_wallet(), "1")
    everything = sorted([*ids, str(back.id), str(failed.id)], reverse=True)

    def listed(query: str = "", wallet: LedgerAccount = payer, **options: Any) -> list[str]:
        headers = headers_of(wallet, **options)
        return [
            one["id"] for one in client.get(f"{PATH}{query}", headers=headers).json()["results"]
        ]

    of_account: dict[str, Any] = {}
    for options in (of_account, {"account_id": None}):
        assert listed(**options) == everything
        assert listed(f"?wallet_id={payer.id}", **options) == everything
        assert listed("?direction=in", **options) == [str(back.id)]
        assert listed("?direction=out&status=completed", **options) == sorted(ids, reverse=True)
        assert listed("?status=failed", **options) == [str(failed.id)]
    assert listed("?direction=in", payee) == sorted([*ids, str(failed.id)], reverse=True)
    now = quote(format_instant(timezone.now() + timedelta(seconds=1)))
    past = quote(format_instant(timezone.now() - timedelta(minutes=1)))
    assert listed(f"?since={now}") == listed(f"?until={past}") == []
    assert listed(f"?since={past}&until={now}") == everything
    other = client.get(f"{PATH}?wallet_id={payee.id}", headers=headers_of(payer))
    assert (other.status_code, other.json()["code"]) == (403, "other_account")


@pytest.mark.parametrize("is_bound", [True, False])
def test_pages_of_transfers_go_both_ways(
    client: Client, payer: LedgerAccount, payee: LedgerAccount, is_bound: bool
) -> None:
    for _ in range(5):
        send(payer, payee, "1")
    ids = sorted((str(id) for id in Transfer.objects.values_list("id", flat=True)), reverse=True)
    headers = headers_of(payer, **({} if is_bound else {"account_id": None}))

    def page(address: str) -> tuple[list[str], str, str]:
        document = client.get(address, headers=headers).json()
        return [one["id"] for one in document["results"]], document["next"], document["previous"]

    first, older, _ = page(f"{PATH}?page_size=2")
    second, oldest, newer = page(older)
    third, end, _ = page(oldest)
    assert (first, second, third, end) == (ids[:2], ids[2:4], ids[4:], None)
    assert page(newer)[0] == first


def test_a_key_of_a_broker_pays_from_its_accounts(
    client: Client, payer: LedgerAccount, payee: LedgerAccount
) -> None:
    answer = post(client, payer, body_of(payer, payee), account_id=None)

    assert answer.status_code == 201
    account = TradingAccount.objects.get(ledger_accounts=payer.id)
    headers = headers_of_account(account, account_id=None)
    assert len(client.get(PATH, headers=headers).json()["results"]) == 1


def test_addresses_that_are_not_found_are_limited(
    client: Client, valkey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FAILED_LOOKUPS_PER_HOUR", 2)
    payer, payee = make_wallet("10"), make_wallet()
    body = {"from_wallet_id": payer.id, "to_email": "no@example.test", "amount": "1"}
    statuses = [post(client, payer, body).status_code for _ in range(3)]
    assert statuses == [404, 404, 429]
    # By the number of a wallet money still goes.
    to_wallet = {"from_wallet_id": payer.id, "to_wallet_id": payee.id, "amount": "1"}
    assert post(client, payer, to_wallet).status_code == 201
