"""One leader for a shard: an advisory lock on the connection that writes, an epoch, a heartbeat.

The lock lives as long as the leader's connection, which never reconnects. A standby that sees a
heartbeat older than `STALE_SECONDS` ends the holder's backend, takes the lock and raises the epoch;
a leader that was paused and wakes up finds its connection gone.
"""

import logging
import os
import socket
import threading
import time
from typing import Any

import psycopg
import redis

from common.valkey import SOCKET_TIMEOUT_SECONDS
from orders.engine.core.state import ShardState
from orders.engine.process.clock import ClockWatch, ClockWrong
from orders.streams import alive_key

logger = logging.getLogger(__name__)

BEAT_SECONDS = 0.5
STALE_SECONDS = 2.0
ALIVE_MS = 3_000
# An engine that starts over is not missed within this time.
COMING_BACK_MS = 1_000
# A leader whose loop has not turned for so long does not beat any more.
STUCK_SECONDS = 10.0
_POLL_SECONDS = 0.2
_CONNECT_SECONDS = 3
# First key of the advisory locks of engines; the second is the shard.
_LOCK_CLASS = 0x626F7572

# How many bytes of a batch may wait in the socket while PostgreSQL is busy with those before;
# the kernel allows twice its net.core.wmem_max.
_SEND_AHEAD = 4 << 20
_SESSION = """
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;
SET plan_cache_mode = force_generic_plan; SET lock_timeout = '500ms'; SET statement_timeout = '30s';
SET idle_in_transaction_session_timeout = '5s'; SET tcp_keepalives_idle = 5;
SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3
"""
_HOLDER = """
SELECT pid FROM pg_locks
 WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND granted
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_BEAT = """
INSERT INTO orders_engineheartbeat AS h (shard, epoch, holder, beat_at)
VALUES (%s, %s, %s, clock_timestamp())
    ON CONFLICT (shard) DO UPDATE
   SET epoch = excluded.epoch, holder = excluded.holder, beat_at = excluded.beat_at
 WHERE h.epoch <= excluded.epoch
"""
_BEAT_AGE = """
SELECT extract(epoch FROM clock_timestamp() - beat_at) FROM orders_engineheartbeat WHERE shard = %s
"""
_RAISE_EPOCH = """
INSERT INTO orders_engineshard AS s (shard, epoch, last_id, next_sequence, batch_time, starts)
VALUES (%s, 1, '0-0', 1, 0, 1)
    ON CONFLICT (shard) DO UPDATE SET epoch = s.epoch + 1, starts = s.starts + 1
RETURNING epoch, last_id, next_sequence, batch_time, starts
"""
_EPOCH = "SELECT epoch FROM orders_engineshard WHERE shard = %s"
_FORGET_STARTS = "UPDATE orders_engineshard SET starts = 1 WHERE shard = %s AND epoch = %s"
# A leader that wakes or ends late must not touch the sign of the next one.
_SHOW_UNLESS_OLDER = """
local shown = tonumber(redis.call('GET', KEYS[1]) or -1)
if shown <= tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
"""
_END_OWN = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
"""


def connect(dsn: str) -> psycopg.Connection[Any]:
    """The engine's connection: autocommit, the planner told to use indexes, short time-outs."""
    # Its cursors run rare statements, which must not break when a table is changed meanwhile; the
    # others are prepared by `common.postgres_pipeline`.
    connection = psycopg.connect(
        dsn,
        autocommit=True,
        application_name="bourse engine",
        connect_timeout=_CONNECT_SECONDS,
        prepare_threshold=None,
    )
    connection.execute(_SESSION)
    with socket.socket(fileno=os.dup(connection.fileno())) as channel:
        if channel.family == socket.AF_UNIX:  # one over TCP grows by itself
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_AHEAD)
    return connection


def acquire(
    connection: psycopg.Connection[Any],
    shard: int,
    stopping: threading.Event,
    clock_watch: ClockWatch,
) -> bool:
    """Wait until this connection leads the shard; False when told to stop first.

    An engine whose clock is wrong waits, and leaves the lead to others.
    """
    waited = False
    while not stopping.is_set():
        if not clock_watch.may_lead(connection):
            stopping.wait(_POLL_SECONDS)
            continue
        if try_acquire(connection, shard):
            return True
        if not waited:
            logger.info("shard %s has a leader; standing by", shard)
            waited = True
        _end_stale_leader(connection, shard)
        stopping.wait(_POLL_SECONDS)
    return False


def try_acquire(connection: psycopg.Connection[Any], shard: int) -> bool:
    """Lead the shard from now on, unless somebody else does; whether this connection leads."""
    query = "SELECT pg_try_advisory_lock(%s, %s)"
    row = connection.execute(query, [_LOCK_CLASS, shard]).fetchone()
    return row is not None and bool(row[0])


