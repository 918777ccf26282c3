"""Prices, books and balances of the classic dialect."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.valkey import get_client
from exchange_project.classic.cents import from_cents, mean_in_cents, to_cents, to_whole
from marketdata.errors import NotInWholeCents
from marketdata.selectors import get_instrument_spec
from marketdata.services import create_asset, create_instrument
from marketdata.snapshots import book_key
from marketdata.tests.factories import make_instrument
from orders.models import Order
from orders.tests.fixtures import Api, register

pytestmark = pytest.mark.usefixtures("both_lanes")

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture
def alpha(engine) -> Api:
    return Api(register("Alpha").secret)


@pytest.fixture
def beta(engine) -> Api:
    return Api(register("Beta").secret)


def place(api: Api, side: str, price: int | None, quantity: int, symbol: str = "PETR4") -> None:
    body = {"document_number": "1", "side": side, "symbol": symbol, "quantity": quantity}
    if price is None:
        body |= {"order_type": "market"}
    else:
        body |= {"price": price, "valid_until": TOMORROW}
    assert api.post("/orders", body).status_code == 201


def test_price_is_the_last_trades_and_the_mean_rounded_down(alpha, beta):
    for price in (1000, 1001, 1003):
        place(alpha, "ask", price, 1)
        place(beta, "bid", price, 1)
    assert alpha.get("/stocks/PETR4/price").json() == {
        "symbol": "PETR4",
        "last_price": 1003,
        "average_price": 1001,
        "trades_in_average": 3,
    }
    assert alpha.get("/stocks/petr4/price", trades=2).json() == {
        "symbol": "PETR4",
        "last_price": 1003,
        "average_price": 1002,
        "trades_in_average": 2,
    }


def test_price_without_trades_is_404(alpha):
    assert alpha.get("/stocks/PETR4/price").status_code == 404
    place(alpha, "bid", 1000, 1)
    answer = alpha.get("/stocks/PETR4/price")
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])
    assert alpha.get("/stocks/no%20symbol/price").status_code == 404


@pytest.mark.parametrize("trades", ["0", "1001", "-1", "x", "1.5", "٣"])
def test_price_refuses_a_number_of_trades_out_of_range(db, valkey, trades):
    answer = Api(register("Alpha").secret).get("/stocks/PETR4/price", trades=trades)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "trades"]


def fill_book(alpha: Api) -> None:
    for price, quantity in ((3600, 200), (3600, 300), (3610, 1000)):
        place(alpha, "ask", price, quantity)
    for price, quantity in ((3580, 1500), (3590, 200)):
        place(alpha, "bid", price, quantity)


BOOK: dict[str, Any] = {
    "symbol": "PETR4",
    "depth": 10,
    "asks": [
        {"price": 3600, "total_quantity": 500, "order_count": 2},
        {"price": 3610, "total_quantity": 1000, "order_count": 1},
    ],
    "bids": [
        {"price": 3590, "total_quantity": 200, "order_count": 1},
        {"price": 3580, "total_quantity": 1500, "order_count": 1},
    ],
}


def test_book_shows_levels_best_first(alpha):
    fill_book(alpha)
    assert alpha.get("/stocks/petr4/book").json() == BOOK
    top = alpha.get("/stocks/PETR4/book", depth=1).json()
    assert top == {
        "symbol": "PETR4",
        "depth": 1,
        "asks": BOOK["asks"][:1],
        "bids": BOOK["bids"][:1],
    }


def test_book_comes_from_the_database_when_valkey_has_none(alpha):
    fill_book(alpha)
    spec = get_instrument_spec("PETR4")
    get_client().delete(book_key(spec.shard, spec.id))
    assert alpha.get("/stocks/PETR4/book").json() == BOOK
    get_client().hset(book_key(spec.shard, spec.id), "d", b"\xc1 nonsense")
    assert alpha.get("/stocks/PETR4/book").json() == BOOK


def test_book_of_a_symbol_that_nobody_trades_is_empty(db, valkey):
    answer = Api(register("Alpha").secret).get("/stocks/NONE/book", depth=50)
    assert answer.status_code == 200
    assert answer.json() == {"symbol": "NONE", "depth": 50, "asks": [], "bids": []}


@pytest.mark.parametrize("depth", ["0", "51", "-1", "ten"])
def test_book_refuses_a_depth_out_of_range(db, valkey, depth):
    answer = Api(register("Alpha").secret).get("/stocks/PETR4/book", depth=depth)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "depth"]


def test_balance_is_sold_minus_bought(engine):
    seller, buyer = register("Seller"), register("Buyer")
    place(Api(seller.secret), "ask", 3500, 100)
    place(Api(buyer.secret), "bid", None, 40)
    assert Api(seller.secret).get("/balance").json() == {
        "broker_id": str(seller.broker.id),
        "broker_name": "Seller",
        "balance": 140_000,
    }
    assert Api(buyer.secret).get("/balance").json()["balance"] == -140_000


def test_balance_of_a_broker_that_never_traded_is_zero(db):
    assert Api(register("Alpha").secret).get("/balance").json()["balance"] == 0


def test_what_is_finer_than_a_cent_is_not_offered(alpha, beta):
    create_asset(code="USD", kind="FIAT", scale=4)
    create_asset(code="FINE", kind="SECURITY", scale=0)
    create_instrument(
        symbol="FINE",
        kind="EQUITY",
        base="FINE",
        quote="USD",
        tick_size=Decimal("0.025"),
        lot_size=Decimal(1),
        price_rule="SELLER",
        shard=0,
    )
    body = {
        "account_id": None,
        "document_number": "1",
        "symbol": "FINE",
        "side": "SELL",
        "limit_price": "10.025",
        "quantity": 5,
    }
    placed = Api(alpha.key, "/api/v1").post("/orders", body)
    assert placed.status_code == 201
    order = {"document_number": "1", "side": "bid", "symbol": "FINE", "price": 1000}
    for answer in (
        beta.get("/stocks/FINE/book"),
        beta.get("/stocks/FINE/price"),
        beta.post("/orders", order | {"quantity": 1, "valid_until": TOMORROW}),
        alpha.get(f"/orders/{placed.json()['id']}"),
    ):
        assert answer.status_code == 422
        assert "finer than whole cents" in answer.json()["detail"]
    assert Order.objects.count() == 1


def test_fractional_quantities_are_not_offered(alpha):
    make_instrument("COIN", base="BTC", kind="SPOT", lot_size=Decimal("0.01"))
    assert alpha.get("/stocks/COIN/book").status_code == 422


def test_cents_are_exact_in_and_out():
    assert from_cents(3550) == Decimal("35.50")
    assert to_cents(Decimal("-35.5000")) == -3550
    assert to_whole(Decimal("2.00000000")) == 2
    assert mean_in_cents(Decimal("35.5099")) == 3550
    for show, amount in ((to_cents, "35.5099"), (to_cents, "-0.001"), (to_whole, "1.99999999")):
        with pytest.raises(NotInWholeCents):
            show(Decimal(amount))
