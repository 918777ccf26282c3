"""Liquidations and margin calls over HTTP: whose, which, in pages and as CSV."""

import csv
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.services import create_api_key
from common.ids import new_uuid
from margin.models import Liquidation, MarginCall
from margin.tests.factories import (
    make_asset,
    make_liquidation,
    make_margin_account,
    make_perpetual,
)
from orders.tests.fixtures import Api

pytestmark = pytest.mark.django_db

_VENUE = "tests-admin-key"


def key_of(account: TradingAccount, *, is_bound: bool = False, scope: str = "read") -> Api:
    bound_id = account.id if is_bound else None
    key = create_api_key(broker_id=account.broker_id, scopes=[scope], name="k", account_id=bound_id)
    return Api(key.secret, "/api/v1/")


@pytest.fixture
def accounts() -> list[TradingAccount]:
    """Two of a broker and one of another one."""
    return [
        make_margin_account(document=document, broker=broker)
        for document, broker in (("1", "North"), ("2", "North"), ("3", "=South"))
    ]


@pytest.fixture
def liquidations(accounts: list[TradingAccount]) -> list[Liquidation]:
    bitcoin, now = make_perpetual(), timezone.now()
    return [
        make_liquidation(
            account,
            instrument=bitcoin,
            outcome=outcome,
            executed_at=now - timedelta(hours=3 - number),
        )
        for number, (account, outcome) in enumerate(
            zip(accounts, ("RESTORED", "CLOSED", "CLOSED"), strict=True)
        )
    ]


def ids(answer: Any) -> list[Any]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_who_sees_which_liquidations(
    accounts: list[TradingAccount], liquidations: list[Liquidation]
) -> None:
    first, second, third = (str(one.id) for one in liquidations)

    assert ids(Api(_VENUE, "/api/v1/").get("liquidations")) == [third, second, first]
    assert ids(key_of(accounts[0]).get("liquidations")) == [second, first]
    assert ids(key_of(accounts[0], is_bound=True).get("liquidations")) == [first]
    refusal = key_of(accounts[0], scope="trade").get("liquidations")
    assert (refusal.status_code, refusal.json()["code"]) == (403, "missing_scope")
    assert Api(None, "/api/v1/").get("liquidations").status_code == 401


@pytest.mark.parametrize(
    "what", ["liquidations", "margin-calls", "funding-payments", "margin-report"]
)
def test_a_list_narrowed_to_what_is_anothers_is_refused(
    accounts: list[TradingAccount], liquidations: list[Liquidation], what: str
) -> None:
    own, sibling, stranger = (account.id for account in accounts)

    def answer(api: Api, account_id: int, **query: Any) -> tuple[int, str]:
        answered = api.get(what, account_id=account_id, **query)
        code = "" if answered.status_code == 200 else answered.json()["code"]
        return answered.status_code, code

    wide, bound = key_of(accounts[0]), key_of(accounts[0], is_bound=True)
    for query in ({}, {"format": "csv"}):
        for api, other in ((wide, stranger), (bound, stranger), (bound, sibling)):
            assert answer(api, other, **query) == (403, "other_account")
        for api in (wide, bound, Api(_VENUE, "/api/v1/")):
            assert answer(api, 10**9, **query) == (404, "account_not_found")
        for api, seen in ((wide, sibling), (bound, own), (Api(_VENUE, "/api/v1/"), stranger)):
            assert answer(api, seen, **query) == (200, "")


def test_filters_of_liquidations(
    accounts: list[TradingAccount], liquidations: list[Liquidation]
) -> None:
    venue = Api(_VENUE, "/api/v1/")
    first, second, third = (str(one.id) for one in liquidations)

    assert ids(venue.get("liquidations", account_id=accounts[1].id)) == [second]
    assert ids(venue.get("liquidations", outcome="closed")) == [third, second]
    assert ids(venue.get("liquidations", asset="usdt", outcome="RESTORED")) == [first]
    assert ids(venue.get("liquidations", asset="EUR")) == []
    since = liquidations[1].executed_at.isoformat()
    assert ids(venue.get("liquidations", since=since)) == [third, second]
    assert ids(venue.get("liquidations", until=since)) == [first]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("account_id", "0"),
        ("outcome", "lost"),
        ("since", "yesterday"),
        ("format", "xml"),
        ("page_size", "0"),
        ("cursor", "x"),
        ("asset", "ﬀ"),
    ],
)
def test_nonsense_is_refused_by_the_name_of_its_field(name: str, value: str) -> None:
    refusal = Api(_VENUE, "/api/v1/").get("liquidations", **{name: value})

    assert refusal.status_code == 422
    assert [error["field"] for error in refusal.json()["errors"]] == [name]


def test_pages_of_liquidations(liquidations: list[Liquidation]) -> None:
    venue = Api(_VENUE, "/api/v1/")
    newest = venue.get("liquidations", page_size=2).json()
    cursor = newest["next"].partition("cursor=")[2]
    oldest = venue.get("liquidations", page_size=2, cursor=cursor).json()

    shown = [row["id"] for row in newest["results"] + oldest["results"]]
    assert shown == [str(one.id) for one in reversed(liquidations)]
    assert oldest["next"] is None and newest["previous"] is None


