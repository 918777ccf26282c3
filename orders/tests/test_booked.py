"""Booked executions: made, executed whole and in parts, refused, canceled; once, whoever asks."""

from decimal import Decimal
from typing import Any

import pytest

from brokers.models import WebhookDelivery
from brokers.services import create_webhook_endpoint, suspend_account
from common.ids import new_uuid
from common.reconciliation import run_checks
from exchange_project.reconciliation import CHECKS
from ledger.models import LedgerAccount, Posting
from marketdata.tests.factories import make_instrument
from orders.engine.process.runner import Engine
from orders.models import Order, Trade
from orders.services.cancel import cancel_orders_by_staff
from orders.tests.dealing import api_of, at_once, cash, counts, make_client, problem, shares
from orders.tests.fixtures import Api
from orders.types import Result

pytestmark = pytest.mark.django_db


def told(**fields: Any) -> dict[str, Any]:
    """An execution elsewhere, as requirement 000 writes it."""
    body = {"symbol": "ACME", "order_type": "BUY", "quantity": 10, "price": "150.75"}
    return body | fields


def booked(api: Api, account_id: int, **fields: Any) -> str:
    answer = api.post(f"/accounts/{account_id}/orders", told(**fields))
    assert answer.status_code == 201, answer.content
    return answer.json()["id"]


def execute(api: Api, order_id: object, quantity: object = None) -> Any:
    body = None if quantity is None else {"quantity": quantity}
    return api.post(f"/orders/{order_id}/execute", body)


def test_the_example_of_requirement_000():
    account, api = make_client(("2000", "USD"))
    key = {"x-api-key": api._headers.pop("authorization").removeprefix("Bearer ")}
    api._headers |= key
    client_order_id = "a8c9b1a2-2b8c-4a3e-9b6b-3e5f2a1d7c4e"

    made = api.post(
        f"/accounts/{account.id}/orders", told(symbol="AAPL", client_order_id=client_order_id)
    )
    done = execute(api, made.json()["id"])

    assert made.status_code == 201
    document = made.json()
    assert (document["status"], document["venue"], document["side"]) == (
        "PENDING",
        "EXTERNAL",
        "BUY",
    )
    assert (document["limit_price"], document["quantity"]) == ("150.75", "10")
    assert done.status_code == 200
    assert (done.json()["status"], done.json()["notional"], done.json()["fee"]) == (
        "FILLED",
        "1507.5",
        "0",
    )
    assert (cash(account), shares(account, "AAPL")) == (Decimal("492.5"), 10)
    balance = api.get(f"/accounts/{account.id}/balance").json()
    assert (balance["asset"], balance["balance"]) == ("USD", "492.5")
    (position,) = api.get(f"/accounts/{account.id}/positions").json()["positions"]
    assert (position["symbol"], position["quantity"], position["average_price"]) == (
        "AAPL",
        "10",
        "150.75",
    )
    (order,) = api.get(f"/accounts/{account.id}/orders").json()["results"]
    assert (order["client_order_id"], order["status"]) == (client_order_id, "FILLED")


def test_a_pending_order_moves_and_holds_nothing():
    account, api = make_client(("10", "USD"))

    booked(api, account.id)

    assert cash(account) == 10
    assert not LedgerAccount.objects.filter(held_amount__gt=0).exists()
    assert (counts(), Order.objects.get().hold_amount) == ((1, 0), 0)
    assert all(not one.difference_count for one in run_checks(CHECKS, shown_max=3))


def test_the_postings_are_against_the_external_account_without_a_fee():
    make_instrument(taker_fee_rate=Decimal("0.01"), maker_fee_rate=Decimal(0))
    account, api = make_client(("10", "ACME"))
    create_webhook_endpoint(broker_id=account.broker_id, url="http://receiver.test/hook")

    execute(api, booked(api, account.id, order_type="SELL"))

    trade = Trade.objects.get()
    assert (trade.venue, trade.sell_fee, trade.buy_order_id) == ("EXTERNAL", 0, None)
    lines = Posting.objects.filter(entry_id=trade.id).values_list(
        "ledger_account__kind", "asset__code", "amount"
    )
    assert set(lines) == {
        ("CASH", "USD", Decimal("1507.5")),
        ("EXTERNAL", "USD", Decimal("-1507.5")),
        ("SECURITY", "ACME", Decimal(-10)),
        ("EXTERNAL", "ACME", Decimal(10)),
    }
    assert '"side": "ask"' in WebhookDelivery.objects.get().payload


def test_the_same_client_order_id_is_the_same_order():
    account, api = make_client(("2000", "USD"))
    path = f"/accounts/{account.id}/orders"
    first = api.post(path, told(client_order_id="one"))
    again = api.post(path, told(client_order_id="one"))

    assert (again.status_code, again.json()) == (200, first.json())
    other = told(client_order_id="one", price="150.76")
    problem(api.post(path, other), 409, "client_order_id_conflict")
    assert counts() == (1, 0)


