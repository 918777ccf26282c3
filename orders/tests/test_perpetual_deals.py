"""Dealing in a perpetual at its mark over HTTP: the requirement's own example."""

from decimal import Decimal as D

import pytest

from brokers.models import Broker, TradingAccount
from brokers.services.house import HOUSE_BROKER_ID
from exchange_project.reconciliation import check_venue
from margin.models import Position
from margin.tests.world import make_perpetual, make_trader, set_mark
from marketdata.models import Instrument, MarkPrice
from orders.models import Order, Trade
from orders.tests.fixtures import Api


@pytest.fixture
def trader(engine: object) -> tuple[TradingAccount, Api]:
    make_perpetual()
    set_mark(50_000)
    return make_trader("Trader", collateral=10_000)


def buy(account: TradingAccount, **fields: object) -> dict[str, object]:
    body = {
        "account_id": account.id, "symbol": "BTC-PERP", "side": "BUY", "quantity": 0.1,
        "price": 50000,
    }  # fmt: skip
    return body | fields


def test_the_example_of_the_requirement_works(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    answer = api.post("trade", buy(account))

    assert answer.status_code == 201, answer.content
    document = answer.json()
    assert (document["status"], document["price"], document["notional"]) == (
        "FILLED", "50000", "5000",
    )  # fmt: skip
    assert (document["price_source"], document["holding"]) == ("mark posted", "0.1")
    [position] = api.get(f"positions/{account.id}").json()["positions"]
    assert position["quantity"] == "0.1"
    assert api.get(f"trades/{account.id}").json()["results"][0]["price"] == "50000"
    dealer = TradingAccount.objects.get(broker_id=HOUSE_BROKER_ID)
    assert Position.objects.get(account=dealer).quantity == D("-0.1")
    assert not [result for result in check_venue(shown_max=5) if result.difference_count]


def test_a_second_deal_is_with_the_same_house(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    api.post("trade", buy(account))
    body = buy(account, side="SELL", price=None)
    assert api.post("trade", body).json()["holding"] == "0"
    assert Broker.objects.filter(name="House").count() == 1


def test_a_deal_is_refused_with_its_reason_and_stored(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    refusal = api.post("trade", buy(account, price="49999.99"))
    assert refusal.status_code == 422
    assert refusal.json()["code"] == "price_not_marketable"
    refusal = api.post("trade", buy(account, quantity="1.0001"))
    assert refusal.json()["code"] == "insufficient_margin"
    assert (refusal.json()["required"], refusal.json()["available"]) == ("10001", "10000")
    assert Order.objects.filter(status="REJECTED", venue="DEALER").count() == 2
    assert not Trade.objects.exists()


@pytest.mark.parametrize("price", [None, 50_000])
@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"min_notional": D("5000.01")}, "notional_below_minimum"),
        ({"max_notional": D("4999.99")}, "notional_above_maximum"),
    ],
)
def test_limits_of_notional_count_with_and_without_a_price(
    trader: tuple[TradingAccount, Api], price: int | None, limits: dict[str, D], code: str
) -> None:
    account, api = trader
    Instrument.objects.update(**limits)
    refusal = api.post("trade", buy(account, price=price))
    assert (refusal.status_code, refusal.json()["code"]) == (422, code)
    assert not Trade.objects.exists()


@pytest.mark.parametrize("price", [None, 50_000])
def test_no_deal_is_worth_more_than_the_venue_counts(
    trader: tuple[TradingAccount, Api], price: int | None
) -> None:
    account, api = trader
    # 50,000 × 10^8 USDT are 5 × 10^18 smallest units.
    refusal = api.post("trade", buy(account, quantity=10**8, price=price))
    assert (refusal.status_code, refusal.json()["errors"][0]["code"]) == (422, "notional_too_large")
    assert not Order.objects.exists()


def test_without_a_fresh_mark_nobody_deals(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    MarkPrice.objects.update(as_of="2020-01-01T00:00:00Z")
    refusal = api.post("trade", buy(account))
    assert (refusal.status_code, refusal.json()["code"]) == (503, "no_market_price")
    MarkPrice.objects.all().delete()
    assert api.post("trade", buy(account)).status_code == 503
    assert not Order.objects.exists()


def test_the_same_deal_again_is_the_first(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    first = api.post("trade", buy(account, client_order_id="one"))
    again = api.post("trade", buy(account, client_order_id="one"))
    other = api.post("trade", buy(account, client_order_id="one", quantity="0.2"))

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json()["trade_id"] == again.json()["trade_id"]
    assert Position.objects.get(account=account).quantity == D("0.1")


def test_the_same_deal_again_answers_what_the_first_did(
    trader: tuple[TradingAccount, Api],
) -> None:
    account, api = trader
    Instrument.objects.update(taker_fee_rate=D("0.001"))
    first = api.post("trade", buy(account, client_order_id="one"))
    assert (first.json()["holding"], first.json()["cash_balance"]) == ("0.1", "9995")
    assert api.post("trade", buy(account, quantity="0.05")).json()["holding"] == "0.15"

    again = api.post("trade", buy(account, client_order_id="one"))
    assert (again.status_code, again.json()) == (200, first.json())


def test_a_refusal_is_told_again_with_its_facts(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    body = buy(account, quantity="1.0001", client_order_id="one")
    first, again = (api.post("trade", body) for _ in range(2))
    facts = {"required": "10001", "available": "10000"}
    for refusal in (first.json(), again.json()):
        assert {name: refusal[name] for name in facts} == facts
    order = api.get(f"orders/{first.json()['order_id']}").json()
    assert (order["status"], order["refusal_facts"]) == ("REJECTED", facts)


def test_an_idempotency_key_deals_once(trader: tuple[TradingAccount, Api]) -> None:
    account, api = trader
    api._headers["Idempotency-Key"] = "once"
    answers = [api.post("trade", buy(account)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1]["Idempotency-Replayed"] == "true"
    assert answers[0].json()["client_order_id"] is None
    assert api.post("trade", buy(account, quantity="0.2")).status_code == 422
    named = buy(account) | {"client_order_id": "mine"}
    assert api.post("trade", named).status_code == 422, "the key counts beside it"
    assert Trade.objects.count() == 1
