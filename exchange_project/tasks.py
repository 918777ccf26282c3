"""The clock's work on what spans the apps: the check of the ledger against everything else."""

import logging

from celery import shared_task
from django.db import connection
from django.utils import timezone

from exchange_project.demo import market
from exchange_project.reconciliation import check_venue
from ledger.services.checks import record_check, report_failed_check

_log = logging.getLogger(__name__)

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
