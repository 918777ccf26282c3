"""How far the past is settled: reads of an instant that has been settled never change afterwards.

`posted_at` is taken under the locks of a transaction that commits later. Whatever was posted before
the oldest transaction that has written and still runs is there or never will be.
"""

import time
from datetime import datetime, timedelta

from django.db import connection

from ledger.errors import NotSettledYet

_SECONDS_MAX = 2.0
_PAUSE_SECONDS = 0.005

# A transaction that has written may have entries that are not visible yet, posted since it began.
# Autovacuum's, which has an xid while it analyzes a table, has none.
_OLDEST_WRITER = """
SELECT min(xact_start)
  FROM pg_stat_activity
 WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()
   AND backend_type IS DISTINCT FROM 'autovacuum worker'
"""


def get_settled_horizon(lag: timedelta = timedelta(0)) -> tuple[datetime, datetime]:
    """The database's time, and the instant before which no entry can turn up any more.

    `lag` keeps a distance from the present, for clocks that are set back.
    """
    with connection.cursor() as cursor:
        # First the time: what begins to write after it is posted after it.
        cursor.execute("SELECT clock_timestamp()")
        [(now,)] = cursor.fetchall()
        cursor.execute(_OLDEST_WRITER)
        [(started_at,)] = cursor.fetchall()
    horizon = now - lag
    return now, horizon if started_at is None else min(horizon, started_at)


def settled_end(wanted: datetime | None) -> datetime:
    """The end (exclusive) of a read that never changes afterwards: `wanted`, or now.

    Waits until it is settled, which takes as long as the transactions that write now. None, and
    instants to come, mean now; that is clamped to what is settled where a transaction takes long.

    Raises:
        NotSettledYet: a past instant was asked for, and a transaction from before it still runs.
    """
    now, horizon = get_settled_horizon()
    end = now if wanted is None else min(wanted, now)
    deadline, pause = time.monotonic() + _SECONDS_MAX, _PAUSE_SECONDS
    while horizon < end and time.monotonic() < deadline:
        time.sleep(pause)
        pause *= 2
        _now, horizon = get_settled_horizon()
    if horizon >= end:
        return end
    if wanted is None or wanted >= now:
        return horizon
    raise NotSettledYet(settled_until=horizon)
