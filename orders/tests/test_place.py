"""`place_order` and `cancel_order` with a real engine, and against a peer that goes wrong."""

import dataclasses
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokers.errors import AccountNotFound, OtherAccount
from brokers.models import TradingAccount
from brokers.services import create_account
from common.errors import ValidationFailed
from common.ids import new_uuid, shard_of
from common.valkey import get_client
from marketdata.services import list_symbol
from orders.errors import (
    OrderRefused,
)
from orders.models import Order
from orders.streams import command_stream
from orders.tests.fixtures import place, principal_of, state_of

ONE = Decimal(1)


# --- what an order becomes ------------------------------------------------------------------------


def test_an_order_is_answered_as_it_stands_after_commit(alpha, beta):
    resting = place(alpha, "SELL", "35.00", "100")
    assert state_of(resting) == ("OPEN", 0, None)
    assert resting.was_created
    taker = place(beta, "BUY", "36.00", "30")
    assert state_of(taker) == ("FILLED", 30, Decimal("35.00"))
    (fill,) = taker.order.fills
    assert (fill.price, fill.quantity, fill.fee) == (Decimal(35), Decimal(30), Decimal(0))
    assert (fill.liquidity_role, fill.executed_at) == ("TAKER", taker.order.created_at)
    assert taker.order.notional == 1050


def test_the_answer_equals_what_is_stored(alpha, beta):
    from orders.selectors.orders import get_order

    place(alpha, "SELL", "35.00", "10")
    placed = place(beta, "BUY", "36.00", "30", client_order_id="one").order
    stored = get_order(principal=beta, order_id=placed.id)
    assert stored.fills[0].counterparty_broker == "Alpha"
    unnamed = tuple(dataclasses.replace(fill, counterparty_broker="") for fill in stored.fills)
    assert dataclasses.replace(stored, fills=unnamed) == placed


def test_an_orders_id_carries_its_shard(alpha):
    assert shard_of(place(alpha, "BUY", "1", "1").order.id) == 0
    assert shard_of(new_uuid(7)) == 7


def test_immediate_or_cancel_leaves_nothing_on_the_book(alpha):
    placed = place(alpha, "BUY", "1", "1", time_in_force="IOC")
    assert (placed.order.status, placed.order.reason) == ("CANCELED", "immediate_or_cancel")


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"limit_price": Decimal("10.005")}, "limit_price", "off_step"),
        ({"limit_price": Decimal(0)}, "limit_price", "not_positive"),
        ({"limit_price": Decimal("NaN")}, "limit_price", "not_positive"),
        ({"limit_price": Decimal(10**12) + ONE}, "limit_price", "too_large"),
        ({"limit_price": None}, "limit_price", "required"),
        ({"quantity": Decimal("0.5")}, "quantity", "off_step"),
        ({"quantity": Decimal(-1)}, "quantity", "not_positive"),
        ({"quantity": Decimal(10**12) + ONE}, "quantity", "too_large"),
        (
            {"quantity": Decimal(10**12), "limit_price": Decimal(10**12)},
            "quantity",
            "notional_too_large",
        ),
        ({"time_in_force": "GTD"}, "valid_until", "required"),
        ({"valid_until": datetime(2100, 1, 1, tzinfo=UTC)}, "valid_until", "only_for_gtd"),
        (
            {"time_in_force": "GTD", "valid_until": datetime(2020, 1, 1, tzinfo=UTC)},
            "valid_until",
            "not_in_future",
        ),
        ({"order_type": "MARKET", "time_in_force": "IOC"}, "limit_price", "not_for_market"),
        ({"order_type": "MARKET", "limit_price": None}, "time_in_force", "not_for_market"),
        ({"client_order_id": ""}, "client_order_id", "invalid"),
        ({"client_order_id": "x" * 65}, "client_order_id", "invalid"),
        ({"client_order_id": "a b"}, "client_order_id", "invalid"),
    ],
)
def test_a_malformed_order_is_refused_by_field_and_not_sent(db, valkey, fields, field, code):
    with pytest.raises(ValidationFailed) as refusal:
        place(principal_of("Alpha"), "BUY", "10.00", "1", **fields)
    assert [(error.field, error.code) for error in refusal.value.errors] == [(field, code)]
    assert not Order.objects.exists()
    assert get_client().xlen(command_stream(0)) == 0


def test_an_off_step_price_is_told_with_step_and_value(db, valkey):
    with pytest.raises(ValidationFailed) as refusal:
        place(principal_of("Alpha"), "BUY", "10.005", "1")
    (error,) = refusal.value.errors
    assert "10.005" in error.detail
    assert "0.01" in error.detail


def test_lots_that_do_not_fit_64_bits_are_refused(db, valkey):
    spec = dataclasses.replace(list_symbol("ACME"), lot_size=Decimal("0.00000001"))
    with pytest.raises(ValidationFailed):
        place(principal_of("Alpha"), "SELL", None, "999999999999", instrument=spec)


def test_an_order_without_money_is_stored_as_rejected(engine):
    poor = principal_of("Poor", default_funding="PREFUNDED")
    with pytest.raises(OrderRefused) as refusal:
        place(poor, "BUY", "10.00", "3")
    assert (refusal.value.status, refusal.value.code) == (422, "insufficient_funds")
    facts = refusal.value.facts
    assert (facts["required"], facts["available"]) == (Decimal(30), 0)
    order = Order.objects.get(id=facts["order_id"])
    assert (order.status, order.reason) == ("REJECTED", "insufficient_funds")


def test_another_brokers_account_is_refused(alpha, beta):
    account = create_account(broker_id=beta.broker_id, document_number="9")
    with pytest.raises(OtherAccount):
        place(alpha, "BUY", "1", "1", document_number=None, account_id=account.id)
    with pytest.raises(AccountNotFound):
        place(alpha, "BUY", "1", "1", document_number=None, account_id=10**12)
    assert not Order.objects.exists()


def test_a_bound_key_needs_no_account_and_gets_no_other(alpha):
    own = create_account(broker_id=alpha.broker_id, document_number="1")
    other = create_account(broker_id=alpha.broker_id, document_number="2")
    bound = dataclasses.replace(alpha, account_id=own.id)
    for named in ({"document_number": None}, {"document_number": "1"}, {"account_id": own.id}):
        placed = place(bound, "BUY", "1", "1", **({"document_number": None} | named))
        assert placed.order.terms.account_id == own.id
    with pytest.raises(OtherAccount):
        place(bound, "BUY", "1", "1", document_number="2")
    with pytest.raises(OtherAccount):
        place(bound, "BUY", "1", "1", document_number=None, account_id=other.id)
    assert TradingAccount.objects.count() == 2
