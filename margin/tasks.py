"""The clock's work on margin: snapshots of what accounts are worth, and funding."""

from celery import shared_task
from django.utils import timezone

from margin.services import funding
from margin.services.snapshots import take_equity_snapshots, thin_out_equity_snapshots

_DELETED_MAX = 200_000
_ROUNDS_MAX = 20


@shared_task
def snapshot_equity() -> int:
    """Keep every account's equity at this minute; returns how many were kept."""
    return take_equity_snapshots(at=timezone.now())


@shared_task
def purge_equity_snapshots() -> int:
    """Delete snapshots that are too old; what is left waits for the next run."""
    now, deleted = timezone.now(), 0
    for _ in range(_ROUNDS_MAX):
        count = thin_out_equity_snapshots(now=now, limit=_DELETED_MAX)
        deleted += count
        if count < _DELETED_MAX:
            break
    return deleted


@shared_task
def purge_premium_samples() -> int:
    """Delete premium samples that are too old; what is left waits for the next run."""
    return funding.purge_premium_samples(now=timezone.now())


@shared_task
def book_fundings() -> int:
    """Book the payments of fundings that are fixed; returns how many were booked."""
    return funding.book_fundings()
