"""How far the past is settled: reads of an instant that has been settled never change afterwards.

`posted_at` is taken under the locks of a transaction that commits later. Whatever was posted before
the oldest transaction that has written and still runs is there or never will be.
"""

import time
from datetime import datetime

from common.database import get_commit_horizon
from ledger.errors import NotSettledYet

_SECONDS_MAX = 2.0
_PAUSE_SECONDS = 0.005


def settled_end(wanted: datetime | None) -> datetime:
    """The end (exclusive) of a read that never changes afterwards: `wanted`, or now.

    Waits until it is settled, which takes as long as the transactions that write now. None, and
    instants to come, mean now; that is clamped to what is settled where a transaction takes long.

    Raises:
        NotSettledYet: a past instant was asked for, and a transaction from before it still runs.
    """
    now, horizon = get_commit_horizon()
    end = now if wanted is None else min(wanted, now)
    deadline, pause = time.monotonic() + _SECONDS_MAX, _PAUSE_SECONDS
    while horizon < end and time.monotonic() < deadline:
        time.sleep(pause)
        pause *= 2
        _now, horizon = get_commit_horizon()
    if horizon >= end:
        return end
    if wanted is None or wanted >= now:
        return horizon
    raise NotSettledYet(settled_until=horizon)
