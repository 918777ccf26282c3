"""Orders whose answer is late, lost or a failure: a peer that goes wrong."""

import time
from typing import Any

import pytest

from brokers.types import Principal
from common.errors import OutcomeUnknown
from orders.commands import DuplicateOutcome, ErrorOutcome, OrderOutcome
from orders.errors import DeadlineExceeded, EngineFailed
from orders.models import Order
from orders.tests.fixtures import place, principal_of
from orders.tests.live_engine import live_engine
from orders.tests.standin import StandIn


@pytest.fixture
def lonely(transactional_db, valkey) -> Principal:
    """A principal on a venue whose engine is a stand-in."""
    return principal_of("Lonely")


def test_an_order_that_waited_too_long_is_a_503(lonely):
    def too_late(command: Any) -> OrderOutcome:
        return OrderOutcome(
            command.command_id, "REJECTED", "deadline_exceeded", 0, 0, 0, 0, [], None
        )

    with StandIn(too_late), pytest.raises(DeadlineExceeded) as refusal:
        place(lonely, "BUY", "1", "1")
    assert (refusal.value.status, refusal.value.code) == (503, "deadline_exceeded")


def test_an_engine_that_fails_is_a_503(lonely):
    with (
        StandIn(lambda command: ErrorOutcome(command.command_id, "engine_error")),
        pytest.raises(EngineFailed) as refusal,
    ):
        place(lonely, "BUY", "1", "1")
    assert (refusal.value.status, refusal.value.code) == (503, "engine_error")


def test_a_late_engine_is_a_504_that_names_the_order(lonely, settings):
    settings.ORDER_WINDOW_SECONDS = 0
    with StandIn(lambda command: None) as peer, pytest.raises(OutcomeUnknown) as refusal:
        place(lonely, "BUY", "1", "1")
    assert refusal.value.status == 504
    (sent,) = peer.commands
    assert refusal.value.facts["order_id"].replace("-", "") == sent.command_id.hex()


def test_an_order_whose_answer_was_lost_is_answered_from_the_database(engine, monkeypatch):
    from orders.engine.process.publisher import Publisher

    alpha = principal_of("Alpha")
    place(alpha, "BUY", "1", "1")
    monkeypatch.setattr(Publisher, "publish_committed", lambda *_: None)
    started = time.monotonic()
    placed = place(alpha, "BUY", "2", "1")
    assert placed.was_created
    assert placed.order.status == "OPEN"
    assert 1 <= time.monotonic() - started < 3


def test_an_order_that_was_there_already_under_its_id_counts_as_created(alpha, monkeypatch):
    first = place(alpha, "BUY", "1", "1")
    monkeypatch.setattr("orders.services.place.new_uuid", lambda shard: first.order.id)
    again = place(alpha, "BUY", "1", "1")
    assert again.order.id == first.order.id
    assert again.was_created
    assert Order.objects.count() == 1


def test_duplicate_outcomes_of_another_order_are_not_created(lonely):
    with live_engine():
        first = place(lonely, "BUY", "1", "1").order

    def duplicate(command: Any) -> DuplicateOutcome:
        return DuplicateOutcome(command.command_id, first.id.bytes)

    with StandIn(duplicate):
        placed = place(lonely, "BUY", "1", "1")
    assert (placed.order.id, placed.was_created) == (first.id, False)
