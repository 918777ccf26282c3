"""The clock's work on what spans the apps: the check of the ledger, seals of the audit trail."""

import logging
import time
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import connection
from django.utils import timezone

from common.valkey import get_client, key
from exchange_project.background.retention import purge_old_rows as purge
from exchange_project.demo import market
from exchange_project.reconciliation import check_venue
from ledger.services import raise_alert
from ledger.services.checks import record_check, report_failed_check
from ledger.types import AlertSeverity
from oversight.services.sealing import get_audit_head, seal_records, verify_audit_seals

_log = logging.getLogger(__name__)

AUDIT_BROKEN = "audit_broken"
_VERIFY_SECONDS_MAX = 60.0
# Where the next verification goes on. Lost with Valkey: then it begins again.
_NEXT_SEAL_KEY = "audit:verify_from"
_SHOWN_MAX = 20
# The broker hands a task out again that has not ended within its visibility_timeout of 300 s.
_SECONDS_MAX = 240


@shared_task
def trade_demo_market() -> int:
    """Let the simulated traders of the demo decide; returns how many deals they made."""
    return market.trade_demo_market()


@shared_task(soft_time_limit=_SECONDS_MAX, time_limit=_SECONDS_MAX + 40)
def check_ledger() -> int:
    """Compare what is stored twice and keep the result; returns how many rows differ.

    What differs, and a check that could not run, become alerts.
    """
    started_at = timezone.now()
    try:
        results = check_venue(shown_max=_SHOWN_MAX)
    except Exception as error:
        connection.close()
        report_failed_check(error=error)
        raise
    check = record_check(started_at=started_at, results=results)
    if not check.is_clean:
        _log.error("the ledger differs in %d rows, see check %d", check.difference_count, check.id)
    return check.difference_count


@shared_task
def seal_audit_trail() -> int:
    """Seal the audit trail; returns how many records. The head goes to the log, a witness."""
    total = 0
    while count := seal_records(lag=timedelta(seconds=settings.SEAL_LAG_SECONDS)):
        total += count
    if total:
        _log.info("sealed %d audit records, head %s", total, get_audit_head())
    return total


@shared_task(soft_time_limit=_SECONDS_MAX, time_limit=_SECONDS_MAX + 40)
def purge_old_rows() -> dict[str, int]:
    """Delete what is too old, another table first each hour; returns how many rows of each."""
    return purge(turn=int(time.time()) // 3_600)


@shared_task
def verify_audit_trail() -> int:
    """Verify the seals of the audit trail after those of the last run, for a minute.

    What differs becomes an alert. Returns how many seals do.
    """
    client, deadline = get_client(), time.monotonic() + _VERIFY_SECONDS_MAX
    findings, next_number = [], 1
    for verified in verify_audit_seals(from_seal=int(client.get(key(_NEXT_SEAL_KEY)) or 1)):
        if verified.finding:
            findings.append(f"{verified.number}: {verified.finding}")
        if time.monotonic() >= deadline:
            next_number = verified.number + 1
            break
    client.set(key(_NEXT_SEAL_KEY), next_number)
    if findings:
        raise_alert(
            kind=AUDIT_BROKEN,
            severity=AlertSeverity.CRITICAL,
            message=f"The audit trail was tampered with: seal {findings[0]}."[:300],
            facts={"findings": findings[:20]},
        )
    return len(findings)
