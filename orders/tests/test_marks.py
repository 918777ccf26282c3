"""Mark prices over HTTP, and those that the venue computes."""

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.utils import timezone

from common.valkey import key
from ledger.models import Alert
from margin.tests.world import make_perpetual, make_trader, order, set_mark
from marketdata.models import Instrument, MarkPrice
from marketdata.tests.factories import make_instrument
from orders.services.computed_marks import compute_mark_prices
from orders.services.indexes import find_index_price
from orders.tests.fixtures import Api


@pytest.fixture
def api(engine: object) -> Api:
    make_perpetual()
    return make_trader("Poster", collateral=100_000)[1]


def problem(answer: object, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.content  # type: ignore[attr-defined]
    document: dict[str, object] = answer.json()  # type: ignore[attr-defined]
    return document


def test_a_mark_is_posted_and_read(api: Api) -> None:
    assert api.get("instruments/BTC-PERP/mark").status_code == 404
    assert api.get("instruments/BTC-PERP/ticker").json()["mark_price"] is None
    answer = api.post("mark-price", {"symbol": "btc-perp", "price": 51000})

    assert answer.status_code == 200
    document = answer.json()
    assert (document["symbol"], document["price"], document["source"]) == (
        "BTC-PERP", "51000", "POSTED",
    )  # fmt: skip
    assert not document["is_stale"]
    assert api.get("instruments/BTC-PERP/mark").json()["price"] == "51000"
    assert api.get("instruments/BTC-PERP/ticker").json()["mark_price"] == "51000"
    assert api.get("price/BTC-PERP").json()["price"] == "51000"
    assert MarkPrice.objects.get().actor.startswith("key:")


def test_a_jump_is_refused_with_its_facts_unless_it_is_forced(api: Api) -> None:
    api.post("mark-price", {"symbol": "BTC-PERP", "price": 50000})
    refusal = problem(api.post("mark-price", {"symbol": "BTC-PERP", "price": "60000.01"}), 422)

    assert refusal["code"] == "mark_jump_too_large"
    assert (refusal["mark_price"], refusal["step_max"]) == ("50000", "10000")
    assert MarkPrice.objects.count() == 1
    body = {"symbol": "BTC-PERP", "price": "60000.01", "force": True}
    assert api.post("mark-price", body).status_code == 200


@pytest.mark.parametrize("price", ["0.001", 0, -1, "NaN", "1e15"])
def test_a_price_is_some_whole_ticks(api: Api, price: object) -> None:
    refusal = problem(api.post("mark-price", {"symbol": "BTC-PERP", "price": price}), 422)
    assert refusal["code"] == "invalid"
    assert not MarkPrice.objects.exists()


def test_a_mark_that_was_set_has_accounts_looked_at(api: Api, valkey: Any) -> None:
    api.post("mark-price", {"symbol": "BTC-PERP", "price": "60000.001"})
    assert not valkey.exists(key("liquidations:nudged"))

    api.post("mark-price", {"symbol": "BTC-PERP", "price": 50000})

    assert valkey.exists(key("liquidations:nudged"))


def test_only_perpetuals_have_marks_and_only_some_keys_set_them(api: Api) -> None:
    make_instrument("ACME")
    refusal = problem(api.post("mark-price", {"symbol": "ACME", "price": 1}), 422)
    assert refusal["code"] == "not_perpetual"
    assert api.post("mark-price", {"symbol": "NONE", "price": 1}).status_code == 404
    from orders.tests.fixtures import register

    reader = Api(register("Reader").secret, "/api/v1/")
    refusal = problem(reader.post("mark-price", {"symbol": "BTC-PERP", "price": 1}), 403)
    assert refusal["code"] == "missing_scope"


# --- computed -------------------------------------------------------------------------------------


def age(seconds: int) -> None:
    MarkPrice.objects.update(as_of=timezone.now() - timedelta(seconds=seconds))


def test_a_mark_that_is_fresh_is_left_alone(api: Api) -> None:
    set_mark(50_000)
    age(290)
    assert compute_mark_prices() == 0


def test_an_old_mark_follows_the_median_of_book_and_last_price(api: Api) -> None:
    set_mark(50_000)
    api.post("orders", order("SELL", 50_100, "0.01"))
    api.post("orders", order("BUY", 50_100, "0.01"))
    api.post("orders", order("SELL", 50_400, "0.01"))
    api.post("orders", order("BUY", 50_000, "0.01"))
    age(301)

    assert compute_mark_prices() == 1
    mark = MarkPrice.objects.latest("id")
    assert (mark.price, mark.source, mark.actor) == (D(50_150), "COMPUTED", "venue")


def test_a_perpetual_is_not_its_own_index(api: Api) -> None:
    own = make_perpetual("BTC-USDT")
    set_mark(50_000, "BTC-USDT")

    assert find_index_price(own) is None


def test_a_stale_mark_that_cannot_be_computed_is_an_alert(api: Api) -> None:
    set_mark(50_000)
    age(601)
    assert compute_mark_prices() == 0
    alert = Alert.objects.get(resolved_at=None)
    assert (alert.kind, alert.subject) == ("mark_stale", "BTC-PERP")
    set_mark(50_000)
    compute_mark_prices()
    assert not Alert.objects.filter(resolved_at=None).exists()


def test_what_does_not_trade_gets_no_mark(api: Api) -> None:
    set_mark(50_000)
    age(601)
    Instrument.objects.update(state="HALTED")
    assert compute_mark_prices() == 0
    assert not Alert.objects.exists()
