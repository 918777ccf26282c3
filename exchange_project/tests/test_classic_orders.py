"""`POST /orders`, `GET /orders/{id}` and `POST /orders/{id}/cancel` of the classic dialect."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from brokers.models import TradingAccount
from common.valkey import get_client
from marketdata.models import Instrument
from orders.models import Order, Trade
from orders.streams import command_stream
from orders.tests.fixtures import Api, register

pytestmark = pytest.mark.usefixtures("both_lanes")

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


def limit(side: str, price: int, quantity: int, **fields: object) -> dict[str, object]:
    return {
        "document_number": "12345678901",
        "side": side,
        "symbol": "PETR4",
        "price": price,
        "quantity": quantity,
        "valid_until": TOMORROW,
    } | fields


def market(side: str, quantity: int) -> dict[str, object]:
    return {
        "document_number": "12345678901",
        "side": side,
        "order_type": "market",
        "symbol": "PETR4",
        "quantity": quantity,
    }


@pytest.fixture
def alpha(engine) -> Api:
    return Api(register("Alpha").secret)


@pytest.fixture
def beta(engine) -> Api:
    return Api(register("Beta").secret)


@pytest.fixture
def gamma(db, valkey) -> Api:
    """A broker of a venue without an engine: what it sends must be refused before that matters."""
    return Api(register("Gamma").secret)


def placed(api: Api, body: dict[str, object]) -> str:
    answer = api.post("/orders", body)
    assert answer.status_code == 201, answer.content
    assert list(answer.json()) == ["order_id"]
    return answer.json()["order_id"]


def test_a_gap_trades_at_the_sellers_price(alpha, beta):
    ask = placed(alpha, limit("ask", 3500, 1000))
    bid = placed(beta, limit("bid", 3600, 400))
    first = alpha.get(f"/orders/{ask}").json()
    trade = first.pop("trades")[0]
    created_at = first.pop("created_at")
    assert first == {
        "id": ask,
        "side": "ask",
        "order_type": "limit",
        "symbol": "PETR4",
        "price": 3500,
        "quantity": 1000,
        "remaining_quantity": 600,
        "status": "open",
        "valid_until": TOMORROW.replace("+00:00", "Z"),
    }
    assert datetime.fromisoformat(created_at) < datetime.now(UTC)
    assert UUID(trade.pop("trade_id"))
    assert datetime.fromisoformat(trade.pop("executed_at")) < datetime.now(UTC)
    assert trade == {"price": 3500, "quantity": 400, "counterparty_broker": "Beta"}
    second = beta.get(f"/orders/{bid}").json()
    assert (second["status"], second["remaining_quantity"]) == ("closed", 0)
    assert second["trades"][0]["counterparty_broker"] == "Alpha"


def test_a_market_order_takes_what_is_there_and_never_rests(alpha, beta):
    placed(alpha, limit("ask", 3500, 10))
    placed(alpha, limit("ask", 3600, 10))
    bid = placed(beta, market("bid", 25))
    order = beta.get(f"/orders/{bid}").json()
    assert (order["order_type"], order["price"], order["valid_until"]) == ("market", None, None)
    assert (order["status"], order["remaining_quantity"]) == ("closed", 5)
    assert [(t["price"], t["quantity"]) for t in order["trades"]] == [(3500, 10), (3600, 10)]
    assert beta.get("/stocks/PETR4/book").json()["bids"] == []


def test_a_market_orders_valid_until_is_ignored(alpha):
    body = market("bid", 5) | {"valid_until": "yesterday", "price": None}
    assert alpha.get(f"/orders/{placed(alpha, body)}").json()["valid_until"] is None


def test_symbol_is_taken_in_upper_case_and_listed_by_its_first_order(alpha):
    order = placed(alpha, limit("bid", 1, 1, symbol="vale3"))
    assert alpha.get(f"/orders/{order}").json()["symbol"] == "VALE3"
    assert Instrument.objects.get(symbol="VALE3").is_open_listing


def test_without_open_listing_an_unknown_symbol_is_refused(gamma, settings):
    settings.OPEN_LISTING = False
    answer = gamma.post("/orders", limit("bid", 1, 1))
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], str)
    assert not Instrument.objects.exists()
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("document_number", ""),
        ("document_number", "1" * 21),
        ("document_number", 12345),
        ("document_number", None),
        ("side", "buy"),
        ("side", None),
        ("order_type", "stop"),
        ("symbol", ""),
        ("symbol", "ELEVENCHARS"),
        ("price", None),
        ("price", 0),
        ("price", -1),
        ("price", 10.5),
        ("price", "3500"),
        ("price", True),
        ("price", 10**14 + 1),
        ("price", 1e300),
        ("quantity", 0),
        ("quantity", -5),
        ("quantity", 10.5),
        ("quantity", "10"),
        ("quantity", True),
        ("quantity", None),
        ("quantity", 10**12 + 1),
        ("valid_until", None),
        ("valid_until", "2030-01-01T00:00:00"),
        ("valid_until", "soon"),
        ("valid_until", 1900000000),
        ("valid_until", "2020-01-01T00:00:00Z"),
    ],
)
def test_a_wrong_field_is_refused_by_name_and_nothing_is_written(gamma, field, value):
    answer = gamma.post("/orders", limit("bid", 3500, 10) | {field: value})
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["detail"]] == [["body", field]]
    assert not Order.objects.exists()
    assert not TradingAccount.objects.exists()
    assert not Instrument.objects.exists()
    assert get_client().xlen(command_stream(0)) == 0


@pytest.mark.parametrize("field", ["document_number", "side", "symbol", "quantity", "price"])
def test_a_missing_field_is_refused_by_name(gamma, field):
    body = limit("bid", 3500, 10)
    del body[field]
    answer = gamma.post("/orders", body)
    assert answer.status_code == 422
    assert answer.json()["detail"] == [
        {"loc": ["body", field], "msg": answer.json()["detail"][0]["msg"], "type": "required"}
    ]


def test_a_market_order_with_a_price_is_refused(gamma):
    answer = gamma.post("/orders", market("bid", 5) | {"price": 3500})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "price"]
    assert not Order.objects.exists()


def test_a_notional_that_no_batch_could_add_up_is_refused(gamma):
    answer = gamma.post("/orders", limit("bid", 10**14, 10**12))
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == "notional_too_large"
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "raw", [b"{", b"nope", b'{"price": NaN}', b'{"price": Infinity}', b"\xff\xfe"]
)
def test_malformed_json_is_400(gamma, raw):
    answer = gamma.post("/orders", raw=raw)
    assert answer.status_code == 400
    assert list(answer.json()) == ["detail"]


@pytest.mark.parametrize("raw", [b"", b"[]", b'"text"', b"5", b"null"])
def test_a_body_that_is_no_object_is_422(gamma, raw):
    assert gamma.post("/orders", raw=raw).status_code == 422


def test_too_large_is_413_and_another_media_type_415(gamma):
    large = gamma.post("/orders", raw=b'{"a": "' + b"x" * 1_100_000 + b'"}')
    assert (large.status_code, list(large.json())) == (413, ["detail"])
    form = gamma._client.post("/orders", {"a": 1}, headers=gamma._headers)
    assert (form.status_code, list(form.json())) == (415, ["detail"])


def test_the_wrong_method_is_405_and_names_the_right_one(gamma):
    answer = gamma.get("/orders")
    assert answer.status_code == 405
    assert "POST" in answer["Allow"]
    assert list(answer.json()) == ["detail"]


def test_unknown_order_is_404_and_a_malformed_id_422(gamma):
    unknown = gamma.get("/orders/01890000-0000-7000-8000-000000000000")
    assert (unknown.status_code, list(unknown.json())) == (404, ["detail"])
    assert gamma.get("/orders/1").status_code == 422


def test_another_brokers_order_is_403(alpha, beta):
    order = placed(alpha, limit("bid", 3500, 10))
    assert beta.get(f"/orders/{order}").status_code == 403
    assert beta.post(f"/orders/{order}/cancel").status_code == 403
    assert alpha.get(f"/orders/{order}").json()["status"] == "open"


def test_cancel_takes_an_open_order_off_the_book(alpha):
    order = placed(alpha, limit("bid", 3500, 10))
    answer = alpha.post(f"/orders/{order}/cancel")
    assert (answer.status_code, answer.content) == (204, b"")
    assert alpha.get(f"/orders/{order}").json()["status"] == "closed"
    assert alpha.get("/stocks/PETR4/book").json()["bids"] == []


def test_cancel_is_a_no_op_for_closed_market_and_unknown_orders(alpha, beta):
    closed = placed(alpha, limit("ask", 3500, 10))
    taker = placed(beta, market("bid", 10))
    for _ in range(2):
        assert alpha.post(f"/orders/{closed}/cancel").status_code == 204
        assert beta.post(f"/orders/{taker}/cancel").status_code == 204
    unknown = "01890000-0000-7000-8000-000000000000"
    assert alpha.post(f"/orders/{unknown}/cancel").status_code == 204
    assert alpha.post("/orders/a5b23a6f-8a3f-4d62-a9a8-111111111111/cancel").status_code == 204
    assert alpha.get(f"/orders/{closed}").json()["remaining_quantity"] == 0
    assert Trade.objects.count() == 1


def test_an_order_past_its_time_reads_closed_and_leaves_the_book(alpha):
    soon = (datetime.now(UTC) + timedelta(seconds=1.5)).isoformat()
    order = placed(alpha, limit("bid", 3500, 10, valid_until=soon))
    assert alpha.get(f"/orders/{order}").json()["status"] == "open"
    assert alpha.get("/stocks/PETR4/book").json()["bids"] != []
    time.sleep(1.55)
    assert alpha.get(f"/orders/{order}").json()["status"] == "closed"
    time.sleep(0.5)
    assert alpha.get("/stocks/PETR4/book").json()["bids"] == []
