"""Changes that take two persons: what waits changes nothing, and what is outdated is refused."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction

from brokers.models import User
from common.errors import ValidationFailed
from ledger.models import ConversionRate
from ledger.tests.factories import make_rate
from oversight.errors import ChangeDecided, ChangeOutdated, ChangeRightsMissing, OwnChange
from oversight.models import ChangeRequest
from oversight.registry import get_guarded
from oversight.services.changes import (
    approve_change,
    list_changes,
    reject_change,
    request_change,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def maker() -> User:
    return User.objects.create_superuser("maker@example.com", "password")


@pytest.fixture
def checker() -> User:
    return User.objects.create_superuser("checker@example.com", "password")


@pytest.fixture
def rate() -> ConversionRate:
    return make_rate("EUR", "USD", "1.25", "0.01")


def ask(
    pair: ConversionRate, maker: User, reason: str = "the market moved", **wanted: Decimal
) -> ChangeRequest:
    row = ConversionRate.objects.get(pk=pair.pk)
    changes = list_changes(get_guarded("ledger.conversionrate"), row, wanted)
    return request_change(row=row, changes=changes, requested_by=maker.pk, reason=reason)


def stored(rate: ConversionRate) -> tuple[Decimal, Decimal]:
    return ConversionRate.objects.values_list("rate", "spread_rate").get(pk=rate.pk)


def test_a_change_waits_and_is_applied_once(rate, maker, checker):
    request = ask(rate, maker, rate=Decimal("1.5"))
    assert request.changes == {"rate": {"old": "1.25", "new": "1.5", "shown": "1.5"}}
    assert stored(rate) == (Decimal("1.25"), Decimal("0.01"))

    approve_change(request_id=request.pk, user_id=checker.pk)

    assert stored(rate) == (Decimal("1.5"), Decimal("0.01"))
    with pytest.raises(ChangeDecided):
        approve_change(request_id=request.pk, user_id=checker.pk)


def test_nobody_approves_a_change_of_their_own(rate, maker):
    request = ask(rate, maker, rate=Decimal("1.5"))

    with pytest.raises(OwnChange):
        approve_change(request_id=request.pk, user_id=maker.pk)

    assert stored(rate)[0] == Decimal("1.25")
    assert ChangeRequest.objects.get().status == "REQUESTED"


def test_the_database_knows_the_rule_too(rate, maker):
    request = ask(rate, maker, rate=Decimal("1.5"))

    with pytest.raises(IntegrityError, match="change_approved_by_another"), transaction.atomic():
        ChangeRequest.objects.filter(pk=request.pk).update(status="APPROVED", decided_by=maker.pk)


def test_the_checker_needs_the_right_to_make_the_change(rate, maker):
    request = ask(rate, maker, rate=Decimal("1.5"))
    clerk = User.objects.create_user("clerk@example.com", "password", is_staff=True)
    decide = Permission.objects.get(codename="change_changerequest")
    clerk.user_permissions.add(decide)

    for service in (approve_change, reject_change):
        with pytest.raises(ChangeRightsMissing):
            service(request_id=request.pk, user_id=clerk.pk)

    assert stored(rate)[0] == Decimal("1.25")


@pytest.mark.parametrize("reason", ["", "\x00"])
def test_a_reason_is_needed(rate, maker, reason):
    with pytest.raises(ValidationFailed):
        ask(rate, maker, reason, rate=Decimal("1.5"))

    assert not ChangeRequest.objects.exists()


def test_a_fat_finger_is_refused_at_once(rate, maker):
    with pytest.raises(ValidationFailed, match="by a factor"):
        ask(rate, maker, rate=Decimal("0.0001"))

    assert not ChangeRequest.objects.exists()


def test_a_change_of_a_value_that_has_changed_is_refused(rate, maker, checker):
    first = ask(rate, maker, rate=Decimal("1.5"))
    second = ask(rate, maker, rate=Decimal("1.3"))
    approve_change(request_id=first.pk, user_id=checker.pk)

    with pytest.raises(ChangeOutdated):
        approve_change(request_id=second.pk, user_id=checker.pk)

    assert stored(rate)[0] == Decimal("1.5")
    reject_change(request_id=second.pk, user_id=maker.pk, note="too late")
    assert ChangeRequest.objects.get(pk=second.pk).note == "too late"


def test_only_fields_that_differ_are_asked_for(rate):
    row = ConversionRate.objects.get(pk=rate.pk)
    wanted = {"rate": Decimal("1.250"), "spread_rate": Decimal("0.02"), "is_active": False}

    changes = list_changes(get_guarded("ledger.conversionrate"), row, wanted)

    assert set(changes) == {"spread_rate"}
