"""The engine's loop: lead, recover, then batch after batch until told to stop.

A failed batch is rolled back, its books are rebuilt, and it is split until the culprit is alone,
which is answered `engine_error`. A lost connection, or a COMMIT of unknown outcome, ends the
process: its supervisor starts it again, and a start is the recovery.
"""

import gc
import logging
import threading
import time
from importlib import import_module
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import connections

from common.valkey import get_client, new_listener_client
from ledger.bulk import LedgerBatch
from orders.commands import CommandOutcome, PlaceOrder, ResetVenue
from orders.engine import leadership, loading, persistence, recovery, reset
from orders.engine.batch import BatchChanges, Received, RowNotLocked
from orders.engine.inbox import Inbox, split_id
from orders.engine.loading import FenceLost
from orders.engine.processor import Processor, refuse
from orders.engine.publisher import Publisher
from orders.engine.state import LiveOrder, ShardState

logger = logging.getLogger(__name__)

IDLE_MS = 200
# After so many starts without a commit, the first command is taken for the cause and refused.
DEATHS_MAX = 3
_WEBHOOKS_SECONDS = 1.0
_SERVER_SECONDS = 2.0
_RETRIES_MAX = 5
_RETRIED_STATES = {"40001", "40P01", "55P03"}


class Engine:
    """The engine of one shard, from taking the lead to its end."""

    def __init__(self, dsn: str, shard: int) -> None:
        self._dsn = dsn
        self.state = ShardState(shard)
        self.stopping = threading.Event()
        self._connection = leadership.connect(dsn)
        self._client = get_client()
        self._inbox = Inbox(new_listener_client(), shard)
        self._publisher = Publisher(self._client, self.state)
        self._heartbeat: leadership.Heartbeat | None = None
        self._single_until: str | None = None
        self._suspect = False
        self._next_webhooks = self._next_server = 0.0

    # --- life -------------------------------------------------------------------------------------

    def run(self) -> None:
        """Lead the shard until `stopping` is set.

        Raises:
            FenceLost, psycopg.OperationalError: the lead or the database is lost; start again.
        """
        try:
            if self.lead():
                while not self.stopping.is_set():
                    self.turn()
        finally:
            self.close()

    def lead(self) -> bool:
        """Wait for the lead and recover; False when told to stop first."""
        if not leadership.acquire(self._connection, self.state.shard, self.stopping):
            return False
        self._start()
        return True

    @property
    def backend_pid(self) -> int:
        """The process id of the database backend that the lead hangs on."""
        return self._connection.info.backend_pid

    def close(self) -> None:
        """Give the lead back."""
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self._connection.close()

    def _start(self) -> None:
        state = self.state
        starts = leadership.raise_epoch(self._connection, state)
        self._heartbeat = leadership.Heartbeat(self._dsn, self._client, state.shard, state.epoch)
        self._heartbeat.beat_once()
        self._heartbeat.start()
        began = time.monotonic()
        recovery.load_shard(self._connection, state)
        self._wait_for_valkey()
        if starts > 1:
            self._single_until = self._inbox.last_waiting_id()
            logger.warning("start %s since the last commit: batches of one", starts)
        self._suspect = starts > DEATHS_MAX
        gc.collect()
        gc.freeze()
        self._heartbeat.serve()
        logger.info(
            "shard %s leads, epoch %s: %s open orders in %s books, ready in %.2f s",
            state.shard, state.epoch, len(state.live_orders), len(state.matcher.books),
            time.monotonic() - began,
        )  # fmt: skip

    def _wait_for_valkey(self) -> None:
        """Align the stream and publish all books, as soon as Valkey is there."""
        while not self.stopping.is_set():
            try:
                self._inbox.align(self.state.last_id)
                self._publisher.check_server()
                return
            except redis.RedisError as error:
                logger.warning("waiting for Valkey: %s", error)
                self._beat_turn()
                self.stopping.wait(0.2)

    def turn(self) -> None:
        """Take what is waiting and carry it out; expire what is due."""
        self._beat_turn()
        limit = 1 if self._single_until is not None else settings.ENGINE_BATCH_MAX
        try:
            self._watch_server()
            received = self._inbox.read(self.state.last_id, limit, self._block_ms())
        except redis.RedisError as error:
            logger.warning("the stream cannot be read: %s", error)
            self._next_server = 0.0
            self.stopping.wait(0.1)
            received = []
        self._watch_webhooks()
        if self._suspect and received:
            self._refuse_suspect(received[0])
        elif received or self._is_expiry_due():
            self._carry_out(received)
        if self._single_until is not None and split_id(self.state.last_id) >= split_id(
            self._single_until
        ):
            self._single_until = None

    def _beat_turn(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.turn()

    def _block_ms(self) -> int:
        """How long to wait for a command: until the next expiry, at most the idle tick."""
        due_at = self.state.matcher.next_expiry_any()
        if due_at is None:
            return IDLE_MS
        return max(1, min(IDLE_MS, (due_at - _now()) // 1000 + 1))

    def _is_expiry_due(self) -> bool:
        due_at = self.state.matcher.next_expiry_any()
        return due_at is not None and due_at <= _now()

    def _watch_server(self) -> None:
        """Notice a restarted Valkey: align the stream, publish all books."""
        if time.monotonic() >= self._next_server:
            self._inbox.align(self.state.last_id)
            self._publisher.check_server()
            self._next_server = time.monotonic() + _SERVER_SECONDS

    def _watch_webhooks(self) -> None:
        """Know which brokers want webhooks."""
        if time.monotonic() >= self._next_webhooks:
            rows = self._connection.execute(
                "SELECT DISTINCT broker_id FROM brokers_webhookendpoint WHERE is_active"
            ).fetchall()
            self.state.webhook_brokers = {broker_id.bytes for (broker_id,) in rows}
            self._next_webhooks = time.monotonic() + _WEBHOOKS_SECONDS

    # --- batches ----------------------------------------------------------------------------------

    def _carry_out(self, received: list[Received]) -> None:
        """Run commands as one batch; a reset, which empties the tables, is a batch of its own."""
        start = 0
        for index, item in enumerate(received):
            if isinstance(item.command, ResetVenue):
                if start < index:
                    self._try(received[start:index])
                self._reset(item)
                start = index + 1
        if start < len(received) or not received:
            self._try(received[start:])

    def _try(self, received: list[Received]) -> None:
        """Carry out a batch; when it fails, find the culprit by halves."""
        if self._attempt(received):
            return
        if len(received) > 1:
            middle = len(received) // 2
            self._try(received[:middle])
            self._try(received[middle:])
        elif received:
            self._refuse(received[0])

    def _attempt(self, received: list[Received]) -> bool:
        """Run and commit one batch; False when it failed and everything is as before."""
        also: set[int] = set()
        for _retry in range(_RETRIES_MAX):
            touched: set[int] = set()
            try:
                changes = self._commit(received, also, touched)
            except RowNotLocked as miss:
                also.add(miss.account_id)
                self._undo(touched)
            except (FenceLost, psycopg.OperationalError) as error:
                if isinstance(error, FenceLost) or not self._may_go_on(error):
                    raise
                self._undo(touched)
            except Exception:
                if self._connection.closed or self._connection.broken:
                    raise
                logger.exception("a batch of %s failed", len(received))
                self._undo(touched)
                return False
            else:
                self._publisher.publish(changes)
                return True
        return False

    def _may_go_on(self, error: psycopg.OperationalError) -> bool:
        """Whether the connection lives and a second try may not meet the conflict again."""
        if self._connection.closed or self._connection.broken:
            return False
        logger.warning("batch tried again: %s", error)
        return error.sqlstate in _RETRIED_STATES

    def _commit(self, received: list[Received], also: set[int], touched: set[int]) -> BatchChanges:
        """Expire, lock, run, write, COMMIT. `touched` collects the books that were changed."""
        state, connection = self.state, self._connection
        batch_time = max(state.batch_time, _now())
        self._know_instruments(received)
        touched.update(
            item.command.instrument_id for item in received if isinstance(item.command, PlaceOrder)
        )
        for item in received:
            order = state.live_orders.get(getattr(item.command, "order_id", b""))
            if order is not None:
                touched.add(order.instrument.instrument_id)
        expired: list[LiveOrder] = state.matcher.expire(batch_time)  # type: ignore[assignment]
        touched.update(order.instrument.instrument_id for order in expired)
        needs = loading.find_needs(state, received, expired, also)
        loading.prepare(connection, state, needs)
        context = loading.begin(connection, state, needs)
        ledger = LedgerBatch([*context.rows.values(), *context.fee_rows.values()])
        changes = BatchChanges(batch_time, ledger)
        Processor(state, context, changes).run(received, expired)
        last_id = received[-1].stream_id if received else state.last_id
        persistence.commit(connection, state, changes, last_id)
        return changes

    def _know_instruments(self, received: list[Received]) -> None:
        """Read the rules of instruments that were listed since."""
        known = self.state.instruments
        unknown = {
            item.command.instrument_id
            for item in received
            if isinstance(item.command, PlaceOrder) and item.command.instrument_id not in known
        }
        if unknown:
            recovery.rebuild(self._connection, self.state, unknown)

    def _undo(self, touched: set[int]) -> None:
        """Roll back, in the database and in memory."""
        self._connection.execute("ROLLBACK")
        row = self._connection.execute(
            "SELECT next_sequence FROM orders_engineshard WHERE shard = %s", [self.state.shard]
        ).fetchone()
        assert row is not None
        self.state.next_sequence = row[0]
        self.state.client_ledger_ids.clear()
        self.state.fee_ledger_ids.clear()
        recovery.rebuild(self._connection, self.state, touched)

    def _refuse(self, culprit: Received) -> None:
        """Answer a command that cannot be carried out and move the checkpoint past it."""
        state = self.state
        changes = BatchChanges(max(state.batch_time, _now()), LedgerBatch())
        refuse(culprit, changes)
        self._connection.execute("BEGIN")
        persistence.commit(self._connection, state, changes, culprit.stream_id)
        logger.error("refused command %s", culprit.command.command_id.hex())
        self._publisher.publish(changes)

    def _refuse_suspect(self, suspect: Received) -> None:
        """The command at which the engine has died again and again is not tried any more."""
        logger.error("the engine died %s times at one command", DEATHS_MAX)
        self._refuse(suspect)
        self._suspect = False

    def _reset(self, received: Received) -> None:
        """Empty the venue, forget everything, fund the demo anew, answer."""
        state = self.state
        changes = BatchChanges(max(state.batch_time, _now()), LedgerBatch())
        command = received.command
        changes.commands.append((command.command_id, "reset", "done"))
        changes.answer(command.reply_to, CommandOutcome(command.command_id, "done"))
        self._connection.execute("BEGIN")
        reset.empty_tables(self._connection)
        persistence.commit(self._connection, state, changes, received.stream_id)
        state.client_ledger_ids.clear()
        state.fee_ledger_ids.clear()
        recovery.rebuild(self._connection, state, set(state.instruments))
        if settings.RESET_HOOK:
            module, _, name = settings.RESET_HOOK.rpartition(".")
            getattr(import_module(module), name)()
            connections.close_all()
        self._publisher.publish_all()
        self._publisher.publish(changes)


def _now() -> int:
    return time.time_ns() // 1000


def database_dsn() -> str:
    """The DSN of Django's default database, for a connection of the engine's own."""
    params: dict[str, Any] = connections["default"].get_connection_params()
    allowed = ("dbname", "user", "password", "host", "port", "sslmode")
    return psycopg.conninfo.make_conninfo(
        **{name: params[name] for name in allowed if params.get(name)}
    )
