"""Dealing at market prices: rules of price, money and repetition, and what is written."""

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from brokers.models import WebhookDelivery
from brokers.services import create_webhook_endpoint, suspend_account
from common.ids import shard_of
from common.reconciliation import run_checks
from exchange_project.reconciliation import CHECKS
from ledger.models import JournalEntry, LedgerAccount, Posting
from marketdata.models import Instrument
from marketdata.selectors import get_instrument_spec
from marketdata.services import list_symbol
from marketdata.tests.factories import make_instrument
from orders.models import DealPrice, Order, Trade
from orders.tests.dealing import api_of, at_once, cash, counts, make_client, problem, shares
from orders.types import SERVICES_SHARD

pytestmark = pytest.mark.django_db
FEE: dict[str, Any] = {"taker_fee_rate": Decimal("0.0005"), "maker_fee_rate": Decimal("0.0002")}


def buy(quantity: object = "10", **fields: object) -> dict[str, object]:
    return {"symbol": "ACME", "side": "BUY", "quantity": quantity, **fields}


def sell(quantity: object = "10", **fields: object) -> dict[str, object]:
    return buy(quantity, side="SELL", **fields)


def test_a_buy_pays_the_market_price_and_the_fee(prices):
    make_instrument(**FEE)
    account, api = make_client(("2000", "USD"))

    answer = api.post("/trade", buy(price="151.00", client_order_id="one"))

    assert answer.status_code == 201, answer.content
    document = answer.json()
    trade = Trade.objects.get()
    # 10 × 150.25 = 1502.50; 0.05 % of it is 0.75125, at four decimals 0.7513.
    assert document == {
        "trade_id": str(trade.id),
        "order_id": str(trade.buy_order_id),
        "client_order_id": "one",
        "account_id": account.id,
        "symbol": "ACME",
        "side": "BUY",
        "status": "FILLED",
        "reason": None,
        "quantity": "10",
        "price": "150.25",
        "notional": "1502.5",
        "fee": "0.7513",
        "price_source": "fixed",
        "price_as_of": document["price_as_of"],
        "price_age_seconds": document["price_age_seconds"],
        "is_price_simulated": False,
        "cash_balance": "496.7487",
        "holding": "10",
        "executed_at": document["executed_at"],
    }
    assert (cash(account), shares(account)) == (Decimal("496.7487"), 10)


def test_what_is_written(prices):
    make_instrument(**FEE)
    account, api = make_client(("2000", "USD"), ("5", "ACME"))
    create_webhook_endpoint(broker_id=account.broker_id, url="http://receiver.test/hook")

    api.post("/trade", sell("5", client_order_id="s"))

    order, trade = Order.objects.get(), Trade.objects.get()
    assert (order.venue, order.status, order.order_type, order.time_in_force) == (
        "DEALER",
        "FILLED",
        "MARKET",
        "IOC",
    )
    assert (order.filled_quantity, order.taker_notional, order.taker_fee) == (
        5,
        Decimal("751.25"),
        Decimal("0.3756"),
    )
    assert (order.sequence, trade.sequence) == (0, 0)
    assert shard_of(order.id) == shard_of(trade.id) == SERVICES_SHARD
    assert (trade.venue, trade.sell_order_id, trade.buy_order_id) == ("DEALER", order.id, None)
    assert (trade.sell_account_id, trade.buy_account_id) == (account.id, None)
    entry = JournalEntry.objects.get(kind="TRADE")
    assert (entry.id, entry.source_kind, entry.source_id) == (trade.id, "trade", trade.id)
    lines = Posting.objects.filter(entry=entry).values_list(
        "ledger_account__kind", "ledger_account__shard", "asset__code", "amount"
    )
    assert set(lines) == {
        ("CASH", -1, "USD", Decimal("750.8744")),
        ("DEALER", -1, "USD", Decimal("-751.25")),
        ("FEES", -1, "USD", Decimal("0.3756")),
        ("SECURITY", -1, "ACME", Decimal(-5)),
        ("DEALER", -1, "ACME", Decimal(5)),
    }
    payload = json.loads(WebhookDelivery.objects.get().payload)
    assert payload == {
        "event": "trade_executed",
        "trade_id": str(trade.id),
        "order_id": str(order.id),
        "symbol": "ACME",
        "side": "ask",
        "price": 15025,
        "quantity": 5,
        "order_remaining_quantity": 0,
        "executed_at": payload["executed_at"],
    }
    assert DealPrice.objects.get(trade=trade).source == "fixed"