def release(connection: psycopg.Connection[Any], shard: int) -> None:
    """Lead the shard no longer."""
    connection.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_CLASS, shard])


def _end_stale_leader(connection: psycopg.Connection[Any], shard: int) -> None:
    age = connection.execute(_BEAT_AGE, [shard]).fetchone()
    if age is None or age[0] < STALE_SECONDS:
        return
    for (pid,) in connection.execute(_HOLDER, [_LOCK_CLASS, shard]).fetchall():
        logger.warning("the leader of shard %s is silent for %.1f s; ending it", shard, age[0])
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])


def raise_epoch(connection: psycopg.Connection[Any], state: ShardState) -> int:
    """Begin a new epoch and read the checkpoint; returns the starts since the last commit."""
    row = connection.execute(_RAISE_EPOCH, [state.shard]).fetchone()
    assert row is not None
    state.epoch, state.last_id, state.next_sequence, state.batch_time, starts = row
    return starts


def forget_starts(connection: psycopg.Connection[Any], state: ShardState) -> None:
    """Count from this start on: nothing was waiting, so no command has ended an engine."""
    connection.execute(_FORGET_STARTS, [state.shard, state.epoch])


def still_leads(connection: psycopg.Connection[Any], state: ShardState) -> bool:
    """Whether nobody leads after us.

    Raises:
        psycopg.OperationalError: the connection, and with it the lead, is lost.
    """
    row = connection.execute(_EPOCH, [state.shard]).fetchone()
    return row is not None and row[0] == state.epoch


class Heartbeat(threading.Thread):
    """Shows every half second that the leader lives: in the database for a standby, in Valkey
    for web (once it serves). Beats only while the engine's loop turns; loading may take longer."""

    def __init__(
        self,
        dsn: str,
        client: "redis.Redis",
        shard: int,
        epoch: int,
        clock_watch: ClockWatch | None = None,
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._clock_watch = clock_watch
        self._dsn, self._client, self._shard, self._epoch = dsn, client, shard, epoch
        self._holder = f"{socket.gethostname()} {os.getpid()}"
        self._stopped = threading.Event()
        self._is_serving = False
        self._turned_at = time.monotonic()
        self._wrong_clock: ClockWrong | None = None

    def beat_once(self, connection: psycopg.Connection[Any]) -> None:
        """The first beat, before the thread runs: the lock is new and an old beat is stale."""
        connection.execute(_BEAT, [self._shard, self._epoch, self._holder])

    def serve(self) -> None:
        """Web may send commands from now on, and the loop has to turn."""
        self.turn()
        self._is_serving = True
        self._show_alive()

    def turn(self) -> None:
        """The engine's loop has turned.

        Raises:
            ClockWrong: the last beat found the clock wrong; lead no longer.
        """
        self._turned_at = time.monotonic()
        if self._wrong_clock is not None:
            raise self._wrong_clock

    def stop(self, *, is_coming_back: bool = False) -> None:
        """No beat after this. Web sees it at once, or a moment later where an engine comes back."""
        self._stopped.set()
        self.join(SOCKET_TIMEOUT_SECONDS * 2)
        if self._is_serving:
            try:
                left_ms = str(COMING_BACK_MS if is_coming_back else 0)
                self._client.eval(_END_OWN, 1, alive_key(self._shard), str(self._epoch), left_ms)
            except redis.RedisError as error:
                logger.warning("could not take the sign of life down: %s", error)

    def run(self) -> None:
        connection = None
        while not self._stopped.wait(BEAT_SECONDS):
            if self._is_serving and time.monotonic() - self._turned_at > STUCK_SECONDS:
                logger.error("the engine's loop does not turn; no heartbeat")
                continue
            if self._is_serving:
                self._show_alive()
            try:
                connection = connection or psycopg.connect(
                    self._dsn, autocommit=True, connect_timeout=2
                )
                connection.execute(_BEAT, [self._shard, self._epoch, self._holder])
                if self._clock_watch is not None:
                    self._clock_watch.check(connection)
            except ClockWrong as error:
                self._wrong_clock = error
            except psycopg.Error as error:
                logger.warning("heartbeat not written: %s", error)
                connection = None
        if connection is not None:
            connection.close()

    def _show_alive(self) -> None:
        try:
            sign = alive_key(self._shard)
            self._client.eval(_SHOW_UNLESS_OLDER, 1, sign, str(self._epoch), str(ALIVE_MS))
        except redis.RedisError as error:
            logger.warning("sign of life not written: %s", error)
