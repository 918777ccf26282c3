"""Orders and fills under `/api/v1/`."""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from brokers.models import TradingAccount
from brokers.services import create_api_key, find_or_create_account
from common.valkey import get_client
from marketdata.models import Instrument
from marketdata.tests.factories import make_instrument
from orders.models import Order
from orders.streams import command_stream
from orders.tests.fixtures import Api, register

pytestmark = pytest.mark.usefixtures("both_lanes")

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
UNKNOWN = "01890000-0000-7000-8000-000000000000"


def api_of(name: str, **fields: Any) -> Api:
    return Api(register(name, **fields).secret, "/api/v1")


@pytest.fixture
def a(engine) -> Api:
    return api_of("Alpha")


@pytest.fixture
def b(engine) -> Api:
    return api_of("Beta")


@pytest.fixture
def idle(db, valkey) -> Api:
    """A broker of a venue without an engine."""
    return api_of("Idle")


def order(side: str = "BUY", price: Any = "10.00", quantity: Any = "5", **fields: Any):
    body = {"document_number": "1", "symbol": "ACME", "side": side, "quantity": quantity}
    body |= {"order_type": "MARKET"} if price is None else {"limit_price": price}
    return body | fields


def placed(api: Api, *args: Any, **fields: Any) -> dict[str, Any]:
    answer = api.post("/orders", order(*args, **fields))
    assert answer.status_code == 201, answer.content
    return answer.json()


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["code"] == code
    assert document["status"] == status
    return document


def test_the_answer_is_the_whole_order(a, b):
    placed(a, "SELL", "9.50", "3")
    answer = placed(b, "BUY", "10.00", "5", client_order_id="mine")
    (fill,) = answer.pop("fills")
    stored = Order.objects.get(id=answer.pop("id"))
    assert answer.pop("created_at") == answer.pop("updated_at") == fill.pop("executed_at")
    assert UUID(fill.pop("trade_id"))
    assert fill == {"price": "9.5", "quantity": "3", "fee": "0", "liquidity_role": "TAKER"}
    assert answer == {
        "account_id": stored.account_id,
        "symbol": "ACME",
        "client_order_id": "mine",
        "venue": "BOOK",
        "side": "BUY",
        "order_type": "LIMIT",
        "time_in_force": "GTC",
        "limit_price": "10",
        "quantity": "5",
        "filled_quantity": "3",
        "remaining_quantity": "2",
        "average_fill_price": "9.5",
        "notional": "28.5",
        "fee": "0",
        "valid_until": None,
        "status": "PARTIALLY_FILLED",
        "reason": None,
        "refusal_facts": None,
    }


def test_get_shows_what_post_answered(a):
    answer = placed(a)
    assert a.get(f"/orders/{answer['id']}").json() == answer


@pytest.mark.parametrize(
    "body",
    [
        order(price="10.00", quantity="5"),
        order(price=10, quantity=5),
        order(price=None, quantity=5, order_type="limit") | {"price": "10.0"},
        order(side="buy", symbol="acme", time_in_force="gtc"),
        order(price="1e1", quantity="50e-1"),
    ],
)
def test_numbers_and_words_are_taken_in_several_forms(a, body):
    answer = a.post("/orders", body)
    assert answer.status_code == 201, answer.content
    document = answer.json()
    assert (document["limit_price"], document["quantity"]) == ("10", "5")
    assert (document["side"], document["symbol"]) == ("BUY", "ACME")


def test_a_json_fraction_never_becomes_a_float(a):
    raw = b'{"document_number":"1","symbol":"ACME","side":"BUY","quantity":1,"price":0.07}'
    assert a.post("/orders", raw=raw).json()["limit_price"] == "0.07"


