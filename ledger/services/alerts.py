"""Alerts for staff: at most one is open for each kind and subject, however often it is raised."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models.functions import Now

from brokers.models import User
from common.database import retry_on_conflict
from ledger.models import Alert
from ledger.types import AlertSeverity
from oversight.services.records import record

_MESSAGE_LENGTH_MAX = 300

_RAISE = """
INSERT INTO ledger_alert AS open (kind, subject, severity, message, facts)
VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (kind, subject) WHERE resolved_at IS NULL
    DO UPDATE SET severity = excluded.severity, message = excluded.message,
       facts = excluded.facts, last_seen_at = now(), times_seen = open.times_seen + 1
RETURNING id
"""


@retry_on_conflict
@transaction.atomic
def raise_alert(
    *,
    kind: str,
    severity: AlertSeverity,
    message: str,
    subject: str = "",
    facts: Mapping[str, Any] | None = None,
) -> Alert:
    """Open the alert of this kind and subject, or count the open one up and tell its latest facts.

    `kind` is a stable word of at most 40 characters, `subject` what it is about (100), `message`
    one sentence (what is beyond 300 is cut off). Call it outside a transaction that is about to be
    rolled back: the alert would go too.
    """
    values = [kind, subject, severity, message[:_MESSAGE_LENGTH_MAX], _as_json(facts or {})]
    with connection.cursor() as cursor:
        cursor.execute(_RAISE, values)
        [(alert_id,)] = cursor.fetchall()
    return Alert.objects.get(id=alert_id)


@retry_on_conflict
@transaction.atomic
def resolve_alert(*, kind: str, subject: str = "") -> bool:
    """Close the open alert of this kind and subject; returns whether there was one."""
    open_alerts = Alert.objects.filter(kind=kind, subject=subject, resolved_at__isnull=True)
    return open_alerts.update(resolved_at=Now()) > 0


@retry_on_conflict
@transaction.atomic
def acknowledge_alert(*, alert: Alert, user: User) -> bool:
    """Note that `user` has seen the alert; the first who does so stays. Returns whether it was new.

    An acknowledged alert stays open until its cause is gone.
    """
    unseen = Alert.objects.filter(id=alert.id, acknowledged_at__isnull=True)
    is_new = unseen.update(acknowledged_at=Now(), acknowledged_by=user) > 0
    if is_new:
        record(action="alert.acknowledged", target=alert, actor=f"user:{user.pk}")
    return is_new


@retry_on_conflict
@transaction.atomic
def resolve_alert_by_staff(*, alert: Alert) -> bool:
    """Close an alert as a person does; returns whether it was open."""
    is_resolved = resolve_alert(kind=alert.kind, subject=alert.subject)
    if is_resolved:
        record(action="alert.resolved", target=alert, after={"kind": alert.kind})
    return is_resolved


def note_alert_sent(*, alert_id: int, channel: str) -> None:
    """Note that an alert has left the machine by a channel, `mailed_at` or `posted_at`."""
    Alert.objects.filter(id=alert_id).update(**{channel: Now()})


def _as_json(facts: Mapping[str, Any]) -> str:
    return json.dumps(dict(facts), cls=DjangoJSONEncoder)
