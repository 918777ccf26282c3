"""What the jobs that look after the ledger found: kept as rows, and told to staff as alerts."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from common.database import retry_on_conflict
from common.money import round_half_up
from common.purging import purge_rows
from common.reconciliation import CheckResult
from ledger.models import Alert, LedgerCheck
from ledger.services.alerts import raise_alert, resolve_alert
from ledger.types import AlertSeverity
from ledger.verification import Finding

LEDGER_DIFFERS = "ledger_differs"
CHECK_FAILED = "ledger_check_failed"
SEAL_BROKEN = "seal_broken"
SEALS_LATE = "seals_late"

_MINUTE = timedelta(minutes=1)


@retry_on_conflict
@transaction.atomic
def record_check(*, started_at: datetime, results: Sequence[CheckResult]) -> LedgerCheck:
    """Keep the results of one run, and raise or resolve its alerts."""
    differing = {one.name: one.difference_count for one in results if one.difference_count}
    seconds = timezone.now() - started_at
    check = LedgerCheck.objects.create(
        started_at=started_at,
        seconds=round_half_up(Decimal(str(seconds.total_seconds())), 3),
        is_clean=not differing,
        difference_count=sum(differing.values()),
        results=[_as_document(result) for result in results],
    )
    resolve_alert(kind=CHECK_FAILED)
    if differing:
        raise_alert(
            kind=LEDGER_DIFFERS,
            severity=AlertSeverity.CRITICAL,
            message=f"The ledger differs: {', '.join(differing)}.",
            facts={"check_id": check.id, "differences": differing},
        )
    else:
        resolve_alert(kind=LEDGER_DIFFERS)
    return check


def purge_checks() -> int:
    """Forget old checks, in chunks; returns how many."""
    until = timezone.now() - settings.KEPT["LEDGER_CHECKS_KEPT_DAYS"]
    return purge_rows(LedgerCheck.objects.filter(started_at__lt=until).order_by("started_at"))


def purge_alerts() -> int:
    """Forget alerts that were resolved long ago, in chunks; returns how many."""
    until = timezone.now() - settings.KEPT["RESOLVED_ALERTS_KEPT_DAYS"]
    return purge_rows(Alert.objects.filter(resolved_at__lt=until).order_by("raised_at"))


def report_failed_check(*, error: Exception) -> None:
    """Tell staff that the check could not run, so that nobody takes silence for agreement."""
    raise_alert(
        kind=CHECK_FAILED,
        severity=AlertSeverity.CRITICAL,
        message=f"The check of the ledger could not run: {type(error).__name__}.",
        facts={"error": str(error)[:1_000]},
    )


def report_tampering(*, findings: Sequence[Finding]) -> None:
    """Tell staff what verification found. It stays open until a person resolves it."""
    first = findings[0]
    entry = f", entry {first.entry_id}" if first.entry_id else ""
    raise_alert(
        kind=SEAL_BROKEN,
        severity=AlertSeverity.CRITICAL,
        message=f"The journal was tampered with: {first.kind} in seal {first.seal}{entry}.",
        facts={"finding_count": len(findings), "first": {**asdict(first), "kind": str(first.kind)}},
    )


def report_late_seals(*, is_late: bool, limit: timedelta) -> None:
    """Tell staff that entries have waited for their seal for longer than `limit`, or no more."""
    if not is_late:
        resolve_alert(kind=SEALS_LATE)
        return
    raise_alert(
        kind=SEALS_LATE,
        severity=AlertSeverity.WARNING,
        message=f"Entries have waited for their seal for {limit // _MINUTE} minutes.",
    )


def _as_document(result: CheckResult) -> dict[str, object]:
    return {**asdict(result), "seconds": round(result.seconds, 3)}