def test_valid_until_makes_it_gtd_and_market_is_ioc(a):
    gtd = placed(a, valid_until=TOMORROW)
    assert gtd["time_in_force"] == "GTD"
    assert datetime.fromisoformat(gtd["valid_until"]) == datetime.fromisoformat(TOMORROW)
    market = placed(a, "SELL", None, "7")
    assert (market["time_in_force"], market["status"]) == ("IOC", "CANCELED")
    assert (market["filled_quantity"], market["reason"]) == ("5", "no_liquidity")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"side": "bid"}, "side"),
        ({"side": None}, "side"),
        ({"order_type": "STOP"}, "order_type"),
        ({"time_in_force": "DAY"}, "time_in_force"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": "Oﬀ"}, "symbol"),
        ({"time_in_force": "ıoc"}, "time_in_force"),
        ({"limit_price": "10.005"}, "limit_price"),
        ({"limit_price": "ten"}, "limit_price"),
        ({"limit_price": "1e-9"}, "limit_price"),
        ({"limit_price": "1e999999999"}, "limit_price"),
        ({"limit_price": "NaN"}, "limit_price"),
        ({"limit_price": True}, "limit_price"),
        ({"limit_price": "-1"}, "limit_price"),
        ({"limit_price": None}, "limit_price"),
        ({"limit_price": "0.000000001"}, "limit_price"),
        ({"limit_price": "1" * 40}, "limit_price"),
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "1.5"}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"valid_until": "2030-01-01"}, "valid_until"),
        ({"valid_until": "2020-01-01T00:00:00Z"}, "valid_until"),
        ({"client_order_id": "x" * 65}, "client_order_id"),
        ({"client_order_id": "a/b"}, "client_order_id"),
        ({"account_id": 1}, "document_number"),
        ({"document_number": None}, "account_id"),
        ({"account_id": "1", "document_number": None}, "account_id"),
        ({"stop_price": "1"}, "stop_price"),
        ({"price": "10.00"}, "price"),
    ],
)
def test_a_wrong_field_is_refused_by_name_and_nothing_is_written(idle, fields, field):
    document = problem(idle.post("/orders", order() | fields), 422, "invalid")
    assert [error["field"] for error in document["errors"]] == [field]
    assert not Order.objects.exists()
    assert not TradingAccount.objects.exists()
    assert get_client().xlen(command_stream(0)) == 0


def test_an_off_tick_price_names_field_step_and_value(idle):
    document = problem(idle.post("/orders", order(price="10.005")), 422, "invalid")
    (error,) = document["errors"]
    assert error["field"] == "limit_price"
    assert "0.01" in error["detail"]
    assert "10.005" in error["detail"]


def test_a_body_of_unknown_fields_gets_a_small_answer(idle):
    raw = b"{" + b",".join(b'"m%d":1' % number for number in range(75_000)) + b"}"
    answer = idle.post("/orders", raw=raw)
    document = problem(answer, 422, "invalid")
    assert len(answer.content) < 10_000
    assert document["errors"][-1]["code"] == "more_errors"


def test_malformed_json_is_400(idle):
    problem(idle.post("/orders", raw=b"{"), 400, "malformed")


def test_a_member_that_is_sent_twice_is_400(idle):
    raw = b'{"document_number":"1","symbol":"ACME","side":"BUY","side":"SELL","quantity":1}'
    document = problem(idle.post("/orders", raw=raw), 400, "malformed")
    assert document["detail"] == "The member side was sent twice."
    assert get_client().xlen(command_stream(0)) == 0


@pytest.mark.parametrize("price", ["1e-05", "1E-5", "0.1e-4", "1e1"])
def test_an_exponent_is_taken_where_the_number_is_exact(idle, price):
    make_instrument("FINE", tick_size=Decimal("0.00001"), lot_size=Decimal(10))
    body = f'{{"document_number":"1","symbol":"FINE","side":"BUY","quantity":1e1,"price":{price}}}'
    assert idle.post("/orders/test", raw=body.encode()).json() == {"is_valid": True}


def test_unknown_symbol_without_open_listing(idle, settings):
    settings.OPEN_LISTING = False
    problem(idle.post("/orders", order()), 422, "unknown_symbol")
    assert not Instrument.objects.exists()


def test_a_refused_order_is_stored_and_answers_its_facts(engine):
    poor = api_of("Poor", default_funding="PREFUNDED")
    document = problem(poor.post("/orders", order()), 422, "insufficient_funds")
    assert (document["required"], document["available"]) == ("50", "0")
    shown = poor.get(f"/orders/{document['order_id']}").json()
    assert (shown["status"], shown["reason"]) == ("REJECTED", "insufficient_funds")


