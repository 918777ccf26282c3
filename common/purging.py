"""Housekeeping: rows that nobody needs any more are deleted in chunks, each its own transaction."""

import time

from django.db import transaction
from django.db.models import Q, QuerySet

from common.database import retry_on_conflict

_CHUNK = 5_000
# Well within CELERY_TASK_TIME_LIMIT.
_SECONDS_MAX = 60.0


def purge_rows(*queries: QuerySet) -> int:
    """Delete the rows of each query in their order, for up to a minute; returns how many.

    Rows that somebody has locked are left out; what is left waits for the next call. The order
    should be that of an index, so that a chunk costs what it deletes.
    """
    purged, deadline = 0, time.monotonic() + _SECONDS_MAX
    for rows in queries:
        while time.monotonic() < deadline and (chunk := _purge_chunk(rows)):
            purged += chunk
    return purged


def purge_oldest(rows: QuerySet, condition: Q) -> int:
    """Delete the oldest of `rows` that meet the condition, for up to a minute; returns how many.

    For tables whose ids grow with time and that have no index for the condition. A chunk that holds
    none of them ends it, so those that are kept at the begin of the table must be few.
    """
    purged, deadline = 0, time.monotonic() + _SECONDS_MAX
    while time.monotonic() < deadline and (chunk := _purge_oldest_chunk(rows, condition)):
        purged += chunk
    return purged


@retry_on_conflict
@transaction.atomic
def _purge_oldest_chunk(rows: QuerySet, condition: Q) -> int:
    oldest = rows.order_by("pk").values_list("pk", flat=True)[:_CHUNK]
    chosen = rows.model._default_manager.filter(condition, pk__in=list(oldest))
    old = chosen.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)
    return rows.model._default_manager.filter(pk__in=list(old)).delete()[0]


@retry_on_conflict
@transaction.atomic
def _purge_chunk(rows: QuerySet) -> int:
    old = rows.select_for_update(skip_locked=True).values_list("pk", flat=True)[:_CHUNK]
    return rows.model._default_manager.filter(pk__in=list(old)).delete()[0]