def test_a_liquidation_with_its_steps(
    accounts: list[TradingAccount], liquidations: list[Liquidation]
) -> None:
    answer = key_of(accounts[0]).get(f"liquidations/{liquidations[0].id}")

    assert answer.status_code == 200
    document = answer.json()
    steps = document.pop("steps")
    executed_at = document.pop("executed_at")
    assert executed_at.endswith("Z")
    assert document == {
        "id": str(liquidations[0].id), "account_id": accounts[0].id, "document_number": "1",
        "broker": "North", "asset": "USDT", "outcome": "RESTORED", "collateral_before": "400",
        "collateral_after": "10", "equity_before": "400", "equity_after": "10",
        "maintenance_margin_before": "500", "maintenance_margin_after": "0", "fee": "2.5",
        "fund_result": "387.5", "bad_debt": "0",
    }  # fmt: skip
    assert [(step["number"], step["kind"]) for step in steps] == [
        (1, "FREEZE"), (2, "TAKEOVER"), (3, "UNFREEZE"),
    ]  # fmt: skip
    assert steps[1] == {
        "number": 2, "kind": "TAKEOVER", "symbol": "BTC-PERP", "quantity": "-0.1",
        "price": "46100", "mark_price": "50000", "amount": "0", "order_id": None,
        "equity_before": "400", "equity_after": "10", "maintenance_margin_before": "500",
        "maintenance_margin_after": "0",
    }  # fmt: skip
    assert steps[0]["symbol"] is None and steps[0]["quantity"] is None


def test_another_ones_liquidation_is_not_shown(
    accounts: list[TradingAccount], liquidations: list[Liquidation]
) -> None:
    path = f"liquidations/{liquidations[1].id}"

    assert Api(_VENUE, "/api/v1/").get(path).status_code == 200
    for stranger in (key_of(accounts[2]), key_of(accounts[0], is_bound=True)):
        refusal = stranger.get(path)
        assert (refusal.status_code, refusal.json()["code"]) == (403, "other_account")
    missing = key_of(accounts[0]).get(f"liquidations/{new_uuid()}")
    assert (missing.status_code, missing.json()["code"]) == (404, "liquidation_not_found")


def test_liquidations_as_csv_are_all_under_the_filter(liquidations: list[Liquidation]) -> None:
    answer = Api(_VENUE, "/api/v1/").get("liquidations", format="csv", page_size=1)

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="liquidations.csv"'
    rows = list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))
    assert [row["id"] for row in rows] == [str(one.id) for one in reversed(liquidations)]
    assert (rows[0]["broker"], rows[0]["fund_result"]) == ("'=South", "387.5")
    assert rows[0]["executed_at"].endswith("Z") and "T" in rows[0]["executed_at"]


# --- margin calls ---------------------------------------------------------------------------------


@pytest.fixture
def calls(accounts: list[TradingAccount]) -> list[MarginCall]:
    """An open one of each account; the first one has one that is over, too."""
    now = timezone.now()
    return [
        MarginCall.objects.create(
            account=account,
            asset=make_asset("USDT"),
            level=D("0.8"),
            equity=D("600.5"),
            maintenance_margin=D(500),
            raised_at=now,
            resolved_at=resolved_at,
        )
        for account, resolved_at in zip(
            [accounts[0], *accounts], [now, None, None, None], strict=True
        )
    ]


def test_who_sees_which_margin_calls(
    accounts: list[TradingAccount], calls: list[MarginCall]
) -> None:
    over, first, second, third = (one.pk for one in calls)
    venue, broker = Api(_VENUE, "/api/v1/"), key_of(accounts[0])

    assert ids(venue.get("margin-calls")) == [third, second, first, over]
    assert ids(broker.get("margin-calls")) == [second, first, over]
    assert ids(broker.get("margin-calls", open="true")) == [second, first]
    assert ids(broker.get("margin-calls", open="false")) == [over]
    assert ids(broker.get("margin-calls", account_id=accounts[0].id)) == [first, over]
    assert ids(key_of(accounts[1], is_bound=True).get("margin-calls")) == [second]
    assert broker.get("margin-calls", open="maybe").status_code == 422


def test_a_margin_call_as_document_and_as_csv(
    accounts: list[TradingAccount], calls: list[MarginCall]
) -> None:
    broker = key_of(accounts[0])
    document = broker.get("margin-calls", account_id=accounts[1].id).json()["results"][0]
    raised_at = document.pop("raised_at")

    assert document == {
        "id": calls[2].pk, "account_id": accounts[1].id, "document_number": "2",
        "broker": "North", "asset": "USDT", "level": "0.8", "equity": "600.5",
        "maintenance_margin": "500", "resolved_at": None, "is_open": True,
    }  # fmt: skip
    answer = broker.get("margin-calls", format="csv", open="true")
    rows = list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))
    assert [row["id"] for row in rows] == [str(calls[2].pk), str(calls[1].pk)]
    assert (rows[0]["raised_at"], rows[0]["resolved_at"]) == (raised_at, "")
    assert rows[0]["is_open"] == "true"
