"""Every number that staff can set takes two persons, or is named here with the reason why not."""

from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.db import models
from django.test import Client, RequestFactory

from brokers.models import Broker, TradingAccount, User
from brokers.services import register_broker
from ledger.models import ConversionRate
from marketdata.models import Instrument
from oversight.admin.guarded import CONFIRMED, REASON, GuardedAdmin
from oversight.models import AuditRecord, ChangeRequest
from oversight.registry import list_guarded

# Numbers that one person sets: what they are about moves no money.
_FREE = {
    "marketdata.asset.scale": "fixed once saved; a new asset is in no book and no account",
    "marketdata.instrument.tick_size": "fixed once saved; new instruments take two persons",
    "marketdata.instrument.lot_size": "fixed once saved; new instruments take two persons",
}
_NUMBERS = (models.DecimalField, models.IntegerField, models.FloatField)


@pytest.fixture(autouse=True)
def pages() -> None:
    """The pages of the back office, which the URLs register."""
    import_module(settings.ROOT_URLCONF)


def editable_numbers() -> dict[str, Any]:
    """`app.model.field` of every number in a form of the back office, with the page's class."""
    request = RequestFactory().get("/admin/")
    request.user = User(is_staff=True, is_superuser=True)
    found = {}
    for model, page in admin.site._registry.items():
        can_write = [page.has_add_permission(request)]
        can_write.append(page.has_change_permission(request))
        if not any(can_write):
            continue
        for obj in (None, model()):
            fixed = set(page.get_readonly_fields(request, obj))
            names = {*flatten(page.get_fieldsets(request, obj))} - fixed
            for field in model._meta.concrete_fields:
                is_number = isinstance(field, _NUMBERS) and not field.is_relation
                if field.name in names and is_number:
                    found[f"{model._meta.label_lower}.{field.name}"] = page
    return found


def flatten(fieldsets: Any) -> list[str]:
    names: list[str] = []
    for _, options in fieldsets:
        for one in options["fields"]:
            names += [one] if isinstance(one, str) else list(one)
    return names


def test_every_number_in_a_form_is_guarded(db):
    guarded = {f"{one.label}.{name}" for one in list_guarded() for name in one.bounds}
    numbers = editable_numbers()

    assert set(numbers) - guarded == set(_FREE)
    assert "ledger.conversionrate.rate" in numbers
    assert "brokers.broker.default_credit_limit" in numbers


def test_pages_of_guarded_tables_ask_for_a_second_person():
    for one in list_guarded():
        assert isinstance(admin.site._registry[one.model], GuardedAdmin), one.label


def test_every_guarded_number_has_bounds():
    for one in list_guarded():
        for name, bound in one.bounds.items():
            is_number = isinstance(one.model._meta.get_field(name), _NUMBERS)
            assert (bound is not None) == is_number, f"{one.label}.{name}"


@pytest.fixture
def maker(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("maker@example.com", "password"))
    return client


@pytest.fixture
def checker(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("checker@example.com", "password"))
    return client


def decide(client: Client, action: str) -> str:
    request = ChangeRequest.objects.latest("id")
    sent = {"action": action, "_selected_action": [request.pk], "confirmed": "yes"}
    page = client.post("/admin/oversight/changerequest/", sent, follow=True)
    return " ".join(str(message) for message in page.context["messages"])


def test_the_credit_of_a_broker_takes_two_persons(maker: Client, checker: Client):
    broker = register_broker(name="Alpha", default_funding="PREFUNDED").broker
    page = f"/admin/brokers/broker/{broker.pk}/change/"
    wanted = {"name": "Alpha", "default_funding": "CREDIT", "default_credit_limit": "5000"}

    shown = maker.post(page, wanted).content.decode()
    assert "PREFUNDED" in shown and "5000" in shown and "CREDIT" in shown
    broker.refresh_from_db()
    assert broker.default_funding == "PREFUNDED"
    assert not ChangeRequest.objects.exists()

    maker.post(page, {**wanted, CONFIRMED: "yes", REASON: "contract of May"})
    broker.refresh_from_db()
    assert (broker.default_funding, broker.default_credit_limit) == ("PREFUNDED", None)

    assert "another person" in decide(maker, "approve")
    broker.refresh_from_db()
    assert broker.default_funding == "PREFUNDED"
    assert "Approved" in decide(checker, "approve")
    broker.refresh_from_db()
    assert (broker.default_funding, broker.default_credit_limit) == ("CREDIT", 5000)


def test_a_new_broker_has_no_credit(maker: Client):
    sent = {"name": "Beta", "default_funding": "CREDIT", "default_credit_limit": "1"}
    maker.post("/admin/brokers/broker/add/", sent)

    broker = Broker.objects.get(name="Beta")
    assert (broker.default_funding, broker.default_credit_limit) == ("PREFUNDED", None)


def test_an_account_is_opened_by_two_persons(maker: Client, checker: Client):
    broker = register_broker(name="Alpha").broker
    sent = {
        "broker": str(broker.pk),
        "document_number": "D1",
        "funding": "CREDIT",
        "credit_limit": "100",
        CONFIRMED: "yes",
        REASON: "new client",
    }
    assert maker.post("/admin/brokers/tradingaccount/add/", sent).status_code == 302
    assert not TradingAccount.objects.exists()

    decide(checker, "approve")

    account = TradingAccount.objects.get()
    assert (account.broker, account.funding, account.credit_limit) == (broker, "CREDIT", 100)


def test_who_is_asked_and_who_decided_stands_in_the_audit_trail(maker: Client, checker: Client):
    broker = register_broker(name="Alpha", default_funding="PREFUNDED").broker
    sent = {
        "name": "Alpha",
        "default_funding": "PREFUNDED",
        "default_credit_limit": "10",
        CONFIRMED: "yes",
        REASON: "a trial",
    }
    maker.post(f"/admin/brokers/broker/{broker.pk}/change/", sent)
    decide(checker, "reject")

    asked, decided = AuditRecord.objects.filter(action__startswith="change.").order_by("id")
    names = dict(User.objects.values_list("email", "pk"))
    assert (asked.action, asked.actor) == ("change.requested", f"user:{names['maker@example.com']}")
    assert (asked.before, asked.after["default_credit_limit"]) == (
        {"default_credit_limit": None},
        "10",
    )
    assert (asked.reason, decided.action) == ("a trial", "change.rejected")
    assert decided.actor == f"user:{names['checker@example.com']}"
    assert asked.request_id and asked.address_token
    assert ConversionRate.objects.count() == Instrument.objects.count() == 0
