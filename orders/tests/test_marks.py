"""Mark prices over HTTP, and those that the venue computes."""

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.utils import timezone

from common.valkey import key
from ledger.models import Alert
from margin.tests.factories import make_premium_sample
from margin.tests.world import make_perpetual, make_trader, order, set_mark
from marketdata.models import Instrument, MarkPrice
from marketdata.tests.factories import make_instrument
from orders.services.computed_marks import compute_mark_prices
from orders.services.funding import sample_premiums
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


@pytest.fixture
def index(prices: dict[str, str]) -> dict[str, str]:
    """The underlying pair is listed and costs 60,000."""
    prices["BTC-USDT"] = "60000"
    make_instrument("BTC-USDT", base="BTC", quote="USDT", kind="SPOT", lot_size=D("0.0001"))
    return prices


def computed() -> D:
    """The mark that the venue sets now, after the last one has lived half of its time."""
    age(301)
    assert compute_mark_prices() == 1
    mark = MarkPrice.objects.latest("id")
    assert (mark.source, mark.actor) == ("COMPUTED", "venue")
    return mark.price


def test_an_old_mark_follows_the_index(api: Api, index: dict[str, str]) -> None:
    set_mark(59_000)

    assert computed() == 60_000


def test_a_mark_is_off_the_index_by_the_average_premium(api: Api, index: dict[str, str]) -> None:
    set_mark(60_000)
    now = timezone.now()
    perpetual = Instrument.objects.get(symbol="BTC-PERP")
    make_premium_sample(perpetual, now - timedelta(minutes=2), "0.008")
    make_premium_sample(perpetual, now - timedelta(minutes=16), "0.5")
    assert computed() == 60_060

    # Half the maintenance margin rate of 10 % is the most, whatever the book says.
    for minutes in (1, 3, 4, 5):
        make_premium_sample(perpetual, now - timedelta(minutes=minutes), "0.5")
    assert computed() == 63_000


def test_one_account_does_not_move_a_mark(api: Api, index: dict[str, str]) -> None:
    """Its orders on both sides, its trades with itself and with others: the mark is the index."""
    set_mark(60_000)
    _, other = make_trader("Other", collateral=100_000)
    other.post("orders", order("BUY", 48_000, "0.01"))
    assert api.post("orders", order("SELL", 48_000, "0.01")).json()["status"] == "FILLED"
    api.post("orders", order("BUY", 49_000, "0.1"))
    api.post("orders", order("SELL", 49_500, "0.1"))

    assert sample_premiums(now=timezone.now()) == 0
    assert computed() == 60_000


def test_without_an_index_no_mark_is_computed(api: Api) -> None:
    set_mark(50_000)
    _, other = make_trader("Other", collateral=100_000)
    for side, price in (("BUY", 50_000), ("SELL", 50_400)):
        for one in (api, other):
            one.post("orders", order(side, price, "0.1"))
    age(601)

    assert compute_mark_prices() == 0

    assert MarkPrice.objects.count() == 1
    alert = Alert.objects.get(resolved_at=None)
    assert (alert.kind, alert.subject) == ("mark_stale", "BTC-PERP")


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
