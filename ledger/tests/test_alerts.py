"""Alerts: one open for each kind and subject, counted up, closed when their cause is gone."""

import threading
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from brokers.models import User
from ledger.models import Alert
from ledger.selectors import count_open_critical_alerts, get_open_alerts
from ledger.services import acknowledge_alert, raise_alert, resolve_alert
from ledger.types import AlertSeverity

CRITICAL, WARNING = AlertSeverity.CRITICAL, AlertSeverity.WARNING


def raised(kind: str = "test", subject: str = "", message: str = "Look.", **facts: object) -> Alert:
    return raise_alert(kind=kind, subject=subject, severity=CRITICAL, message=message, facts=facts)


@pytest.mark.django_db
def test_an_alert_that_is_raised_again_is_counted_up_and_tells_the_latest() -> None:
    first = raised(message="One differs.", count=1)

    again = raise_alert(
        kind="test",
        severity=WARNING,
        message="Two differ.",
        facts={"amount": Decimal("1.50"), "day": date(2026, 1, 2)},
    )

    alert = Alert.objects.get()
    assert again.id == first.id == alert.id
    assert (alert.times_seen, alert.message, alert.severity) == (2, "Two differ.", "WARNING")
    assert alert.facts == {"amount": "1.50", "day": "2026-01-02"}
    assert alert.raised_at == first.raised_at


@pytest.mark.django_db
def test_each_subject_has_an_alert_of_its_own() -> None:
    raised(subject="shard 0")
    raised(subject="shard 1")

    assert resolve_alert(kind="test", subject="shard 1")
    assert Alert.objects.get(resolved_at__isnull=True).subject == "shard 0"


@pytest.mark.django_db
def test_a_resolved_alert_stays_and_the_next_one_is_new() -> None:
    first = raised()

    assert resolve_alert(kind="test")
    assert not resolve_alert(kind="test")
    second = raised()

    assert second.id != first.id
    assert second.times_seen == 1
    assert Alert.objects.count() == 2


@pytest.mark.django_db
def test_the_first_person_who_acknowledges_stays() -> None:
    alert = raised()
    first, second = (User.objects.create_user(f"{n}@example.com", "x") for n in "ab")

    assert acknowledge_alert(alert=alert, user=first)
    assert not acknowledge_alert(alert=alert, user=second)

    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.resolved_at) == (first, None)
    assert alert.acknowledged_at is not None


@pytest.mark.django_db
def test_a_long_message_is_cut_off() -> None:
    assert len(raised(message="x" * 500).message) == 300


@pytest.mark.django_db
def test_open_alerts_at_a_glance() -> None:
    assert get_open_alerts().newest is None
    raised("first")
    raised("second")
    raise_alert(kind="third", severity=WARNING, message="Newest.")
    raised("gone")
    resolve_alert(kind="gone")

    found = get_open_alerts()

    assert (found.count, found.critical_count) == (3, 2) == (3, count_open_critical_alerts())
    assert found.newest is not None
    assert found.newest.message == "Newest."


@pytest.mark.django_db(transaction=True)
def test_raised_by_several_at_once_there_is_one() -> None:
    barrier = threading.Barrier(4)

    def raise_some() -> None:
        barrier.wait()
        for _ in range(5):
            raised()
        connection.close()

    threads = [threading.Thread(target=raise_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Alert.objects.get().times_seen == 20
