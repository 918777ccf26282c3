"""The clock's work on margin: snapshots of what accounts are worth, and funding."""

from celery import shared_task
from django.utils import timezone

from margin.services import funding
from margin.services.snapshots import take_equity_snapshots


@shared_task
def snapshot_equity() -> int:
    """Keep every account's equity at this minute; returns how many were kept."""
    return take_equity_snapshots(at=timezone.now())


@shared_task
def book_fundings() -> int:
    """Book the payments of fundings that are fixed; returns how many were booked."""
    return funding.book_fundings()
