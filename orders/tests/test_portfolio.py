"""Average prices over trades of every kind, and what portfolio, positions and history show."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from common.ids import new_uuid
from common.money import EXACT
from ledger.services import deposit
from ledger.tests.factories import fund, make_rate
from ledger.types import AccountKind
from margin.models import Position
from margin.tests.world import make_perpetual
from marketdata.services import set_first_mark
from marketdata.tests.factories import make_instrument
from orders.calculations import next_average_price, realized_profit
from orders.engine.process.runner import Engine
from orders.models import AveragePrice
from orders.selectors import holdings
from orders.selectors.holdings import list_holdings
from orders.services import averages
from orders.services.averages import store_average_prices
from orders.tests.dealing import api_of, make_client, problem
from orders.tests.fixtures import Api

pytestmark = pytest.mark.django_db


def dec(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


@pytest.mark.parametrize(
    ("steps", "average"),
    [
        # (amount, price) one after the other
        ([("10", "100")], "100"),
        ([("10", "100"), ("30", "200")], "175"),
        ([("10", "100"), ("-4", "500"), ("6", "200")], "150"),
        ([("10", "100"), ("-10", "500")], None),
        ([("10", "100"), ("-10", "500"), ("1", "7")], "7"),
        ([("5", None)], None),
        ([("5", None), ("5", "100")], "100"),
        ([("10", "100"), ("10", None), ("20", "200")], "150"),
        ([("10", "100"), ("-3", None)], "100"),
        # short: sells are weighted, buys leave it
        ([("-10", "100"), ("-30", "200")], "175"),
        ([("-10", "100"), ("4", "1")], "100"),
        # and over zero
        ([("10", "100"), ("-15", "120")], "120"),
        ([("-10", "100"), ("15", "90"), ("5", "100")], "95"),
        ([("10", "100"), ("-15", None)], None),
    ],
)
def test_buys_are_weighted_and_sells_leave_the_average(steps, average):
    balance, now = Decimal(0), None
    for amount, price in steps:
        balance += Decimal(amount)
        now = next_average_price(
            now, amount=Decimal(amount), balance_after=balance, price=dec(price)
        )

    assert now == dec(average)


def test_thirds_are_not_rounded_on_the_way():
    first = next_average_price(
        Decimal(1), amount=Decimal(2), balance_after=Decimal(3), price=Decimal(2)
    )

    assert first == EXACT.divide(Decimal(5), Decimal(3))


def deal(api: Api, side: str, quantity: str, **fields: Any) -> None:
    body = {"symbol": "ACME", "side": side, "quantity": quantity, **fields}
    assert api.post("/trade", body).status_code == 201


def book(api: Api, account_id: int, side: str, quantity: str, price: str) -> None:
    body = {"symbol": "ACME", "side": side, "quantity": quantity, "price": price}
    order_id = api.post(f"/accounts/{account_id}/orders", body).json()["id"]
    assert api.post(f"/orders/{order_id}/execute").status_code == 200


def test_the_average_counts_trades_of_every_venue(prices, engine: Engine):
    account, api = make_client(("10000", "USD"))
    _, seller = make_client(("50", "ACME"))
    deal(api, "BUY", "10")
    book(api, account.id, "BUY", "10", "100.00")
    resting = {"symbol": "ACME", "side": "SELL", "limit_price": "90", "quantity": 20}
    assert seller.post("/orders", resting).status_code == 201
    taking = resting | {"side": "BUY", "account_id": account.id}
    assert api.post("/orders", taking).json()["status"] == "FILLED"
    deal(api, "SELL", "8")

    (position,) = api.get(f"/accounts/{account.id}/positions").json()["positions"]

    # (10 × 150.25 + 10 × 100 + 20 × 90) / 40 = 107.5625
    assert (position["quantity"], position["average_price"]) == ("32", "107.5625")
    venues = [row["venue"] for row in api.get(f"/trades/{account.id}").json()["results"]]
    assert venues == ["DEALER", "BOOK", "EXTERNAL", "DEALER"]


def test_the_portfolio_adds_up(prices):
    account, api = make_client(("2000", "USD"), ("7", "EUR"))
    book(api, account.id, "BUY", "10", "100.00")

    document = api.get("/portfolio").json()

    (holding,) = document.pop("holdings")
    assert document == {
        "account_id": account.id,
        "currency": "USD",
        "cash": "1000",
        "other_cash": "0",
        "collateral": "0",
        "market_value": "1502.5",
        "total_value": "2502.5",
        "profit": "502.5",
        "profit_rate": "0.5025",
        "unrealized_profit": "0",
        "realized_profits": [],
        "is_complete": False,
        "left_out": [
            {"asset": "EUR", "kind": "CASH", "amount": "7", "reason": "no_conversion_rate"}
        ],
        "balances": [
            {
                "asset": asset,
                "kind": "CASH",
                "balance": amount,
                "held_amount": "0",
                "available_balance": amount,
            }
            for asset, amount in (("EUR", "7"), ("USD", "1000"))
        ],
    }
    holding.pop("price_as_of"), holding.pop("price_age_seconds")
    assert holding == {
        "symbol": "ACME",
        "asset": "ACME",
        "quote_asset": "USD",
        "quantity": "10",
        "held_quantity": "0",
        "available_quantity": "10",
        "average_price": "100",
        "market_price": "150.25",
        "price_source": "fixed",
        "is_price_simulated": False,
        "is_price_stale": False,
        "price_error": None,
        "market_value": "1502.5",
        "cost": "1000",
        "profit": "502.5",
        "profit_rate": "0.5025",
        "allocation_percent": "60.04",
        "realized_profit": "0",
    }


def test_the_totals_count_all_currencies_coins_and_collateral(prices):
    fields = {"base": "BTC", "kind": "SPOT", "lot_size": Decimal("0.01"), "price_rule": "MAKER"}
    make_instrument("BTC-USD", **fields)
    make_rate("EUR", "USD", "1.25", "0.01")
    make_rate("USD", "USDT", "0.8")
    perpetual = make_perpetual()
    set_first_mark(instrument=perpetual, price=Decimal(50_000), actor="test")
    account, api = make_client(("2000", "USD"), ("100", "EUR"), ("0.5", "BTC"))
    deposit(
        account_id=account.id,
        asset="USDT",
        amount=Decimal(400),
        source_id=new_uuid(),
        actor="test",
        kind=AccountKind.MARGIN,
    )
    Position.objects.create(
        account=account,
        instrument_id=perpetual.id,
        quantity=Decimal("0.1"),
        cost_basis=Decimal(4_960),
        realized_pnl=Decimal("-3"),
        updated_at=timezone.now(),
    )

    document = api.get("/portfolio").json()

    # 100 EUR at 1.25; (400 collateral + 5,000 − 4,960) USDT at 1 / 0.8; 0.5 BTC at 50,000.10.
    totals = {"cash": "2000", "other_cash": "125", "collateral": "550", "market_value": "25000.05"}
    assert {name: document[name] for name in totals} == totals
    assert (document["total_value"], document["unrealized_profit"]) == ("27675.05", "50")
    assert (document["is_complete"], document["left_out"]) == (True, [])
    assert document["realized_profits"] == [
        {"symbol": "BTC-PERP", "quote_asset": "USDT", "amount": "-3"}
    ]
    assert document["holdings"][0]["allocation_percent"] == "90.33"


def test_realized_profit_is_shown_of_flat_positions_too(prices):
    account, api = make_client(("10000", "USD"))
    book(api, account.id, "BUY", "10", "100.00")
    book(api, account.id, "SELL", "4", "130.00")
    assert api.get("/portfolio").json()["holdings"][0]["realized_profit"] == "120"
    store_average_prices(every=1)
    book(api, account.id, "SELL", "6", "90.00")

    document = api.get("/portfolio").json()
    assert document["holdings"] == []
    assert document["realized_profits"] == [
        {"symbol": "ACME", "quote_asset": "USD", "amount": "60"}
    ]
    assert AveragePrice.objects.get().realized_profit == 120


@pytest.mark.parametrize(
    ("average", "amount", "after", "price", "gained"),
    [
        ("100", "-4", "6", "130", "120"),
        ("100", "4", "14", "130", "0"),
        ("100", "-15", "-5", "130", "300"),
        ("100", "4", "-6", "90", "40"),
        ("100", "-4", "6", None, "0"),
        (None, "-4", "6", "130", "0"),
    ],
)
def test_what_is_closed_realizes_its_profit(average, amount, after, price, gained):
    assert realized_profit(
        dec(average), amount=Decimal(amount), balance_after=Decimal(after), price=dec(price)
    ) == Decimal(gained)


def test_a_missing_price_leaves_its_figures_out_and_fails_nothing(prices):
    account, api = make_client(("2000", "USD"))
    book(api, account.id, "BUY", "10", "100.00")
    prices.clear()

    document = api.get("/portfolio").json()

    (holding,) = document["holdings"]
    assert (holding["market_price"], holding["price_error"]) == (None, "no_market_price")
    assert (holding["market_value"], holding["profit"], holding["cost"]) == (None, None, "1000")
    assert (document["market_value"], document["total_value"]) == ("0", "1000")
    assert document["is_complete"] is False


def test_one_without_a_price_spoils_no_other(prices):
    _, api = make_client(("5", "ACME"), ("3", "OTHER"), ("2", "THIRD"))
    for symbol in ("ACME", "OTHER", "THIRD"):
        make_instrument(symbol)
    prices |= {"OTHER": "7 EUR"}

    rows = api.get("/portfolio").json()["holdings"]

    assert {row["symbol"]: row["market_value"] or row["price_error"] for row in rows} == {
        "ACME": "751.25",
        "OTHER": "currency_mismatch",
        "THIRD": "no_market_price",
    }


def test_what_was_deposited_has_no_average(prices):
    _, api = make_client(("5", "ACME"))
    make_instrument()

    (holding,) = api.get("/portfolio").json()["holdings"]

    assert (holding["average_price"], holding["profit"], holding["market_value"]) == (
        None,
        None,
        "751.25",
    )


def test_a_holding_counts_in_the_venues_currency_where_it_can(prices):
    fields = {"base": "BTC", "kind": "SPOT", "lot_size": Decimal("0.01"), "price_rule": "MAKER"}
    make_instrument("BTC-EUR", quote="EUR", **fields)
    make_instrument("BTC-USD", **fields)
    prices |= {"BTC-EUR": "45000"}
    account, api = make_client(("60000", "USD"), ("50000", "EUR"))
    deal(api, "BUY", "1", symbol="BTC-EUR")
    deal(api, "BUY", "1", symbol="BTC-USD")

    (holding,), money = list_holdings(account.id)

    assert (holding.symbol, holding.quantity, holding.average_price) == (
        "BTC-USD",
        2,
        Decimal("50000.10"),
    )
    assert [balance.asset for balance in money] == ["EUR", "USD"]


def test_queries_do_not_grow_with_the_holdings(prices):
    account, api = make_client(("100000", "USD"))
    prices |= {f"S{number}": "10.00" for number in range(6)}

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            list_holdings(account.id)
        return len(captured)

    deal(api, "BUY", "1")
    few = queries()
    for number in range(6):
        deal(api, "BUY", "1", symbol=f"S{number}")

    assert (queries(), len(list_holdings(account.id)[0])) == (few, 7)
    assert few <= 4


def test_reads_go_on_from_the_stored_average(prices, monkeypatch):
    account, api = make_client(("10000", "USD"))
    book(api, account.id, "BUY", "10", "100.00")
    book(api, account.id, "BUY", "10", "200.00")
    book(api, account.id, "SELL", "5", "300.00")

    assert store_average_prices(every=4) == 0
    assert store_average_prices(every=3) == 1
    stored = AveragePrice.objects.get()
    assert (stored.account_version, stored.average_price) == (3, 150)
    book(api, account.id, "BUY", "15", "50.00")
    (holding,), _ = list_holdings(account.id)
    assert (holding.quantity, holding.average_price) == (30, 100)

    # What is stored is what is read on from; and too long a way is not gone.
    AveragePrice.objects.update(average_price=50)
    assert list_holdings(account.id)[0][0].average_price == 50
    monkeypatch.setattr(holdings, "TAIL_MAX", 0)
    assert list_holdings(account.id)[0][0].average_price is None


def test_long_ways_are_gone_in_steps(prices, monkeypatch):
    account, api = make_client(("10000", "USD"))
    for price in ("100.00", "200.00", "300.00", "400.00", "500.00"):
        book(api, account.id, "BUY", "1", price)
    monkeypatch.setattr(averages, "TAIL_MAX", 2)

    assert store_average_prices(every=1) == 3
    stored = AveragePrice.objects.get()
    assert (stored.account_version, stored.average_price) == (5, 300)
    assert store_average_prices(every=1) == 0


def test_history_has_filters_and_pages(prices):
    account, api = make_client(("10000", "USD"))
    book(api, account.id, "BUY", "1", "100.00")
    deal(api, "BUY", "2")
    deal(api, "SELL", "1")
    path = f"/trades/{account.id}"

    def quantities(**query: Any) -> list[tuple[str, str]]:
        answer = api.get(path, **query)
        assert answer.status_code == 200, answer.content
        return [(row["side"], row["quantity"]) for row in answer.json()["results"]]

    assert quantities() == [("SELL", "1"), ("BUY", "2"), ("BUY", "1")]
    assert quantities(side="sell") == [("SELL", "1")]
    assert quantities(venue="EXTERNAL") == [("BUY", "1")]
    assert quantities(symbol="acme", venue="DEALER", side="BUY") == [("BUY", "2")]
    assert quantities(symbol="OTHER") == []
    newest = api.get(path).json()["results"][0]["executed_at"]
    assert quantities(since=newest) == [("SELL", "1")]
    assert quantities(until=newest) == [("BUY", "2"), ("BUY", "1")]
    page = api.get(path, page_size=2).json()
    older = api._client.get(page["next"], headers=api._headers).json()
    assert [row["quantity"] for row in older["results"]] == ["1"]


def test_only_the_owner_looks(prices):
    account, _ = make_client(("10", "USD"))
    _, stranger = make_client()
    whole_broker = api_of(account, account_id=None)

    problem(stranger.get(f"/trades/{account.id}"), 403, "other_account")
    problem(stranger.get("/portfolio", account_id=account.id), 403, "other_account")
    problem(whole_broker.get("/portfolio"), 422, "invalid")
    assert whole_broker.get("/portfolio", account_id=account.id).json()["cash"] == "10"


def test_the_balance_of_a_bound_key_names_all_its_cash():
    account, api = make_client(("10", "USD"), ("3", "EUR"))
    fund(account, "5", "ACME")

    document = api.get("/balance").json()

    assert (document["asset"], document["balance"]) == ("USD", "10")
    assert [(row["asset"], row["balance"]) for row in document["balances"]] == [
        ("EUR", "3"),
        ("USD", "10"),
    ]
