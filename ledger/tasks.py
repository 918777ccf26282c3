"""The clock's work on the ledger: seals, and transfers that time out."""

import logging
import time
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from common.valkey import get_client, key
from ledger.selectors.seals import has_unsealed_entry
from ledger.services.checks import report_late_seals, report_tampering
from ledger.services.sealing import seal_entries as seal
from ledger.services.transfers.finishing import expire_transfers as expire
from ledger.verification import Finding, verify_seals

_log = logging.getLogger(__name__)

# Well within CELERY_TASK_TIME_LIMIT; what is left waits for the next run.
_SEAL_SECONDS_MAX = 40.0
_VERIFY_SECONDS_MAX = 60.0
_LATE = timedelta(minutes=15)
# Where the next verification goes on. Lost with Valkey: then it begins anew.
_NEXT_SEAL_KEY = "ledger:verify_from"


@shared_task
def seal_entries() -> int:
    """Seal what was posted; returns the number of entries. The head goes to the log, a witness."""
    lag = timedelta(seconds=settings.SEAL_LAG_SECONDS)
    sealed = seal(lag=lag, seconds_max=_SEAL_SECONDS_MAX)
    if sealed.seal_count:
        _log.info("sealed %d entries, head %s", sealed.entry_count, sealed.head)
    return sealed.entry_count


@shared_task
def verify_seals_in_turn() -> int:
    """Verify the seals after those of the last run, for a minute; after the last one the first.

    Returns the number of seals; what was tampered with, and seals that are late, become alerts.
    """
    client = get_client()
    deadline = time.monotonic() + _VERIFY_SECONDS_MAX
    findings: list[Finding] = []
    count, next_number = 0, 1
    for verified in verify_seals(from_seal=int(client.get(key(_NEXT_SEAL_KEY)) or 1)):
        findings += verified.findings
        count += 1
        if time.monotonic() >= deadline:
            next_number = verified.number + 1
            break
    client.set(key(_NEXT_SEAL_KEY), next_number)
    if findings:
        report_tampering(findings=findings)
    report_late_seals(is_late=has_unsealed_entry(before=timezone.now() - _LATE), limit=_LATE)
    return count


@shared_task
def expire_transfers() -> int:
    """Free the holds of pending transfers whose time is over; returns how many."""
    return expire()
