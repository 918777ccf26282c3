"""The batches of a shard on their way: read → plan → lock → execute → write → commit → publish.

Two batches overlap. While PostgreSQL writes and commits one, the next is read and planned, and its
BEGIN, fence and locks are sent behind that COMMIT; the answers to the first are published while
PostgreSQL locks the rows of the second. What was sent for the second is worth nothing if the first
is not committed: the fence asks for the checkpoint that the first would have left.

A failed batch is rolled back, its books are rebuilt, and it is split until the poison command is
alone, which is answered `engine_error`: one command never stops the others.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import redis
from django.conf import settings

from common.postgres_pipeline import StatementPipeline, is_stale_statement
from ledger.batch import LedgerBatch
from margin.bulk_funding import read_last_due
from orders.commands import ENGINE_ERROR, ROWS_LOCKED, CommandOutcome, kind_of
from orders.engine.core.batch import Batch, BatchChanges, LockPlanMiss, Received
from orders.engine.core.planning import books_touched, runs_alone
from orders.engine.core.processor import refuse, run_batch
from orders.engine.core.state import LiveOrder, ShardState
from orders.engine.process.inbox import Inbox
from orders.engine.process.leadership import Heartbeat
from orders.engine.process.publisher import Publisher
from orders.engine.transaction import instruments, locking, recovery, reset
from orders.engine.transaction.opening import BatchOpener, OpenedBatch
from orders.engine.transaction.writing import Writer

logger = logging.getLogger(__name__)

_RETRIES_MAX = 5
_LOCK_NOT_AVAILABLE = "55P03"
_RETRIED_STATES = {"40001", "40P01", _LOCK_NOT_AVAILABLE}


@dataclass(slots=True)
class ReadBatch:
    """Commands that were read together from the stream: those after `after`, up to `read_to`.

    `read_at`: when, by the monotonic clock; they age while they wait for locks.
    """

    after: str
    received: list[Received]
    read_to: str
    read_at: float
    begun: OpenedBatch | None = None


@dataclass(slots=True)
class _Run:
    """One try of a batch, and what it has changed in memory so far."""

    # Owners that an earlier try ran into, and whether that one met an order that came before.
    extra_owners: set[int]
    looks_up: bool
    # Books that it may have changed; and all that it did, once it has come to its end.
    touched: set[int] = field(default_factory=set)
    changes: BatchChanges | None = None


class BatchPipeline:
    """Runs batches on the state of a shard, over one connection."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        state: ShardState,
        inbox: Inbox,
        publisher: Publisher,
        *,
        clock: Callable[[], int],
    ) -> None:
        self._connection = connection
        self._statements = StatementPipeline(connection)
        self._opener = BatchOpener(connection, self._statements, state)
        self._state = state
        self._inbox = inbox
        self._publisher = publisher
        self._clock = clock
        self._read_at = 0.0
        # The batch that was read ahead.
        self._following: ReadBatch | None = None
        # Turned before each transaction; the leader's, once there is one.
        self.heartbeat: Heartbeat | None = None
        # Whether the last try failed since others held its rows.
        self._is_locked_out = False
        # Whether the next batch may be read before its turn.
        self.may_read_ahead = True

    # --- reading ----------------------------------------------------------------------------------

    @property
    def has_begun(self) -> bool:
        """Whether the rows of the next batch are being locked already."""
        return self._following is not None and self._following.begun is not None

    def read(self, limit: int, block_ms: int) -> ReadBatch:
        """The next batch, at most `limit` commands if it was not read ahead.

        Raises:
            redis.RedisError: it cannot be read now.
        """
        following = self._following
        if following is not None:
            if following.after == self._state.last_id:
                self._following = None
                return following
            self._drop_following()
        return self._read(self._state.last_id, limit, block_ms)

    def _read(self, after: str, limit: int, block_ms: int | None) -> ReadBatch:
        self._publisher.confirm()
        received, read_to = self._inbox.read(after, limit, block_ms)
        return ReadBatch(after, received, read_to, time.monotonic())

    def _read_following(self, after: str, batch_time: int) -> None:
        """Read the batch that follows, and begin it where nothing speaks against it.

        `batch_time`: that of the batch before, whose COMMIT is sent: whatever goes wrong here is
        no failure of that one.
        """
        if not self.may_read_ahead or self._publisher.is_behind:
            return  # a Valkey that is away is waited for while no row is locked
        try:
            following = self._read(after, settings.ENGINE_BATCH_MAX, None)
            if following.received:
                self._following = following
                following.begun = self._opener.open_behind(
                    following.received, max(batch_time, self._clock()), last_id=after
                )
        except redis.RedisError as error:
            logger.warning("the stream cannot be read ahead: %s", error)
        except Exception:
            # That batch meets it again, and finds the poison command.
            logger.warning("the next batch cannot be begun", exc_info=True)

    def _drop_following(self) -> None:
        """Give the rows of the next batch back, if it has begun, and forget it."""
        if self.has_begun:
            self._roll_back()
        self._following = None

    def _roll_back(self) -> None:
        """End the open transaction, when all that was sent is answered."""
        self._statements.abandon()
        self._connection.rollback()

    # --- executing --------------------------------------------------------------------------------

    def execute(self, batch: ReadBatch) -> None:
        """Run commands as one batch; a reset, which empties the tables, is a batch of its own.

        Raises:
            FenceLost, psycopg.Error: the lead or the database is lost; start again.
        """
        self._read_at = batch.read_at
        received, begun = batch.received, batch.begun
        start = 0
        for index, item in enumerate(received):
            if runs_alone(item):
                if start < index:
                    self._execute_some(received[start:index])
                self._reset(item)
                start = index + 1
        if start < len(received) and not self._attempt(received[start:], begun, is_last=True):
            self._halve(received[start:])

    def expire_due(self) -> bool:
        """Expire what is due now in a batch of its own; False when that failed."""
        return self._attempt([])

    def refuse(self, poison: Received, code: str = ENGINE_ERROR) -> None:
        """Answer a command that cannot be executed and move the checkpoint past it."""
        changes = self._no_changes()
        refuse(poison, changes, code)
        self._move_on(changes, poison.stream_id)
        command_id, origin = poison.command.command_id.hex(), {"request_id": poison.request_id}
        logger.error("refused command %s: %s", command_id, code, extra=origin)

    def move_past(self, last_id: str) -> None:
        """Move the checkpoint past entries of the stream that are no commands."""
        self._move_on(self._no_changes(), last_id)

    def _execute_some(self, received: list[Received]) -> None:
        """Run a part of what was read as a batch; when it fails, by halves."""
        if not self._attempt(received):
            self._halve(received)

    def _halve(self, received: list[Received]) -> None:
        """Find the poison command of a batch that has failed."""
        if len(received) == 1:
            self.refuse(received[0], ROWS_LOCKED if self._is_locked_out else ENGINE_ERROR)
            return
        middle = len(received) // 2
        self._execute_some(received[:middle])
        self._execute_some(received[middle:])

    def _attempt(
        self, received: list[Received], begun: OpenedBatch | None = None, *, is_last: bool = False
    ) -> bool:
        """Run and commit one batch; False when it failed and everything is as before.

        `is_last`: what follows it is in the stream, not in the hands of the caller.
        """
        extra_owners: set[int] = set()
        looks_up = self._is_locked_out = False
        tries = 0
        while tries < _RETRIES_MAX:
            tries += 1
            run = _Run(extra_owners, looks_up)
            if self.heartbeat is not None:
                self.heartbeat.turn()
            try:
                self._run(received, begun, run, is_last)
            except LockPlanMiss as miss:
                # One that gets further is no retry: a liquidation may walk through many owners.
                if not extra_owners.issuperset(miss.account_ids):
                    tries -= 1
                extra_owners.update(miss.account_ids)
            except locking.FenceLost:
                raise
            except Exception as error:
                if self._connection.closed or self._connection.broken:
                    raise
                if isinstance(error, psycopg.errors.UniqueViolation) and not looks_up:
                    looks_up = True
                elif not self._is_retryable(error):
                    logger.exception("a batch of %s failed", len(received))
                    self._undo(run)
                    return False
                self._is_locked_out = isinstance(error, psycopg.errors.LockNotAvailable)
                if self._is_locked_out and len(received) > 1:
                    tries = _RETRIES_MAX  # most of them need other rows
            else:
                return True
            self._undo(run)
            begun = None
        return False

    def _is_retryable(self, error: Exception) -> bool:
        """Whether a second try may not meet the conflict again.

        Raises:
            psycopg.OperationalError: it is no conflict but the end of the connection.
        """
        if not isinstance(error, psycopg.Error):
            return False
        if error.sqlstate in _RETRIED_STATES or is_stale_statement(error):
            logger.warning("batch tried again: %s", error)
            return True
        if isinstance(error, psycopg.OperationalError):
            raise error
        return False

    def _run(
        self, received: list[Received], begun: OpenedBatch | None, run: _Run, is_last: bool
    ) -> None:
        """Lock, run, write, COMMIT, publish. `run` is told what has changed in memory."""
        state = self._state
        if begun is None:
            begun = self._open(received, run)
        try:
            context = begun.request.receive()
        except locking.LedgerAccountsMissing:
            self._roll_back()
            begun = self._open(received, run, makes_accounts=True)
            context = begun.request.receive()
        if begun.plan.funded:
            context.last_fundings = read_last_due(self._connection, begun.plan.funded)
        instruments.load_changed(self._connection, state, context.instrument_versions)
        expired: list[LiveOrder] = state.matcher.expire(begun.batch_time)  # type: ignore[assignment]
        run.touched.update(order.instrument.instrument_id for order in expired)
        changes = BatchChanges(begun.batch_time, LedgerBatch(context.all_rows()))
        waited_ms = int((time.monotonic() - self._read_at) * 1000)
        run.touched.update(books_touched(received, state))
        last_id = received[-1].stream_id if received else state.last_id
        writer = Writer(self._statements, state, changes)
        batch = Batch(state, context, changes)
        run_batch(batch, received, expired, waited_ms, after_part=writer.write_part)
        run.changes = changes
        self._commit(writer, changes, last_id, is_last)

    def _commit(
        self, writer: Writer, changes: BatchChanges, last_id: str, is_last: bool = False
    ) -> None:
        """Write the rest of the batch, COMMIT, and publish what is committed.

        The answers are composed while PostgreSQL writes, the next batch begins behind the COMMIT.
        """
        writer.finish(last_id)
        message = self._publisher.compose(changes, last_id)
        writer.commit()
        if is_last:
            self._read_following(last_id, changes.batch_time)
        self._statements.wait()
        self._state.last_id, self._state.batch_time = last_id, changes.batch_time
        if self._statements.in_flight and not self.has_begun:
            self._roll_back()  # the next one was not sent to its end
        self._publisher.publish_committed(message, changes)

    def _open(
        self, received: list[Received], run: _Run, *, makes_accounts: bool = False
    ) -> OpenedBatch:
        """Open a batch that comes after no other."""
        self._drop_following()
        return self._opener.open(
            received,
            self._batch_time(),
            extra_owners=run.extra_owners,
            looks_up=run.looks_up,
            makes_accounts=makes_accounts,
        )

    def _undo(self, run: _Run) -> None:
        """Roll back, in the database and in memory; a batch that has begun behind this one too."""
        if self._following is not None:
            self._following.begun = None
        self._roll_back()
        self._publisher.forget_books()
        row = self._connection.execute(
            "SELECT next_sequence FROM orders_engineshard WHERE shard = %s", [self._state.shard]
        ).fetchone()
        assert row is not None
        self._state.next_sequence = row[0]
        self._state.forget_ledger_ids()
        if run.changes is not None:
            recovery.take_back(self._connection, self._state, run.changes)
        else:
            recovery.rebuild(self._connection, self._state, run.touched)

    # --- without a book ---------------------------------------------------------------------------

    def _move_on(self, changes: BatchChanges, last_id: str) -> None:
        """Commit the checkpoint at `last_id` with changes that touch no book, and answer."""
        self._drop_following()
        self._opener.open_fenced(changes.batch_time)
        self._commit(Writer(self._statements, self._state, changes), changes, last_id)

    def _no_changes(self) -> BatchChanges:
        return BatchChanges(self._batch_time(), LedgerBatch())

    def _batch_time(self) -> int:
        return max(self._state.batch_time, self._clock())

    def _reset(self, received: Received) -> None:
        """Empty the venue once, forget everything, fund the demo again, answer.

        The checkpoint moves past it when the demo is funded: an engine that dies before begins
        again.
        """
        state, command = self._state, received.command
        is_done = reset.is_done(self._connection, command.command_id)
        if not is_done and not self._empty_and_fund():
            self.refuse(received)
            return
        changes = self._no_changes()
        changes.answer(command.reply_to, CommandOutcome(command.command_id, "done"))
        if not is_done:
            changes.commands.append((command.command_id, kind_of(command), "done"))
            changes.touched_instruments.update(state.instruments)
        self._move_on(changes, received.stream_id)

    def _empty_and_fund(self) -> bool:
        """Empty the venue, in the database and in memory, and call RESET_HOOK.

        False when the tables are in use, or the hook failed.
        """
        state, changes = self._state, self._no_changes()
        try:
            self._drop_following()
            self._opener.open_fenced(changes.batch_time)
            reset.empty_tables(self._connection)
            writer = Writer(self._statements, state, changes)
            writer.finish(state.last_id)
            writer.commit()
            self._statements.wait()
        except psycopg.OperationalError as error:
            if self._connection.closed or self._connection.broken:
                raise
            self._is_retryable(error)
            self._roll_back()
            return False
        state.batch_time = changes.batch_time
        state.forget_ledger_ids()
        is_funded = reset.call_hook()
        recovery.rebuild(self._connection, state, set(state.instruments))
        self._publisher.forget_books()
        return is_funded
