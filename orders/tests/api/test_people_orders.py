"""A person trades with the access token of the own login, on the own account and no other."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from brokers.services import RegisteredPerson
from brokers.tests.people import register as register_person
from brokers.tests.people import tokens_of
from ledger.services import deposit
from marketdata.services import list_symbol
from orders.engine.process.runner import Engine
from orders.models import Order
from orders.tests.fixtures import Api

pytestmark = pytest.mark.usefixtures("both_lanes")

_ORDER = {"symbol": "ACME", "side": "BUY", "quantity": "2", "limit_price": "10"}


@pytest.fixture
def ada(engine: Engine) -> RegisteredPerson:
    """A person with 100 on the own account, in a living venue."""
    person = register_person()
    list_symbol("ACME")
    deposit(
        account_id=person.account.id,
        asset=settings.VENUE_CURRENCY,
        amount=Decimal(100),
        source_id=uuid4(),
        actor="test",
    )
    return person


def _api(person: RegisteredPerson) -> Any:
    return Api(tokens_of(person).access, "/api/v1/")


def test_a_person_trades_on_the_own_account(ada: RegisteredPerson) -> None:
    api = _api(ada)
    placed = api.post("orders", _ORDER)
    assert placed.status_code == 201
    assert (placed.json()["account_id"], placed.json()["status"]) == (ada.account.id, "OPEN")
    bob = register_person("bob@example.test")
    assert _api(bob).get(f"orders/{placed.json()['id']}").status_code == 403
    assert _api(bob).get("orders").json()["results"] == []
    assert _api(bob).post(f"orders/{placed.json()['id']}/cancel").status_code == 403
    assert Order.objects.get().status == "OPEN"
    assert api.post(f"orders/{placed.json()['id']}/cancel").json()["result"] == "canceled"


def test_a_person_does_not_trade_on_another_account(ada: RegisteredPerson) -> None:
    bob = register_person("bob@example.test")
    for whose in (
        {"account_id": ada.account.id},
        {"document_number": ada.account.document_number},
    ):
        answer = _api(bob).post("orders", {**_ORDER, **whose})
        assert (answer.status_code, answer.json()["code"]) == (403, "other_account")
    assert not Order.objects.exists()
