"""What staff have to look at now."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from ledger.models import Alert

_CRITICAL = Q(severity=Alert.Severity.CRITICAL)


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """How many alerts are open, how many of them are critical, and the newest one."""

    count: int
    critical_count: int
    newest: Alert | None


def get_open_alerts() -> OpenAlerts:
    """The open alerts at a glance."""
    found = _open().order_by("-last_seen_at", "-id")
    counts = _open().aggregate(all=Count("id"), critical=Count("id", filter=_CRITICAL))
    return OpenAlerts(counts["all"], counts["critical"], found.first() if counts["all"] else None)


def count_open_critical_alerts() -> int:
    """How many critical alerts are open."""
    return _open().filter(_CRITICAL).count()


def list_open_subjects(*, kind: str) -> Sequence[str]:
    """What the open alerts of this kind are about."""
    return list(_open().filter(kind=kind).values_list("subject", flat=True))


def list_unsent_alerts(*, channel: str, limit: int) -> Sequence[Alert]:
    """Open alerts that have not left by this channel, `mailed_at` or `posted_at`, oldest first."""
    return list(_open().filter(**{f"{channel}__isnull": True}).order_by("id")[:limit])


def _open() -> QuerySet[Alert]:
    return Alert.objects.filter(resolved_at__isnull=True)
