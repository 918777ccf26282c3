"""Every table is purged, or named as kept for good; and each purge keeps what is young."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.utils import timezone

from brokers.models import User, WebhookDelivery
from brokers.services import create_webhook_endpoint, register_broker
from common.ids import new_uuid
from exchange_project.background.retention import PURGED_WITH, PURGES, purge_old_rows
from ledger.models import Alert, LedgerCheck
from ledger.services import raise_alert
from ledger.types import AlertSeverity
from marketdata.models import MarkPrice
from marketdata.tests.factories import make_perpetual
from orders.models import EngineCommand

OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


def kept_for_good() -> set[str]:
    """The tables that docs/operations.md names as kept."""
    section = OPERATIONS.read_text().partition("## What is kept")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    labels = {model._meta.label for model in apps.get_models()}
    return {name for row in rows for name in row.split("`")[1::2] if name in labels}


def test_every_table_is_purged_or_said_to_be_kept():
    labels = {model._meta.label for model in apps.get_models() if model._meta.managed}
    purged = set(PURGES) | set(PURGED_WITH)

    assert purged & kept_for_good() == set()
    assert labels - purged == kept_for_good()


def test_each_number_of_days_is_a_setting_that_something_uses():
    root = Path(django_settings.BASE_DIR)
    sources = [path for path in root.glob("*/**/*.py") if "tests" not in path.parts]
    text = "".join(path.read_text() for path in sources if "settings" not in path.parts)

    unused = [name for name in django_settings.KEPT if f'KEPT["{name}"]' not in text]
    assert unused == []


@pytest.fixture
def old() -> timedelta:
    return timedelta(days=366, hours=1)


def test_old_deliveries_go_and_those_that_wait_stay(db, old):
    broker = register_broker(name="Alpha").broker
    endpoint = create_webhook_endpoint(broker_id=broker.id, url="https://93.184.216.34/x")
    now = timezone.now()

    def make(age: timedelta, *, is_due: bool) -> int:
        return WebhookDelivery.objects.create(
            endpoint=endpoint,
            event="x",
            payload="{}",
            created_at=now - age,
            due_at=now if is_due else None,
        ).pk

    make(old, is_due=False)
    kept = {make(old, is_due=True), make(timedelta(days=29), is_due=False)}

    assert purge_old_rows()["brokers.WebhookDelivery"] == 1
    assert set(WebhookDelivery.objects.values_list("pk", flat=True)) == kept


def test_the_latest_mark_of_a_perpetual_stays(db, old):
    quiet, busy = make_perpetual("BTC-PERP"), make_perpetual("ETH-PERP")
    now = timezone.now()

    def make(instrument_id: int, age: timedelta) -> int:
        at = now - age
        return MarkPrice.objects.create(
            instrument_id=instrument_id,
            price=1,
            source="POSTED",
            as_of=at,
            posted_at=at,
            actor="test",
        ).pk

    MarkPrice.objects.all().delete()
    make(quiet.id, old * 2)
    make(busy.id, old)
    kept = {make(quiet.id, old), make(busy.id, timedelta(days=89))}

    assert purge_old_rows()["marketdata.MarkPrice"] == 2
    assert set(MarkPrice.objects.values_list("pk", flat=True)) == kept


def test_sessions_log_alerts_checks_and_commands_go(db, old):
    now = timezone.now()
    user = User.objects.create_user("a@example.com", "password")
    for age in (old, timedelta(hours=-1)):
        Session.objects.create(
            session_key=str(age.days).zfill(9), session_data="", expire_date=now - age
        )
    for age in (old, timedelta(days=1)):
        entry = LogEntry.objects.create(
            user_id=user.pk,
            content_type=ContentType.objects.get_for_model(User),
            object_id="1",
            object_repr="x",
            action_flag=CHANGE,
            change_message="",
        )
        LogEntry.objects.filter(pk=entry.pk).update(action_time=now - age)
        LedgerCheck.objects.create(
            started_at=now - age, seconds=1, is_clean=True, difference_count=0, results=[]
        )
        alert = raise_alert(kind="x", severity=AlertSeverity.WARNING, message="x")
        Alert.objects.filter(pk=alert.pk).update(resolved_at=now - age)
    raise_alert(kind="x", severity=AlertSeverity.WARNING, message="open")
    for hours in (25, 23):
        EngineCommand.objects.create(
            id=new_uuid(), kind="x", result="done", created_at=now - timedelta(hours=hours)
        )

    purged = purge_old_rows()

    gone = ("sessions.Session", "admin.LogEntry", "ledger.LedgerCheck", "orders.EngineCommand")
    assert [purged[label] for label in gone] == [1, 1, 1, 1]
    assert purged["ledger.Alert"] == 1
    assert (Session.objects.count(), LogEntry.objects.count()) == (1, 1)
    assert (LedgerCheck.objects.count(), EngineCommand.objects.count()) == (1, 1)
    assert {(one.message, one.resolved_at is None) for one in Alert.objects.all()} == {
        ("x", False),
        ("open", True),
    }
    assert set(purge_old_rows(turn=5).values()) == {0}


def test_every_purge_runs_whichever_comes_first(db):
    for turn in range(len(PURGES)):
        assert set(purge_old_rows(turn=turn)) == set(PURGES)
