"""Alerts leave the machine: each new one is mailed and posted once, straight from the watch.

No queue is between, since a broken queue is one of the things that alerts are about.
"""

import json
import logging
import smtplib
import urllib.request
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import send_mail

from ledger.selectors.alerts import list_unsent_alerts
from ledger.services.alerts import note_alert_sent

if TYPE_CHECKING:
    from ledger.models import Alert

_log = logging.getLogger(__name__)

_SECONDS_MAX = 5.0
_ALERTS_MAX = 20


def send_new_alerts() -> int:
    """Send open alerts that have not been sent yet; returns how many notices went out.

    A receiver that is away gets them at the next look.
    """
    sent = 0
    if settings.ALERT_EMAILS:
        for alert in list_unsent_alerts(channel="mailed_at", limit=_ALERTS_MAX):
            sent += _is_mailed(alert)
    if settings.ALERT_WEBHOOK_URL:
        for alert in list_unsent_alerts(channel="posted_at", limit=_ALERTS_MAX):
            sent += _is_posted(alert)
    return sent


def _is_mailed(alert: "Alert") -> bool:
    subject = f"[Bourse] {alert.severity}: {alert.message}"
    text = "\n".join(f"{name}: {value}" for name, value in _document(alert).items())
    try:
        send_mail(subject[:200], text, None, settings.ALERT_EMAILS)
    except (smtplib.SMTPException, OSError) as error:
        _log.error("alert %s could not be mailed: %s", alert.pk, error)
        return False
    note_alert_sent(alert_id=alert.pk, channel="mailed_at")
    return True


def _is_posted(alert: "Alert") -> bool:
    request = urllib.request.Request(
        settings.ALERT_WEBHOOK_URL,
        data=json.dumps(_document(alert)).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "Bourse"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS_MAX) as answer:
            answer.read(1)
    except OSError as error:
        _log.error("alert %s could not be posted: %s", alert.pk, error)
        return False
    note_alert_sent(alert_id=alert.pk, channel="posted_at")
    return True


def _document(alert: "Alert") -> dict[str, str]:
    """What is said outside of the venue: no figures and no names."""
    return {
        "id": str(alert.pk),
        "severity": alert.severity,
        "kind": alert.kind,
        "subject": alert.subject,
        "message": alert.message,
        "raised_at": alert.raised_at.isoformat(),
    }