def test_the_same_client_order_id_answers_200_and_with_other_content_409(a):
    first = a.post("/orders", order(client_order_id="k"))
    again = a.post("/orders", order(client_order_id="k"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    other = a.post("/orders", order(client_order_id="k", quantity="6"))
    document = problem(other, 409, "client_order_id_conflict")
    assert document["order_id"] == first.json()["id"]
    assert Order.objects.count() == 1


def test_an_order_is_found_by_its_client_order_id(a, b):
    mine = placed(a, client_order_id="a8c9b1a2-2b8c-4a3e-9b6b-3e5f2a1d7c4e")
    path = f"/orders/by-client-id/{mine['client_order_id']}"
    assert a.get(path, account_id=mine["account_id"]).json() == mine
    problem(b.get(path, account_id=mine["account_id"]), 403, "not_your_order")
    problem(a.get("/orders/by-client-id/other", account_id=mine["account_id"]), 404, "not_found")
    problem(a.get(path), 422, "invalid")


@pytest.mark.parametrize("how", ["post", "delete"])
def test_cancel_answers_the_result_and_the_order(a, b, how):
    mine = placed(a)

    def cancel(api: Api, order_id: str) -> Any:
        path = f"/orders/{order_id}"
        return api.delete(path) if how == "delete" else api.post(f"{path}/cancel")

    problem(cancel(b, mine["id"]), 403, "not_your_order")
    answer = cancel(a, mine["id"]).json()
    assert answer["result"] == "canceled"
    assert (answer["order"]["status"], answer["order"]["reason"]) == ("CANCELED", "by_user")
    assert cancel(a, mine["id"]).json()["result"] == "not_open"
    problem(cancel(a, UNKNOWN), 404, "not_found")


def test_cancel_all(a):
    ids = [placed(a)["id"], placed(a)["id"]]
    other = placed(a, symbol="OTHER")["id"]
    answer = a.post("/orders/cancel-all", {"symbol": "acme"}).json()
    assert answer == {
        "canceled": 2,
        "results": [{"order_id": order_id, "result": "canceled"} for order_id in ids],
    }
    nonsense: list[Any] = [[], 0, False]
    for body in nonsense:
        problem(a.post("/orders/cancel-all", body), 422, "invalid")
    assert a.get(f"/orders/{other}").json()["status"] == "OPEN"
    assert a.post("/orders/cancel-all").json()["canceled"] == 1
    assert a.post("/orders/cancel-all").json() == {"canceled": 0, "results": []}


def test_test_validates_and_writes_nothing(idle):
    from marketdata.services import list_symbol

    list_symbol("ACME")
    assert idle.post("/orders/test", order()).json() == {"is_valid": True}
    problem(idle.post("/orders/test", order(price="0.001")), 422, "invalid")
    problem(idle.post("/orders/test", order(symbol="NONE")), 422, "unknown_symbol")
    assert not TradingAccount.objects.exists()
    assert get_client().xlen(command_stream(0)) == 0


def test_another_brokers_order_and_account_are_403(a, b):
    mine = placed(a)
    problem(b.get(f"/orders/{mine['id']}"), 403, "not_your_order")
    foreign = order(document_number=None, account_id=mine["account_id"])
    problem(b.post("/orders", foreign), 403, "other_account")
    problem(b.get(f"/orders/{UNKNOWN}"), 404, "not_found")


def test_a_bound_key_sees_and_uses_its_account_alone(engine):
    registered = register("Alpha")
    wide = Api(registered.secret, "/api/v1")
    mine, other = placed(wide), placed(wide, document_number="2")
    key = create_api_key(
        broker_id=registered.broker.id, scopes=["read", "trade"], account_id=mine["account_id"]
    )
    bound = Api(key.secret, "/api/v1")
    assert [row["id"] for row in bound.get("/orders").json()["results"]] == [mine["id"]]
    problem(bound.get(f"/orders/{other['id']}"), 403, "not_your_order")
    problem(bound.post(f"/orders/{other['id']}/cancel"), 403, "not_your_order")
    assert placed(bound, document_number=None)["account_id"] == mine["account_id"]
    problem(bound.post("/orders", order(document_number="2")), 403, "other_account")


def test_orders_are_listed_newest_first_in_pages(a, b):
    ids = [placed(a)["id"] for _ in range(5)]
    placed(b)
    first = a.get("/orders", page_size=2).json()
    assert [row["id"] for row in first["results"]] == [ids[4], ids[3]]
    assert "fills" not in first["results"][0]
    assert first["previous"] is None
    second = a._client.get(first["next"], headers=a._headers).json()
    assert [row["id"] for row in second["results"]] == [ids[2], ids[1]]
    back = a._client.get(second["previous"], headers=a._headers).json()
    assert [row["id"] for row in back["results"]] == [ids[4], ids[3]]
    last = a._client.get(second["next"], headers=a._headers).json()
    assert [row["id"] for row in last["results"]] == [ids[0]]
    assert last["next"] is None


def test_orders_are_filtered(a):
    sell = placed(a, "SELL", "20.00", client_order_id="s")
    buy = placed(a, document_number="2")
    other = placed(a, symbol="OTHER")
    a.post(f"/orders/{other['id']}/cancel")

    def listed(**query: Any) -> list[str]:
        answer = a.get("/orders", **query)
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()["results"]]

    assert listed(side="sell") == [sell["id"]]
    assert listed(symbol="other") == [other["id"]]
    assert listed(status="OPEN") == [buy["id"], sell["id"]]
    assert listed(status="CANCELED") == [other["id"]]
    assert listed(account_id=buy["account_id"]) == [buy["id"]]
    assert listed(client_order_id="s") == [sell["id"]]
    assert listed(since=other["created_at"]) == [other["id"]]
    assert listed(until=buy["created_at"]) == [sell["id"]]
    for wrong in ({"side": "x"}, {"status": "x"}, {"since": "x"}, {"page_size": "0"}):
        assert a.get("/orders", **wrong).status_code == 422
    assert a.get("/orders", cursor="nonsense").status_code == 422


def rows_of(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(answer.getvalue().decode().splitlines()))


def test_orders_and_fills_come_as_files_of_all_rows(a, b):
    mine = [placed(a, "SELL", "10.00", "1", client_order_id=f"=c{n}") for n in range(3)]
    taken = placed(b, "BUY", "10.00", "2")
    placed(a, "SELL", "20.00", symbol="OTHER")
    pages = a.get("/orders", symbol="ACME").json()["results"]
    rows = rows_of(a.get("/orders", format="csv", symbol="ACME", page_size=1))
    assert [row["id"] for row in rows] == [one["id"] for one in reversed(mine)]
    assert list(rows[0]) == list(pages[0])
    for row, document in zip(rows, pages, strict=True):
        assert row.pop("client_order_id") == f"'{document.pop('client_order_id')}"
        assert row == {
            name: "" if value is None else str(value) for name, value in document.items()
        }
    fills = b.get("/fills").json()["results"]
    rows = rows_of(b.get("/fills", format="csv", page_size=1, side="buy"))
    assert rows == [{name: str(value) for name, value in fill.items()} for fill in fills]
    assert {row["order_id"] for row in rows} == {taken["id"]} and len(rows) == 2
    assert rows_of(b.get("/fills", format="csv", symbol="OTHER")) == []
    for path in ("/orders", "/fills"):
        problem(a.get(path, format="xml"), 422, "invalid")
        problem(b.get(path, format="csv", account_id=mine[0]["account_id"]), 403, "other_account")


def test_only_the_engine_judges_that_an_order_has_expired(transactional_db, valkey):
    import time

    from orders.tests.live_engine import live_engine

    api = api_of("Alpha")
    end = datetime.now(UTC) + timedelta(seconds=2)
    with live_engine():
        mine = placed(api, valid_until=end.isoformat())
        assert mine["status"] == "OPEN"
    time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()) + 0.05)
    assert api.get(f"/orders/{mine['id']}").json()["status"] == "OPEN"
    assert api.get("/orders", status="EXPIRED").json()["results"] == []
    with live_engine():
        while api.get(f"/orders/{mine['id']}").json()["status"] != "EXPIRED":
            time.sleep(0.05)
    assert api.get("/orders", status="OPEN").json()["results"] == []
    (row,) = api.get("/orders", status="EXPIRED").json()["results"]
    assert (row["status"], row["reason"]) == ("EXPIRED", "valid_until_passed")
    time.sleep(0.5)
    assert api.get("/instruments/ACME/book").json()["bids"] == []