def test_the_other_spelling_and_a_coin(prices):
    make_instrument(
        "BTC-USD", base="BTC", kind="SPOT", lot_size=Decimal("0.01"), price_rule="MAKER", **FEE
    )
    _, api = make_client(("10000", "USD"))

    body = {"ticker": "btc-usd", "action": "buy", "quantity": 0.1, "price": 50001}
    document = api.post("/trade", body).json()

    assert (document["price"], document["notional"], document["fee"]) == (
        "50000.1",
        "5000.01",
        "2.5",
    )
    assert (document["holding"], document["cash_balance"]) == ("0.1", "4997.49")


def test_trades_finer_than_a_cent_are_reported_as_decimals_alone(prices):
    make_instrument("FINE", tick_size=Decimal("0.0001"))
    prices["FINE"] = "0.0149"
    account, api = make_client(("2000", "USD"))
    for payload_format in ("CLASSIC", "DECIMAL"):
        create_webhook_endpoint(
            broker_id=account.broker_id,
            url=f"https://example.com/{payload_format}",
            payload_format=payload_format,
        )
    assert api.post("/trade", buy("3", symbol="FINE")).json()["price"] == "0.0149"
    delivery = WebhookDelivery.objects.select_related("endpoint").get()
    assert delivery.endpoint.payload_format == "DECIMAL"
    told = json.loads(delivery.payload)
    assert (told["price"], told["quantity"], told["side"]) == ("0.0149", "3", "BUY")

    assert api.post("/trade", buy("1")).status_code == 201
    payloads = [json.loads(one.payload) for one in WebhookDelivery.objects.all()]
    assert {one["price"] for one in payloads if one["symbol"] == "ACME"} == {15025, "150.25"}


def test_a_share_below_one_lists_with_a_finer_tick_by_the_services_quote_alone(prices):
    prices |= {"PENNY": "0.0149", "MINI": "0.0040", "OTHER": "0.0149"}
    _, api = make_client(("2000", "USD"))
    for symbol, price in (("PENNY", "0.0149"), ("MINI", "0.004")):
        assert api.post("/trade", buy("1", symbol=symbol)).json()["price"] == price
        assert get_instrument_spec(symbol).tick_size == Decimal("0.0001")
    # What a caller names lists at a cent.
    assert list_symbol("OTHER").tick_size == Decimal("0.01")


def test_a_share_that_nobody_has_listed_is_dealt_in_where_a_service_knows_it(prices):
    _, api = make_client(("2000", "USD"))

    assert api.post("/trade", buy("1")).status_code == 201
    problem(api.post("/trade", buy("1", symbol="NOBODY")), 404, "unknown_ticker")


@pytest.mark.parametrize(("side", "price"), [("BUY", "150.24"), ("SELL", "150.26")])
def test_a_price_that_the_market_does_not_meet_is_refused_and_stored(prices, side, price):
    account, api = make_client(("2000", "USD"), ("10", "ACME"))

    refused = problem(api.post("/trade", buy(side=side, price=price)), 422, "price_not_marketable")

    assert (refused["market_price"], refused["price"]) == ("150.25", price)
    order = Order.objects.get()
    assert (order.status, order.reason, str(order.id)) == (
        "REJECTED",
        "price_not_marketable",
        refused["order_id"],
    )
    assert (order.filled_quantity, Trade.objects.count()) == (0, 0)
    assert (cash(account), shares(account)) == (2000, 10)


@pytest.mark.parametrize(("side", "price"), [("BUY", "150.25"), ("SELL", "150.25")])
def test_exactly_the_market_price_will_do(prices, side, price):
    _, api = make_client(("2000", "USD"), ("10", "ACME"))

    assert api.post("/trade", buy(side=side, price=price)).status_code == 201


