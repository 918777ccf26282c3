"""A trading day of two brokers over the classic dialect, told with every balance."""

import json
from typing import Any

from django.conf import settings

from brokers.models import WebhookDelivery
from orders.tests.fixtures import Api

CLOSE = "2100-02-15T23:59:59Z"


def registered(name: str, **fields: Any) -> Api:
    answer = Api(settings.ADMIN_API_KEY).post("/register", {"name": name} | fields)
    assert answer.status_code == 201
    return Api(answer.json()["api_key"])


def send(api: Api, side: str, quantity: int, price: int | None = None) -> str:
    body = {"document_number": "12345678901", "side": side, "symbol": "PETR4", "quantity": quantity}
    if price is None:
        body |= {"order_type": "market"}
    else:
        body |= {"price": price, "valid_until": CLOSE}
    answer = api.post("/orders", body)
    assert answer.status_code == 201, answer.content
    return answer.json()["order_id"]


def book(api: Api) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    shown = api.get("/stocks/PETR4/book").json()
    bids, asks = (
        [(level["price"], level["total_quantity"]) for level in shown[side]]
        for side in ("bids", "asks")
    )
    return bids, asks


def balance(api: Api) -> int:
    return api.get("/balance").json()["balance"]


def remaining(api: Api, order_id: str) -> tuple[str, int]:
    order = api.get(f"/orders/{order_id}").json()
    return order["status"], order["remaining_quantity"]


def test_a_day_of_two_brokers(engine):
    hooked = registered("Hooked", webhook_url="http://127.0.0.1:9/hook")
    plain = registered("Plain")
    assert (balance(hooked), balance(plain)) == (0, 0)

    # Hooked offers 1,000 at 35.00 and another 500 at 36.00; nobody buys yet.
    cheap, dear = send(hooked, "ask", 1000, 3500), send(hooked, "ask", 500, 3600)
    assert book(plain) == ([], [(3500, 1000), (3600, 500)])
    assert plain.get("/stocks/PETR4/price").status_code == 404

    # Plain bids 36.00 for 400: the gap goes at the seller's price.
    first = send(plain, "bid", 400, 3600)
    assert remaining(plain, first) == ("closed", 0)
    assert remaining(hooked, cheap) == ("open", 600)
    assert (balance(hooked), balance(plain)) == (400 * 3500, -400 * 3500)

    # A market order sweeps the rest of the first level and some of the second.
    sweep = send(plain, "bid", 700)
    trades = plain.get(f"/orders/{sweep}").json()["trades"]
    assert [(trade["price"], trade["quantity"]) for trade in trades] == [(3500, 600), (3600, 100)]
    assert remaining(hooked, cheap) == ("closed", 0)
    assert remaining(hooked, dear) == ("open", 400)
    sold = 400 * 3500 + 600 * 3500 + 100 * 3600
    assert (balance(hooked), balance(plain)) == (sold, -sold)
    assert plain.get("/stocks/PETR4/price").json() == {
        "symbol": "PETR4",
        "last_price": 3600,
        "average_price": 3533,
        "trades_in_average": 3,
    }

    # Plain rests a bid; Hooked sells into it below its limit: the seller's price again.
    rest = send(plain, "bid", 50, 3400)
    send(hooked, "ask", 20, 3300)
    assert remaining(plain, rest) == ("open", 30)
    sold += 20 * 3300
    assert (balance(hooked), balance(plain)) == (sold, -sold)

    # What rests is canceled; a second cancel changes nothing.
    for _ in range(2):
        assert plain.post(f"/orders/{rest}/cancel").status_code == 204
    assert hooked.post(f"/orders/{dear}/cancel").status_code == 204
    assert book(plain) == ([], [])

    # The broker with a webhook is told of each of its trades, on either side.
    told = [json.loads(d.payload) for d in WebhookDelivery.objects.order_by("id")]
    assert [(one["side"], one["price"], one["quantity"]) for one in told] == [
        ("ask", 3500, 400),
        ("ask", 3500, 600),
        ("ask", 3600, 100),
        ("ask", 3300, 20),
    ]
    assert [one["order_remaining_quantity"] for one in told] == [600, 0, 400, 0]
    assert {one["order_id"] for one in told[:2]} == {cheap}
    assert Api(settings.ADMIN_API_KEY).get("/debug/trade-count").json() == {"count": 4}