def test_executing_twice_answers_the_first_result():
    account, api = make_client(("2000", "USD"))
    order_id = booked(api, account.id)

    first, again = execute(api, order_id), execute(api, order_id)

    assert (again.status_code, again.json()) == (200, first.json())
    assert execute(api, order_id, "10").json() == first.json()
    problem(execute(api, order_id, "1"), 409, "order_not_pending")
    assert (counts(), shares(account)) == ((1, 1), 10)


def test_parts_add_up():
    account, api = make_client(("2000", "USD"))
    order_id = booked(api, account.id)

    part = execute(api, order_id, "4").json()
    assert (part["status"], part["filled_quantity"]) == ("PENDING", "4")
    above = problem(execute(api, order_id, "7"), 422, "quantity_above_remaining")
    assert (above["quantity"], above["remaining"]) == ("7", "6")
    done = execute(api, order_id).json()

    assert (done["status"], done["filled_quantity"], len(done["fills"])) == ("FILLED", "10", 2)
    assert (cash(account), shares(account)) == (Decimal("492.5"), 10)
    assert all(not one.difference_count for one in run_checks(CHECKS, shown_max=3))


def test_a_part_with_an_idempotency_key_is_booked_once():
    account, api = make_client(("2000", "USD"))
    order_id = booked(api, account.id)
    api._headers["Idempotency-Key"] = "part 1"

    first, again = execute(api, order_id, "4"), execute(api, order_id, "4")

    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
    assert shares(account) == 4


@pytest.mark.parametrize(
    ("side", "code"), [("BUY", "insufficient_funds"), ("SELL", "insufficient_position")]
)
def test_what_cannot_be_paid_or_delivered_rejects_the_order(side, code):
    account, api = make_client(("1507.4999", "USD"), ("9", "ACME"))
    order_id = booked(api, account.id, order_type=side)

    first = problem(execute(api, order_id), 422, code)
    again = problem(execute(api, order_id), 422, code)

    assert first["order_id"] == again["order_id"] == order_id
    assert float(first["required"]) > float(first["available"])
    order = Order.objects.get()
    assert (order.status, order.reason) == ("REJECTED", code)
    assert (cash(account), shares(account), counts()) == (Decimal("1507.4999"), 9, (1, 0))


def test_a_part_that_cannot_be_paid_cancels_the_rest():
    account, api = make_client(("700", "USD"))
    order_id = booked(api, account.id)
    execute(api, order_id, "4")

    problem(execute(api, order_id, "4"), 422, "insufficient_funds")

    order = Order.objects.get()
    assert (order.status, order.reason, order.filled_quantity) == (
        "CANCELED",
        "insufficient_funds",
        4,
    )
    assert (cash(account), shares(account)) == (97, 4)


def test_a_refusal_with_an_idempotency_key_stays_stored():
    account, api = make_client(("1", "USD"))
    order_id = booked(api, account.id)
    api._headers["Idempotency-Key"] = "k"

    first, again = execute(api, order_id), execute(api, order_id)

    assert (problem(first, 422, "insufficient_funds"), again.content) == (
        again.json(),
        first.content,
    )
    assert Order.objects.get().status == "REJECTED"


def test_a_pending_order_is_canceled_without_an_engine():
    account, api = make_client(("2000", "USD"))
    order_id = booked(api, account.id)
    _, stranger_api = make_client()

    problem(stranger_api.post(f"/orders/{order_id}/cancel"), 403, "not_your_order")
    first = api.post(f"/orders/{order_id}/cancel").json()
    again = api.post(f"/orders/{order_id}/cancel").json()

    assert (first["result"], first["order"]["status"], first["order"]["reason"]) == (
        "canceled",
        "CANCELED",
        "by_user",
    )
    assert again["result"] == "not_open"
    problem(execute(api, order_id), 409, "order_not_pending")
    assert shares(account) == 0


def test_what_no_service_made_is_not_found():
    _, api = make_client()

    problem(api.post(f"/orders/{new_uuid(0xFFF)}/cancel"), 404, "not_found")
    problem(execute(api, new_uuid()), 404, "not_found")


def test_staff_cancels_pending_orders():
    account, api = make_client()
    order_id = booked(api, account.id)

    results = cancel_orders_by_staff(
        order_ids=[Order.objects.get().id], actor="user:1", reason="a mistake"
    )

    assert [str(key) for key in results] == [order_id]
    assert list(results.values()) == [Result.CANCELED]


