"""Snapshots of equity: one a minute of each account that has a position, thinned out later."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from common.database import allow_long_statements, retry_on_conflict
from margin.selectors.report import BURDENS

_DELETED_MAX = 200_000
_ROUNDS_MAX = 20
# Of 100,000 accounts a snapshot takes about a second.
_STATEMENT_SECONDS = 50

_TAKE = f"""
WITH {BURDENS}
INSERT INTO margin_equitysnapshot
       (account_id, asset_id, at, equity, initial_margin, maintenance_margin)
SELECT account_id, asset_id, %s, equity, initial_margin, maintenance_margin
  FROM accounts WHERE position_count > 0
    ON CONFLICT (account_id, asset_id, at) DO NOTHING
"""
_THIN = """
DELETE FROM margin_equitysnapshot WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM margin_equitysnapshot
        WHERE at < %(hours_from)s
           OR at < %(minutes_from)s AND at <> date_trunc('hour', at)
        LIMIT %(limit)s))
"""


@retry_on_conflict
@transaction.atomic
def take_equity_snapshots(*, at: datetime) -> int:
    """Keep what every account with a position is worth, under the minute of `at`.

    Returns how many were kept; none where that minute has been taken already.
    """
    allow_long_statements(_STATEMENT_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [at.replace(second=0, microsecond=0)])
        return int(cursor.rowcount)


@retry_on_conflict
@transaction.atomic
def thin_out_equity_snapshots(*, now: datetime, limit: int = 200_000) -> int:
    """Delete snapshots that are too old, at most `limit` of them; returns how many."""
    allow_long_statements(_STATEMENT_SECONDS)
    given: dict[str, Any] = {
        "hours_from": now - settings.KEPT["EQUITY_HOURS_KEPT_DAYS"],
        "minutes_from": now - settings.KEPT["EQUITY_MINUTES_KEPT_DAYS"],
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_THIN, given)
        return int(cursor.rowcount)


def purge_equity_snapshots() -> int:
    """Delete snapshots that are too old; returns how many. What is left waits for a next call."""
    now, deleted = timezone.now(), 0
    for _ in range(_ROUNDS_MAX):
        count = thin_out_equity_snapshots(now=now, limit=_DELETED_MAX)
        deleted += count
        if count < _DELETED_MAX:
            break
    return deleted
