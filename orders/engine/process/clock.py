"""The engine's clock, held against PostgreSQL's.

The clock of the leader dates orders and trades and judges expiry, and the time of batches never
runs back: a clock that was ahead for a moment would freeze it. So an engine whose clock is wrong
does not lead, or leads no longer.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

import psycopg
import redis
from django.db import DatabaseError, InterfaceError, connections

from ledger.services import raise_alert
from ledger.types import AlertSeverity
from orders.streams import wrong_clock_key

logger = logging.getLogger(__name__)

_SECOND = 1_000_000
_SERVER_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_REPORT_AGAIN_SECONDS = 5.0
# How long /health shows an engine that refuses to lead after it was seen last.
_SHOWN_MS = 10_000


class ClockWrong(Exception):
    """This engine's clock differs too much from PostgreSQL's: it must not lead."""


class ClockWatch:
    """Compares the clock of an engine with that of PostgreSQL.

    `limit_seconds`: how far they may be apart; None: the clock is that of a replay, and right.
    """

    def __init__(
        self,
        clock: Callable[[], int],
        shard: int,
        client: "redis.Redis",
        *,
        limit_seconds: float | None,
    ) -> None:
        self._clock = clock
        self._shard = shard
        self._client = client
        self._limit = None if limit_seconds is None else int(limit_seconds * _SECOND)
        self._report_at = 0.0

    def check(self, connection: psycopg.Connection[Any]) -> None:
        """Compare the clocks.

        Raises:
            ClockWrong: they are too far apart.
        """
        if self._limit is None:
            return
        before = self._clock()
        row = connection.execute(_SERVER_NOW).fetchone()
        after = self._clock()
        assert row is not None
        # Right is whatever the server may have said between question and answer.
        ahead = before - row[0] if row[0] < before else min(0, after - row[0])
        if abs(ahead) > self._limit:
            raise ClockWrong(
                f"the clock of this engine is {ahead / _SECOND:+.1f} s from that of PostgreSQL"
            )

    def may_lead(self, connection: psycopg.Connection[Any]) -> bool:
        """Whether the clock is right; one that is not is logged, alerted and shown by /health."""
        try:
            self.check(connection)
        except ClockWrong as error:
            self._report(str(error))
            return False
        return True

    def report_time_ahead(self, batch_time: int) -> None:
        """Alert where the time of batches is ahead of the clock: it stands still until then."""
        ahead = batch_time - self._clock()
        if self._limit is None or ahead <= self._limit:
            return
        message = (
            f"The time of shard {self._shard} is {ahead / _SECOND:.0f} s ahead, since an engine "
            "with a wrong clock led it: orders and trades get one instant until the clock is there."
        )
        logger.error(message)
        self._raise_alert("engine_time_ahead", message)

    def _report(self, text: str) -> None:
        try:
            self._client.set(wrong_clock_key(self._shard), text, px=_SHOWN_MS)
        except redis.RedisError as error:
            logger.warning("a wrong clock cannot be shown: %s", error)
        if time.monotonic() < self._report_at:
            return
        self._report_at = time.monotonic() + _REPORT_AGAIN_SECONDS
        logger.error("shard %s is not led by this engine: %s", self._shard, text)
        self._raise_alert("engine_clock_wrong", f"Shard {self._shard}: {text}; it does not lead.")

    def _raise_alert(self, kind: str, message: str) -> None:
        try:
            raise_alert(
                kind=kind,
                severity=AlertSeverity.CRITICAL,
                message=message,
                subject=f"shard {self._shard}",
            )
        except (DatabaseError, InterfaceError) as error:
            logger.warning("no alert could be raised: %s", error)
        finally:
            connections.close_all()