def test_too_little_cash_is_refused_and_stored(prices):
    make_instrument(**FEE)
    account, api = make_client(("1503.2512", "USD"))

    refused = problem(api.post("/trade", buy()), 422, "insufficient_funds")

    assert (refused["required"], refused["available"]) == ("1503.2513", "1503.2512")
    assert (Order.objects.get().status, cash(account)) == ("REJECTED", Decimal("1503.2512"))
    assert not JournalEntry.objects.filter(kind="TRADE").exists()
    assert not Trade.objects.exists()


def test_too_little_of_the_share_is_refused_and_stored(prices):
    account, api = make_client(("9", "ACME"))

    refused = problem(api.post("/trade", sell()), 422, "insufficient_position")

    assert (refused["required"], refused["available"]) == ("10", "9")
    assert shares(account) == 9


def test_what_is_held_is_not_spent(prices):
    account, api = make_client(("2000", "USD"))
    LedgerAccount.objects.filter(trading_account=account).update(held_amount=600)

    refused = problem(api.post("/trade", buy()), 422, "insufficient_funds")

    assert refused["available"] == "1400"


def test_credit_goes_below_zero_down_to_its_limit(prices):
    account, api = make_client(funding="CREDIT", credit_limit=Decimal(2000))

    assert api.post("/trade", buy()).status_code == 201
    problem(api.post("/trade", buy()), 422, "credit_limit_exceeded")

    assert cash(account) == Decimal("-1502.5")
    assert api.post("/trade", sell("15")).status_code == 201
    assert shares(account) == -5


def test_no_price_changes_nothing(prices):
    make_instrument()
    prices.clear()
    account, api = make_client(("2000", "USD"))

    answer = api.post("/trade", buy(client_order_id="x"))

    problem(answer, 503, "no_market_price")
    assert "Retry-After" in answer
    assert (counts(), cash(account)) == ((0, 0), 2000)


def test_a_perpetual_is_not_dealt_in_without_a_mark(prices):
    make_instrument("BTC-PERP", base="BTC", kind="PERPETUAL", price_band_rate=Decimal("0.1"))
    _, api = make_client(("2000", "USD"))

    problem(api.post("/trade", buy(symbol="BTC-PERP")), 503, "no_market_price")
    assert counts() == (0, 0)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"state": "HALTED"}, "instrument_not_trading"),
        ({"min_quantity": Decimal(11)}, "quantity_below_minimum"),
        ({"max_quantity": Decimal(9)}, "quantity_above_maximum"),
        ({"min_notional": Decimal(1503)}, "notional_below_minimum"),
        ({"max_notional": Decimal(1502)}, "notional_above_maximum"),
    ],
)
def test_limits_of_the_instrument(prices, fields, code):
    make_instrument(**fields)
    account, api = make_client(("2000", "USD"))

    problem(api.post("/trade", buy()), 422, code)
    assert (Order.objects.get().reason, cash(account)) == (code, 2000)


@pytest.mark.parametrize("price", [None, "150.25"])
def test_no_deal_is_worth_more_than_the_venue_counts(prices, price):
    _, api = make_client(("100", "USD"), funding="CREDIT")
    # 150.25 × 10^12 are 1.5 × 10^18 smallest units of USD.
    body = buy(str(10**12)) | {"price": price}
    document = problem(api.post("/trade", body), 422, "invalid")
    assert [(one["field"], one["code"]) for one in document["errors"]] == [
        ("quantity", "notional_too_large")
    ]
    assert counts() == (0, 0)


def test_a_halt_counts_at_once(prices):
    make_instrument()
    _, api = make_client(("2000", "USD"))
    assert api.post("/trade", buy("1")).status_code == 201
    Instrument.objects.update(state="HALTED", taker_fee_rate=Decimal("0.01"))

    problem(api.post("/trade", buy("1")), 422, "instrument_not_trading")


def test_a_suspended_account_does_not_deal(prices):
    account, api = make_client(("2000", "USD"))
    suspend_account(account=account)

    problem(api.post("/trade", buy()), 422, "account_suspended")
    assert cash(account) == 2000


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (buy("0"), "quantity"),
        (buy("1.5"), "quantity"),
        (buy(price="150.255"), "limit_price"),
        (buy(side="HOLD"), "side"),
        ({"action": "buy", "quantity": 1}, "symbol"),
        (buy(client_order_id="no blanks"), "client_order_id"),
        (buy(surprise=1), "surprise"),
    ],
)
def test_what_is_malformed_is_not_stored(prices, body, field):
    make_instrument()
    _, api = make_client(("2000", "USD"))

    document = problem(api.post("/trade", body), 422, "invalid")

    assert [error["field"] for error in document["errors"]] == [field]
    assert counts() == (0, 0)


