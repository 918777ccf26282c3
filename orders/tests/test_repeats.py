"""The same client_order_id again: one order, however often and however at once."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection

from marketdata.services import list_symbol
from orders.errors import ClientOrderIdConflict, EngineUnavailable, OrderRefused
from orders.models import Order
from orders.selectors.orders import get_order
from orders.tests.fixtures import place, principal_of, state_of
from orders.tests.live_engine import live_engine
from orders.types import PlacedOrder


def test_the_same_client_order_id_gives_the_first_order_again(alpha, beta):
    first = place(alpha, "SELL", "10.00", "5", client_order_id="k")
    place(beta, "BUY", "10.00", "2")
    again = place(alpha, "SELL", "10.000", "5.0", client_order_id="k")
    assert again.order.id == first.order.id
    assert not again.was_created
    assert state_of(again) == ("PARTIALLY_FILLED", 2, Decimal(10))
    assert Order.objects.count() == 2


@pytest.mark.parametrize(
    "other",
    [
        {"side": "SELL"},
        {"limit_price": Decimal(2)},
        {"quantity": Decimal(2)},
        {"time_in_force": "IOC"},
        {"time_in_force": "GTD", "valid_until": datetime(2100, 1, 1, tzinfo=UTC)},
    ],
)
def test_the_same_client_order_id_with_other_content_is_a_conflict(alpha, other):
    place(alpha, "BUY", "1", "1", client_order_id="k")
    side = other.pop("side", "BUY")
    with pytest.raises(ClientOrderIdConflict):
        place(alpha, side, "1", "1", client_order_id="k", **other)
    assert Order.objects.count() == 1


def test_accounts_have_their_own_client_order_ids(alpha):
    one = place(alpha, "BUY", "1", "1", client_order_id="k")
    two = place(alpha, "BUY", "1", "1", client_order_id="k", document_number="2")
    assert one.order.id != two.order.id


def test_a_repeat_works_without_an_engine_and_after_the_orders_time(transactional_db, valkey):
    alpha = principal_of("Alpha")
    soon = datetime.now(UTC) + timedelta(seconds=0.3)
    fields = {"time_in_force": "GTD", "valid_until": soon, "client_order_id": "k"}
    with live_engine():
        first = place(alpha, "BUY", "1", "1", **fields)
    time.sleep(0.35)
    again = place(alpha, "BUY", "1", "1", **fields)
    assert (again.order.id, again.order.status) == (first.order.id, Order.objects.get().status)
    with pytest.raises(EngineUnavailable):
        place(alpha, "BUY", "1", "1")


def test_a_repeated_refusal_is_the_same_refusal(engine):
    poor = principal_of("Poor", default_funding="PREFUNDED")
    ids = set()
    for _ in range(2):
        with pytest.raises(OrderRefused) as refusal:
            place(poor, "BUY", "10.00", "3", client_order_id="k")
        facts = refusal.value.facts
        assert (facts["required"], facts["available"]) == (30, 0)
        ids.add(facts["order_id"])
    assert len(ids) == 1
    assert Order.objects.count() == 1
    stored = get_order(principal=poor, order_id=UUID(ids.pop()))
    assert stored.refusal_facts == {"required": 30, "available": 0}


def test_twenty_threads_with_one_client_order_id_get_one_order(alpha, settings):
    instrument = list_symbol("ACME")

    def send(_: int) -> PlacedOrder:
        try:
            return place(alpha, "BUY", "1", "1", client_order_id="k", instrument=instrument)
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    assert Order.objects.count() == 1
    assert len({answer.order.id for answer in answers}) == 1
    assert sum(answer.was_created for answer in answers) == 1
    assert {state_of(answer) for answer in answers} == {("OPEN", Decimal(0), None)}