def test_lists_make_no_query_for_each_row(a, django_assert_max_num_queries):
    for _ in range(6):
        placed(a)
        placed(a, "SELL", None, "5")
    for path in ("/orders", "/fills", "/instruments/ACME/trades"):
        a.get(path)
        with django_assert_max_num_queries(2):
            assert len(a.get(path).json()["results"]) >= 6


def test_fills_show_both_sides_of_ones_own_trades_in_pages(a, b):
    placed(a, "SELL", "10.00", "1")
    placed(b, "BUY", "10.00", "1")
    for _ in range(2):
        placed(a, "SELL", "10.00", "1")
        placed(a, "BUY", "10.00", "1")
    fills = a.get("/fills").json()["results"]
    assert [(f["side"], f["liquidity_role"]) for f in fills] == [
        ("SELL", "MAKER"),
        ("BUY", "TAKER"),
        ("SELL", "MAKER"),
        ("BUY", "TAKER"),
        ("SELL", "MAKER"),
    ]
    assert fills[0]["symbol"] == "ACME"
    seen, path = [], "/api/v1/fills?page_size=1"
    while path:
        page = a._client.get(path, headers=a._headers).json()
        seen += page["results"]
        path = page["next"]
    assert seen == fills
    one = a.get("/fills", order_id=fills[0]["order_id"]).json()["results"]
    assert one == fills[:1]
    assert a.get("/fills", symbol="OTHER").json()["results"] == []