def test_the_same_client_order_id_answers_the_first_deal(prices):
    account, api = make_client(("5000", "USD"))
    first = api.post("/trade", buy(client_order_id="one"))
    api.post("/trade", buy("1"))
    prices.clear()

    again = api.post("/trade", buy(client_order_id="one"))

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    problem(api.post("/trade", buy("11", client_order_id="one")), 409, "client_order_id_conflict")
    assert (counts(), shares(account)) == ((2, 2), 11)


def test_a_refusal_is_told_again_without_a_second_order(prices):
    _, api = make_client(("1", "USD"))
    body = buy(client_order_id="poor")

    first = problem(api.post("/trade", body), 422, "insufficient_funds")
    again = problem(api.post("/trade", body), 422, "insufficient_funds")

    names = ("order_id", "required", "available")
    assert [again[name] for name in names] == [first[name] for name in names]
    assert first["available"] == "1"
    order = api.get(f"/orders/{first['order_id']}").json()
    assert order["refusal_facts"] == {"required": first["required"], "available": "1"}
    assert counts() == (1, 0)


def test_an_idempotency_key_deals_once_and_keeps_refusals(prices):
    account, api = make_client(("2000", "USD"))
    api._headers["Idempotency-Key"] = "k1"
    first = api.post("/trade", buy())
    again = api.post("/trade", buy())
    api._headers["Idempotency-Key"] = "k2"
    refused = [api.post("/trade", buy("100")) for _ in range(2)]

    assert (first.status_code, again.content) == (201, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert refused[0].content == refused[1].content
    problem(refused[0], 422, "insufficient_funds")
    assert (counts(), shares(account)) == ((2, 1), 10)


def test_who_may_deal_for_whom(prices):
    account, _ = make_client(("2000", "USD"))
    stranger, stranger_api = make_client(("2000", "USD"))
    whole_broker = api_of(account, account_id=None)

    assert whole_broker.post("/trade", buy(account_id=account.id)).status_code == 201
    document = problem(whole_broker.post("/trade", buy()), 422, "invalid")
    assert document["errors"][0]["field"] == "account_id"
    problem(stranger_api.post("/trade", buy(account_id=account.id)), 403, "other_account")
    reader = api_of(account, scopes=("read", "book"))
    problem(reader.post("/trade", buy()), 403, "missing_scope")
    assert (counts(), shares(account), shares(stranger)) == ((1, 1), 10, 0)


def test_the_books_agree_after_deals(prices):
    make_instrument(**FEE)
    _, api = make_client(("5000", "USD"), ("7", "ACME"))
    for body in (buy("3"), sell("7"), buy("9999"), buy("1", price="1.00")):
        api.post("/trade", body)

    assert {one.name: one.difference_count for one in run_checks(CHECKS, shown_max=3)} == {
        one.name: 0 for one in CHECKS
    }
    assert counts() == (4, 2)


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_never_spend_more_than_there_is(prices):
    make_instrument()
    account, api = make_client(("1502.50", "USD"))
    statuses = at_once(20, lambda _: api.post("/trade", buy("1")).status_code)

    assert statuses.count(201) == 10
    assert set(statuses) == {201, 422}
    assert (cash(account), shares(account)) == (0, 10)


@pytest.mark.django_db(transaction=True)
def test_one_client_order_id_at_once_deals_once(prices):
    make_instrument()
    account, api = make_client(("15000", "USD"))

    answers = at_once(8, lambda _: api.post("/trade", buy("1", client_order_id="one")))

    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["trade_id"] for answer in answers}) == 1
    assert (counts(), shares(account)) == ((1, 1), 1)


def test_ids_of_orders_are_those_of_services(prices):
    _, api = make_client(("2000", "USD"))
    document = api.post("/trade", buy("1")).json()

    assert shard_of(UUID(document["order_id"])) == SERVICES_SHARD
    answer = api.post(f"/orders/{document['order_id']}/cancel")
    assert (answer.status_code, answer.json()["result"]) == (200, "not_open")