def test_who_may_book():
    account, api = make_client(("2000", "USD"))
    order_id = booked(api, account.id)
    ordinary = api_of(account, scopes=("read", "trade"))
    _, stranger_api = make_client()

    problem(ordinary.post(f"/accounts/{account.id}/orders", told()), 403, "missing_scope")
    problem(execute(ordinary, order_id), 403, "missing_scope")
    problem(stranger_api.post(f"/accounts/{account.id}/orders", told()), 403, "other_account")
    problem(execute(stranger_api, order_id), 403, "not_your_order")
    for what in ("orders", "balance", "positions"):
        assert ordinary.get(f"/accounts/{account.id}/{what}").status_code == 200
        problem(stranger_api.get(f"/accounts/{account.id}/{what}"), 403, "other_account")
    assert counts() == (1, 0)


def test_an_account_that_is_suspended_waits():
    account, api = make_client(("2000", "USD"))
    order_id = booked(api, account.id)
    suspend_account(account=account)

    problem(execute(api, order_id), 422, "account_not_active")
    problem(api.post(f"/accounts/{account.id}/orders", told()), 422, "account_not_active")
    assert (Order.objects.get().status, cash(account)) == ("PENDING", 2000)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (told(price=None), "price"),
        (told(price="150.755"), "limit_price"),
        (told(quantity="1.5"), "quantity"),
        (told(order_type="LIMIT"), "order_type"),
        (told(valid_until="2030-01-01T00:00:00Z"), "valid_until"),
    ],
)
def test_what_is_malformed_is_not_stored(body, field):
    account, api = make_client()

    answer = problem(api.post(f"/accounts/{account.id}/orders", body), 422, "invalid")

    assert [error["field"] for error in answer["errors"]] == [field]
    assert counts() == (0, 0)


@pytest.mark.parametrize("quantity", ["0", "-1", "1.5"])
def test_a_part_is_a_whole_number_of_lots(quantity):
    account, api = make_client(("2000", "USD"))
    order_id = booked(api, account.id)

    answer = problem(execute(api, order_id, quantity), 422, "invalid")

    assert [error["field"] for error in answer["errors"]] == ["quantity"]
    assert shares(account) == 0


def test_a_perpetual_is_never_booked():
    make_instrument("BTC-PERP", base="BTC", kind="PERPETUAL", price_band_rate=Decimal("0.1"))
    account, api = make_client()
    path = f"/accounts/{account.id}/orders"

    problem(api.post(path, told(symbol="BTC-PERP")), 422, "perpetual_on_book_only")
    assert counts() == (0, 0)


def test_a_booked_order_is_no_answer_to_one_for_the_book(valkey):
    account, api = make_client(("2000", "USD"))
    order_id = booked(api, account.id, client_order_id="x")
    body = {"symbol": "ACME", "side": "BUY", "quantity": 10, "limit_price": "150.75"}

    refused = problem(
        api.post("/orders", body | {"client_order_id": "x"}), 409, "client_order_id_conflict"
    )

    assert refused["order_id"] == order_id
    assert counts() == (1, 0)


@pytest.mark.parametrize("body", [[], 0, False, ""])
def test_a_body_that_is_no_object_executes_nothing(body):
    account, api = make_client(("2000", "USD"))
    order_id = booked(api, account.id)

    problem(api.post(f"/orders/{order_id}/execute", body), 422, "invalid")
    assert (counts(), shares(account)) == ((1, 0), 0)
    assert api.post(f"/orders/{order_id}/execute", {}).json()["status"] == "FILLED"


def test_a_deal_is_no_booked_order(prices):
    _, api = make_client(("2000", "USD"))
    body = {"symbol": "ACME", "side": "BUY", "quantity": 1}
    order_id = api.post("/trade", body).json()["order_id"]

    problem(execute(api, order_id), 409, "not_a_booked_order")


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_book_one_order_once():
    account, api = make_client(("100000", "USD"))
    order_id = booked(api, account.id)

    answers = at_once(20, lambda _: execute(api, order_id))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert (counts(), shares(account), cash(account)) == ((1, 1), 10, Decimal("98492.5"))


@pytest.mark.django_db(transaction=True)
def test_parts_at_once_never_book_more_than_the_order():
    account, api = make_client(("100000", "USD"))
    order_id = booked(api, account.id)

    statuses = at_once(12, lambda _: execute(api, order_id, "3").status_code)

    assert statuses.count(200) == 3
    assert shares(account) == 9


def test_an_engine_starts_beside_orders_that_it_does_not_know(engine: Engine):
    account, api = make_client(("2000", "USD"), ("5", "ACME"))
    order_id = booked(api, account.id)
    body = {"symbol": "ACME", "side": "SELL", "limit_price": "200", "quantity": 5}

    resting = api.post("/orders", body | {"account_id": account.id})
    assert (resting.status_code, resting.json()["status"]) == (201, "OPEN")
    book = api.get("/instruments/ACME/book").json()
    assert (book["bids"], len(book["asks"])) == ([], 1)
    assert api.post("/orders/cancel-all", {}).json()["canceled"] == 1
    assert execute(api, order_id).json()["status"] == "FILLED"
