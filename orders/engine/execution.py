"""Carries out what was received: one transaction for each batch, and what to do when it fails.

While PostgreSQL writes a batch, the next one is read and planned; while it locks the rows of that
one, the answers to the last are published. So neither of the two waits long for the other.

A failed batch is rolled back, its books are rebuilt, and it is split until the culprit is alone,
which is answered `engine_error`: one command never stops the others.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

import psycopg
from django.conf import settings
from django.db import connections

from common.postgres_pipeline import StatementPipeline, is_stale_statement
from ledger.bulk import LedgerBatch
from margin.bulk_funding import read_last_due
from orders.commands import (
    CancelOrder,
    CommandOutcome,
    FixFunding,
    LiquidateAccount,
    PlaceOrder,
    ReduceFund,
    ResetVenue,
    SetMarkPrice,
)
from orders.engine import loading, persistence, recovery, reset
from orders.engine.batch import BatchChanges, Received, RowNotLocked
from orders.engine.needs import Needs, find_needs
from orders.engine.processor import Processor, refuse
from orders.engine.publisher import Message, Publisher
from orders.engine.state import LiveOrder, ShardState

logger = logging.getLogger(__name__)

_RETRIES_MAX = 5
_RETRIED_STATES = {"40001", "40P01", "55P03"}


@dataclass(slots=True)
class _Run:
    """One try of a batch: the owners to lock too, and what it has changed in memory so far."""

    also: set[int]
    # Books that it may have changed; and all that it did, once it has come to its end.
    touched: set[int] = field(default_factory=set)
    changes: BatchChanges | None = None


class _Plan(NamedTuple):
    """What a batch needs, found before its turn; it holds as long as the memory stays as it is."""

    received: list[Received]
    needs: Needs


class Executor:
    """Runs batches on the state of a shard.

    `on_try` is called before each transaction. `read_next` is asked, while PostgreSQL writes a
    batch that ends at the given stream id, for what comes next: that batch is planned already, and
    the answers to this one are published when that one has begun, so it has to follow at once.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        state: ShardState,
        publisher: Publisher,
        *,
        clock: Callable[[], int],
        on_try: Callable[[], None],
        read_next: Callable[[str], list[Received]],
    ) -> None:
        self._connection = connection
        self._statements = StatementPipeline(connection)
        self._state = state
        self._publisher = publisher
        self._clock = clock
        self._on_try = on_try
        self._read_next = read_next
        self._read_at = 0.0
        self._plan: _Plan | None = None
        self._unsaid: tuple[Message, BatchChanges] | None = None

    def carry_out(self, received: list[Received], read_at: float) -> None:
        """Run commands as one batch; a reset, which empties the tables, is a batch of its own.

        `read_at`: when they were read, by the monotonic clock; they age while they wait for locks.

        Raises:
            FenceLost, psycopg.Error: the lead or the database is lost; start again.
        """
        self._read_at = read_at
        start = 0
        for index, item in enumerate(received):
            if isinstance(item.command, ResetVenue):
                if start < index:
                    self._try(received[start:index])
                self._reset(item)
                start = index + 1
        if start < len(received):
            # Whole, it is the list that was planned.
            self._try(received[start:] if start else received)

    def expire_due(self) -> bool:
        """Expire what is due now in a batch of its own; False when that failed."""
        return self._attempt([])

    def refuse(self, culprit: Received) -> None:
        """Answer a command that cannot be carried out and move the checkpoint past it."""
        changes = self._no_changes()
        refuse(culprit, changes)
        self._move_on(changes, culprit.stream_id)
        logger.error("refused command %s", culprit.command.command_id.hex())

    def move_past(self, last_id: str) -> None:
        """Move the checkpoint past entries of the stream that are no commands."""
        self._move_on(self._no_changes(), last_id)

    def say(self) -> None:
        """Publish what is committed and was not told yet."""
        unsaid, self._unsaid = self._unsaid, None
        if unsaid is not None:
            self._publisher.publish(*unsaid)

    def _try(self, received: list[Received]) -> None:
        """Carry out a batch; when it fails, find the culprit by halves."""
        if self._attempt(received):
            return
        if len(received) == 1:
            self.refuse(received[0])
            return
        middle = len(received) // 2
        self._try(received[:middle])
        self._try(received[middle:])

    def _attempt(self, received: list[Received]) -> bool:
        """Run and commit one batch; False when it failed and everything is as before."""
        also: set[int] = set()
        tries = 0
        while tries < _RETRIES_MAX:
            tries += 1
            run = _Run(also)
            self._on_try()
            try:
                self._run(received, run)
            except RowNotLocked as miss:
                # One that gets further is no retry: a liquidation may walk through many owners.
                if not also.issuperset(miss.account_ids):
                    tries -= 1
                also.update(miss.account_ids)
                self._undo(run)
            except loading.FenceLost:
                raise
            except psycopg.OperationalError as error:
                if not self._may_go_on(error):
                    raise
                self._undo(run)
            except Exception as error:
                if self._connection.closed or self._connection.broken:
                    raise
                if isinstance(error, psycopg.Error) and is_stale_statement(error):
                    logger.warning("batch tried again: %s", error)
                    self._undo(run)
                    continue
                logger.exception("a batch of %s failed", len(received))
                self._undo(run)
                return False
            else:
                return True
        return False

    def _may_go_on(self, error: psycopg.OperationalError) -> bool:
        """Whether the connection lives and a second try may not meet the conflict again."""
        if self._connection.closed or self._connection.broken:
            return False
        logger.warning("batch tried again: %s", error)
        return error.sqlstate in _RETRIED_STATES

    def _run(self, received: list[Received], run: _Run) -> None:
        """Expire, lock, run, write, COMMIT, answer. `run` is told what has changed in memory."""
        state, connection = self._state, self._connection
        batch_time = self._batch_time()
        expired: list[LiveOrder] = state.matcher.expire(batch_time)  # type: ignore[assignment]
        run.touched.update(order.instrument.instrument_id for order in expired)
        needs = self._needs_of(received, expired, run.also)
        loading.prepare(connection, state, needs, before=self.say)
        context = loading.begin(connection, self._statements, state, needs, meanwhile=self.say)
        if needs.funded:
            context.last_fundings = read_last_due(connection, needs.funded)
        changes = BatchChanges(batch_time, LedgerBatch(context.all_rows()))
        waited_ms = int((time.monotonic() - self._read_at) * 1000)
        run.touched.update(_books_of(received, state))
        last_id = received[-1].stream_id if received else state.last_id
        writer = persistence.Writer(self._statements, state, changes)
        with self._statements.round_trip():
            processor = Processor(state, context, changes)
            processor.run(received, expired, waited_ms, after_part=writer.write_part)
            run.changes = changes
            message = self._finish(writer, changes, last_id)
            self._plan_next(last_id)
        self._commit(writer, message, changes)

    def _finish(self, writer: persistence.Writer, changes: BatchChanges, last_id: str) -> Message:
        """Send the rest of the batch, and compose the answers while PostgreSQL writes it."""
        writer.finish(last_id)
        self._statements.sync()
        return self._publisher.compose(changes, last_id)

    def _plan_next(self, last_id: str) -> None:
        """Read what comes after this batch, and find its needs in the memory that this one left."""
        received = self._read_next(last_id)
        if not received or self._unknown_instruments(received):
            return
        try:
            self._plan = _Plan(received, find_needs(self._state, received, [], set()))
        except Exception:
            # That batch meets it again, and finds the culprit.
            logger.warning("the next batch cannot be planned", exc_info=True)

    def _needs_of(
        self, received: list[Received], expired: list[LiveOrder], also: set[int]
    ) -> Needs:
        """What the batch needs: as planned, unless it is another one, or more has happened."""
        plan, self._plan = self._plan, None
        if plan is not None and plan.received is received and not expired and not also:
            return plan.needs
        self._know_instruments(received)
        return find_needs(self._state, received, expired, also)

    def _commit(self, writer: persistence.Writer, message: Message, changes: BatchChanges) -> None:
        """COMMIT what was written, and answer: at once, or when the next batch has begun."""
        writer.commit()
        self.say()
        self._unsaid = message, changes
        if self._plan is None:
            self.say()

    def _know_instruments(self, received: list[Received]) -> None:
        """Read the rules of instruments that were listed since."""
        unknown = self._unknown_instruments(received)
        if unknown:
            recovery.rebuild(self._connection, self._state, unknown)

    def _unknown_instruments(self, received: list[Received]) -> set[int]:
        known = self._state.instruments
        return {
            item.command.instrument_id
            for item in received
            if isinstance(item.command, (PlaceOrder, SetMarkPrice, FixFunding))
            and item.command.instrument_id not in known
        }

    def _undo(self, run: _Run) -> None:
        """Roll back, in the database and in memory."""
        self._plan = None
        self._connection.rollback()
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

    def _move_on(self, changes: BatchChanges, last_id: str) -> None:
        """Commit the checkpoint at `last_id` with changes that touch no book, and answer."""
        self._plan = None  # if there is one, it is not of what comes next
        writer = persistence.Writer(self._statements, self._state, changes)
        with self._statements.round_trip():
            self._statements.execute("BEGIN")
            message = self._finish(writer, changes, last_id)
        self._commit(writer, message, changes)

    def _no_changes(self) -> BatchChanges:
        return BatchChanges(self._batch_time(), LedgerBatch())

    def _batch_time(self) -> int:
        return max(self._state.batch_time, self._clock())

    def _reset(self, received: Received) -> None:
        """Empty the venue once, forget everything, fund the demo anew, answer."""
        state, command = self._state, received.command
        self.say()
        changes = self._no_changes()
        changes.answer(command.reply_to, CommandOutcome(command.command_id, "done"))
        if reset.is_done(self._connection, command.command_id):
            self._move_on(changes, received.stream_id)
            return
        changes.commands.append((command.command_id, "reset", "done"))
        try:
            self._connection.execute("BEGIN")
            reset.empty_tables(self._connection)
            writer = persistence.Writer(self._statements, state, changes)
            with self._statements.round_trip():
                writer.finish(received.stream_id)
            writer.commit()
        except psycopg.OperationalError as error:
            if not self._may_go_on(error):
                raise
            self._connection.rollback()
            self.refuse(received)
            return
        state.forget_ledger_ids()
        if settings.RESET_HOOK:
            module, _, name = settings.RESET_HOOK.rpartition(".")
            getattr(import_module(module), name)()
            connections.close_all()
        recovery.rebuild(self._connection, state, set(state.instruments))
        changes.touched_instruments.update(state.instruments)
        message = self._publisher.compose(changes, received.stream_id)
        self._publisher.publish(message, changes)


def _books_of(received: list[Received], state: ShardState) -> set[int]:
    """The books that these commands may change."""
    books = set()
    for item in received:
        command = item.command
        if isinstance(command, (PlaceOrder, SetMarkPrice)):
            books.add(command.instrument_id)
        elif isinstance(command, CancelOrder):
            order = state.live_orders.get(command.order_id)
            if order is not None:
                books.add(order.instrument.instrument_id)
        elif isinstance(command, LiquidateAccount):
            owner = (command.account_id, command.asset_id)
            books.update(state.positions.by_owner.get(owner, ()))
        elif isinstance(command, ReduceFund) and command.instrument_id in state.instruments:
            books.add(command.instrument_id)
    return books
