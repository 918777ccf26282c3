"""The engine's loop: lead, recover, then batch after batch until told to stop.

A lost connection, or a COMMIT of unknown outcome, ends an engine: the next one starts from what is
committed, and a start is the recovery.
"""

import gc
import logging
import threading
import time
from collections.abc import Callable

import redis
from django.conf import settings

from common.valkey import get_client
from common.valkey_socket import ValkeySocket
from orders.engine.core.batch import Received
from orders.engine.core.state import ShardState
from orders.engine.process import leadership
from orders.engine.process.clock import ClockWatch
from orders.engine.process.inbox import Inbox, split_id
from orders.engine.process.pipeline import BatchPipeline, ReadBatch
from orders.engine.process.publisher import Publisher
from orders.engine.transaction import recovery
from orders.engine.transaction.locking import FenceLost

logger = logging.getLogger(__name__)

IDLE_MS = 200
# After so many starts without a commit, the first command is taken for the cause and refused.
CRASHES_MAX = 3
_SERVER_SECONDS = 2.0
_LEAD_SECONDS = 1.0


def microseconds_now() -> int:
    """The wall clock: microseconds since 1970."""
    return time.time_ns() // 1000


class Engine:
    """The engine of one shard, from taking the lead to its end.

    `clock` gives the time of batches. That of a replay, or of a test, is held against PostgreSQL's
    with `checks_clock` alone.
    """

    def __init__(
        self,
        dsn: str,
        shard: int,
        *,
        clock: Callable[[], int] = microseconds_now,
        checks_clock: bool | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        self._dsn = dsn
        self._clock = clock
        self.state = ShardState(shard)
        self.stopping = stopping or threading.Event()
        self._connection = leadership.connect(dsn)
        self._client = get_client()
        if checks_clock is None:
            checks_clock = clock is microseconds_now
        self._clock_watch = ClockWatch(
            clock,
            shard,
            self._client,
            limit_seconds=settings.ENGINE_CLOCK_OFFSET_MAX_SECONDS if checks_clock else None,
        )
        self._valkey = ValkeySocket()
        self._inbox = Inbox(self._valkey, self._client, shard)
        self._publisher = Publisher(self._valkey, self._client, self.state)
        self.pipeline = BatchPipeline(
            self._connection, self.state, self._inbox, self._publisher, clock=clock
        )
        self._heartbeat: leadership.Heartbeat | None = None
        self._single_until: str | None = None
        self._has_poison = False
        self._next_server = self._next_lead = 0.0

    # --- life -------------------------------------------------------------------------------------

    def run(self) -> None:
        """Lead the shard until `stopping` is set.

        Raises:
            FenceLost, psycopg.OperationalError: the lead or the database is lost; start again.
            ClockWrong: it must not lead.
        """
        try:
            if self.lead():
                while not self.stopping.is_set():
                    self.turn()
        finally:
            self.close()

    def lead(self) -> bool:
        """Wait for the lead and recover; False when told to stop first."""
        if not leadership.acquire(
            self._connection, self.state.shard, self.stopping, self._clock_watch
        ):
            return False
        self._start()
        return True

    @property
    def backend_pid(self) -> int:
        """The process id of the database backend that the lead hangs on."""
        return self._connection.info.backend_pid

    def close(self) -> None:
        """Give the lead back, when what was published is taken."""
        self._publisher.confirm()
        if self._heartbeat is not None:
            self._heartbeat.stop(is_coming_back=not self.stopping.is_set())
        self._valkey.close()
        self._connection.close()

    def _start(self) -> None:
        state = self.state
        starts = leadership.raise_epoch(self._connection, state)
        self._clock_watch.report_time_ahead(state.batch_time)
        self._heartbeat = leadership.Heartbeat(
            self._dsn, self._client, state.shard, state.epoch, self._clock_watch
        )
        self.pipeline.heartbeat = self._heartbeat
        self._heartbeat.beat_once(self._connection)
        self._heartbeat.start()
        began = time.monotonic()
        gc.disable()  # nothing of the books is garbage, and looking for it doubles the time
        try:
            recovery.load_shard(self._connection, state)
        finally:
            gc.freeze()
            gc.enable()
        self._guard_crash_loop(starts, self._wait_for_valkey())
        self._heartbeat.serve()
        logger.info(
            "shard %s leads, epoch %s: %s open orders in %s books, ready in %.2f s",
            state.shard, state.epoch, len(state.live_orders), len(state.matcher.books),
            time.monotonic() - began,
        )  # fmt: skip

    def _wait_for_valkey(self) -> str:
        """Align the stream and publish all books, as soon as Valkey is there.

        Returns the id of the newest command that waits.
        """
        while not self.stopping.is_set():
            try:
                self._inbox.align(self.state.last_id)
                self._publisher.check_server()
                return self._inbox.last_waiting_id()
            except redis.RedisError as error:
                logger.warning("waiting for Valkey: %s", error)
                self._beat_turn()
                self.stopping.wait(0.2)
        return "0-0"

    def _guard_crash_loop(self, starts: int, newest_id: str) -> None:
        """After starts without a commit: batches of one; after too many, the first is poison.

        No command is to blame for the starts of a venue where nothing was waiting.
        """
        if split_id(newest_id) <= split_id(self.state.last_id):
            leadership.forget_starts(self._connection, self.state)
        elif starts > 1:
            self._single_until = newest_id
            self._has_poison = starts > CRASHES_MAX
            logger.warning("start %s since the last commit: batches of one", starts)

    def turn(self) -> None:
        """Take what is waiting and execute it; expire what is due."""
        self._beat_turn()
        is_single = self._single_until is not None
        self.pipeline.may_read_ahead = not is_single and not self.stopping.is_set()
        batch = self._read(1 if is_single else settings.ENGINE_BATCH_MAX)
        if self._has_poison and batch.received:
            self._refuse_poison(batch.received[0])
        elif batch.received:
            self.pipeline.execute(batch)
        elif self._is_expiry_due():
            if not self.pipeline.expire_due():
                self.stopping.wait(IDLE_MS / 1000)
        elif batch.read_to != self.state.last_id:
            self.pipeline.move_past(batch.read_to)
        else:
            self._watch_lead()
        if self._single_until is not None and split_id(self.state.last_id) >= split_id(
            self._single_until
        ):
            self._single_until = None

    def _read(self, limit: int) -> ReadBatch:
        """The next batch; an empty one without Valkey."""
        try:
            if not self.pipeline.has_begun:  # rows are locked: first that batch
                self._watch_server()
            return self.pipeline.read(limit, self._block_ms())
        except redis.RedisError as error:
            logger.warning("the stream cannot be read: %s", error)
            self._next_server = 0.0
            self.stopping.wait(0.1)
            last_id = self.state.last_id
            return ReadBatch(last_id, [], last_id, time.monotonic())

    def _refuse_poison(self, poison: Received) -> None:
        """Do not try the command again at which the engine has crashed too often."""
        logger.error("the engine crashed %s times at one command", CRASHES_MAX)
        self.pipeline.refuse(poison)
        self._has_poison = False

    def _beat_turn(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.turn()

    def _block_ms(self) -> int:
        """How long to wait for a command: until the next expiry, at most the idle tick."""
        due_at = self.state.matcher.next_expiry_any()
        if due_at is None:
            return IDLE_MS
        return max(1, min(IDLE_MS, (due_at - self._clock()) // 1000 + 1))

    def _is_expiry_due(self) -> bool:
        due_at = self.state.matcher.next_expiry_any()
        return due_at is not None and due_at <= self._clock()

    def _watch_lead(self) -> None:
        """Notice, without a batch that would tell, that the lead or the database is gone.

        Else a leader that was paused while nobody sent anything would go on as a second one, and
        one whose database was restarted would find out at the cost of the next order.
        """
        if time.monotonic() >= self._next_lead:
            if not leadership.still_leads(self._connection, self.state):
                raise FenceLost(f"shard {self.state.shard} is led by another engine")
            self._next_lead = time.monotonic() + _LEAD_SECONDS

    def _watch_server(self) -> None:
        """Notice a restarted Valkey, or one that missed a batch: align the stream, publish all."""
        if time.monotonic() >= self._next_server or self._publisher.is_behind:
            self._publisher.confirm()
            self._inbox.align(self.state.last_id)
            self._publisher.check_server()
            self._next_server = time.monotonic() + _SERVER_SECONDS