def test_naming_the_account_of_another_is_refused(a, b):
    mine = placed(a)
    for path in ("/orders", "/fills"):
        problem(b.get(path, account_id=mine["account_id"]), 403, "other_account")
        problem(a.get(path, account_id=10**9), 404, "account_not_found")
    foreign = {"account_id": mine["account_id"]}
    problem(b.post("/orders/cancel-all", foreign), 403, "other_account")
    assert a.get(f"/orders/{mine['id']}").json()["status"] == "OPEN"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/orders"),
        ("post", "/orders"),
        ("post", "/orders/test"),
        ("post", "/orders/cancel-all"),
        ("get", f"/orders/{UNKNOWN}"),
        ("get", "/orders/by-client-id/x"),
        ("delete", f"/orders/{UNKNOWN}"),
        ("post", f"/orders/{UNKNOWN}/cancel"),
        ("get", "/fills"),
        ("get", "/balance"),
        ("get", "/instruments/ACME/book"),
        ("get", "/instruments/ACME/trades"),
        ("get", "/instruments/ACME/ticker"),
    ],
)
def test_every_request_needs_a_key(db, valkey, method, path):
    problem(getattr(Api(None, "/api/v1"), method)(path), 401, "not_authenticated")


def test_a_key_that_reads_does_not_trade(db, valkey):
    registered = register("Alpha")
    key = create_api_key(broker_id=registered.broker.id, scopes=["read"])
    reader = Api(key.secret, "/api/v1")
    problem(reader.post("/orders", order()), 403, "missing_scope")
    problem(reader.delete(f"/orders/{UNKNOWN}"), 403, "missing_scope")
    assert reader.get("/orders").status_code == 200


def test_without_an_engine_503_with_retry_after(idle):
    answer = idle.post("/orders", order())
    problem(answer, 503, "engine_unavailable")
    assert answer["Retry-After"] == "1"
    assert not Order.objects.exists()


def test_balance_of_a_bound_key_is_its_cash(db, valkey):
    registered = register("Alpha")
    account = find_or_create_account(broker_id=registered.broker.id, document_number="1")
    key = create_api_key(broker_id=registered.broker.id, scopes=["read"], account_id=account.id)
    assert Api(key.secret, "/api/v1").get("/balance").json() == {
        "account_id": account.id,
        "asset": "USD",
        "balance": "0",
        "held_amount": "0",
        "available_balance": "0",
        "balances": [],
    }
    assert Api(registered.secret, "/api/v1").get("/balance").json() == {
        "broker_id": str(registered.broker.id),
        "broker_name": "Alpha",
        "asset": "USD",
        "balance": "0",
    }


def test_book_trades_and_ticker(a):
    placed(a, "SELL", "10.00", "1")
    taken = placed(a, "BUY", None, "1")
    placed(a, "BUY", "9.98", "3")
    placed(a, "BUY", "9.98", "1")
    assert a.get("/instruments/acme/ticker").json() == {
        "symbol": "ACME",
        "last_price": "10",
        "mark_price": None,
        "best_bid": "9.98",
        "best_bid_quantity": "4",
        "best_ask": None,
        "best_ask_quantity": None,
        "mid_price": None,
        "spread": None,
    }
    placed(a, "SELL", "10.01", "2")
    ticker = a.get("/instruments/ACME/ticker").json()
    assert (ticker["mid_price"], ticker["spread"]) == ("9.995", "0.03")
    assert a.get("/instruments/ACME/book", depth=5).json() == {
        "symbol": "ACME",
        "depth": 5,
        "bids": [{"price": "9.98", "quantity": "4", "order_count": 2}],
        "asks": [{"price": "10.01", "quantity": "2", "order_count": 1}],
    }
    (trade,) = a.get("/instruments/ACME/trades").json()["results"]
    assert trade["id"] == taken["fills"][0]["trade_id"]
    assert (trade["price"], trade["quantity"], trade["notional"]) == ("10", "1", "10")
    assert trade["taker_side"] == "BUY"
    for name in ("book", "trades", "ticker"):
        assert a.get(f"/instruments/NONE/{name}").status_code == 404


def test_a_document_number_has_one_form(a):
    numbers = ("222", "222 ", " 222")
    assert len({placed(a, document_number=number)["account_id"] for number in numbers}) == 1
    refused = problem(a.post("/orders", order(document_number="222\u200b")), 422, "invalid")
    assert refused["errors"][0]["field"] == "document_number"
    assert refused["errors"][0]["code"] == "invalid_characters"
    assert Order.objects.count() == 3
