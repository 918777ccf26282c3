"""Cancels: decided by the engine, found by the shard in the id."""

import dataclasses
from typing import Any

import pytest

from brokers.types import Principal
from common.ids import new_uuid
from common.valkey import get_client
from marketdata.services import list_symbol
from marketdata.types import InstrumentSpec
from orders.commands import CommandOutcome
from orders.errors import EngineUnavailable
from orders.models import Order
from orders.services.cancel import cancel_all_orders, cancel_order
from orders.streams import alive_key
from orders.tests.fixtures import place, principal_of
from orders.tests.live_engine import live_engine
from orders.tests.standin import StandIn
from orders.types import Result


def test_cancel_says_what_became_of_it(alpha, beta):
    order_id = place(alpha, "BUY", "1", "1").order.id
    assert cancel_order(principal=beta, order_id=order_id) == Result.FORBIDDEN
    assert cancel_order(principal=alpha, order_id=order_id) == Result.CANCELED
    assert cancel_order(principal=alpha, order_id=order_id) == Result.NOT_OPEN
    assert cancel_order(principal=alpha, order_id=new_uuid(0)) == Result.UNKNOWN_ORDER
    stored = Order.objects.get(id=order_id)
    assert (stored.status, stored.reason) == ("CANCELED", "by_user")


def test_a_cancel_finds_the_shard_by_the_id_or_else_by_the_database(alpha, settings):
    settings.ENGINE_SHARDS = 2
    order_id = place(alpha, "BUY", "1", "1").order.id
    moved = dataclasses.replace(list_symbol("ACME"), shard=0)
    assert moved.shard == 0

    def unknown(command: Any) -> CommandOutcome:
        return CommandOutcome(command.command_id, "unknown_order")

    with StandIn(unknown, shard=1) as other:
        strange = place_with_id_of_shard(alpha, 1, moved)
        assert cancel_order(principal=alpha, order_id=strange) == Result.CANCELED
        assert len(other.commands) == 1
    assert cancel_order(principal=alpha, order_id=order_id) == Result.CANCELED


def place_with_id_of_shard(alpha: Principal, shard: int, instrument: InstrumentSpec):
    """An order of shard 0 whose id says `shard`, as after a move of its instrument."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orders.services.place.new_uuid", lambda _: new_uuid(shard))
        return place(alpha, "BUY", "1", "1", instrument=instrument).order.id


def test_a_bound_key_cancels_for_its_account_alone(alpha):
    own = place(alpha, "BUY", "1", "1")
    other = place(alpha, "BUY", "1", "1", document_number="2")
    bound = dataclasses.replace(alpha, account_id=own.order.terms.account_id)
    assert cancel_order(principal=bound, order_id=other.order.id) == Result.FORBIDDEN
    assert cancel_order(principal=bound, order_id=own.order.id) == Result.CANCELED


def test_cancel_all_cancels_what_is_meant_and_nothing_else(alpha, beta):
    acme = [place(alpha, "BUY", "1", "1").order.id for _ in range(3)]
    second = place(alpha, "BUY", "1", "1", document_number="2").order
    other = place(alpha, "BUY", "1", "1", instrument=list_symbol("OTHER")).order
    foreign = place(beta, "BUY", "1", "1").order
    by_account = cancel_all_orders(principal=alpha, account_id=second.terms.account_id)
    assert by_account == {second.id: Result.CANCELED}
    by_symbol = cancel_all_orders(principal=alpha, symbol="ACME")
    assert by_symbol == dict.fromkeys(acme, Result.CANCELED)
    assert set(Order.objects.filter(status="OPEN").values_list("id", flat=True)) == {
        other.id,
        foreign.id,
    }


def test_a_cancel_without_an_engine_is_refused(transactional_db, valkey):
    alpha = principal_of("Alpha")
    with live_engine():
        order_id = place(alpha, "BUY", "1", "1").order.id
    with pytest.raises(EngineUnavailable):
        cancel_order(principal=alpha, order_id=order_id)
    assert not get_client().exists(alive_key(0))
