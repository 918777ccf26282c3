"""A process's link to the engines, on one event loop: commands out, outcomes in.

Commands that come in neighboring turns of the loop leave in one write, so the cost of a system call
is shared by all who send at that moment. What waits longer than a second is looked up in the
database.
"""

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import takewhile
from typing import Any, NamedTuple
from uuid import UUID

import hiredis
import msgspec
from django.db import connections

from common.caching import TtlCache
from common.errors import OutcomeUnknown
from common.request_ids import current_request_id, outside_requests
from orders.commands import AnyCommand, AnyOutcome, CancelOrder, PlaceOrder, encode
from orders.errors import EngineUnavailable
from orders.gateway.admission import ShardStatus, Turnstile, check_status
from orders.gateway.connection import Receiver, ValkeyConnection, connect
from orders.gateway.lookup import find_outcomes
from orders.gateway.replies import ReplyChannel
from orders.streams import COMMAND_FIELD, REQUEST_FIELD, alive_key, command_stream

logger = logging.getLogger(__name__)

# How long the reply alone is awaited, then how often the database is asked.
_REPLY_SECONDS = 1.0
_LOOKUP_EVERY_SECONDS = 0.25
# For the commit of a command that the engine took at the end of its window.
_GRACE_SECONDS = 1.5
# More commands than these are not gathered for one write.
_WRITE_TOGETHER_MAX = 64
# How old the knowledge about a shard may be.
_STATUS_FRESH_SECONDS = 0.1


class _Waiting(NamedTuple):
    """A command whose outcome is awaited; the future gets None when it is not known in time."""

    command: AnyCommand
    outcome: "asyncio.Future[AnyOutcome | None]"
    sent_at: float
    ends_at: float


class EngineLink:
    """The address of this process, and those who wait for outcomes. Make it on its event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.thread_id = threading.get_ident()
        self.closed = asyncio.Event()
        self.address = secrets.token_hex(8)
        self._waiting: dict[bytes, _Waiting] = {}
        self._turnstile = Turnstile()
        self._replies = ReplyChannel(self.address, self._deliver)
        self._connection: ValkeyConnection | None = None
        self._connecting: asyncio.Task[ValkeyConnection] | None = None
        self._statuses: TtlCache[int, ShardStatus] = TtlCache(
            max_size=4096, ttl_seconds=_STATUS_FRESH_SECONDS
        )
        self._asking: dict[int, asyncio.Task[ShardStatus]] = {}
        self._packed: list[bytes] = []
        self._receivers: list[Receiver] = []
        self._lookups = ThreadPoolExecutor(1, thread_name_prefix="outcome-lookup")
        self._lookup: asyncio.Future[dict[bytes, AnyOutcome]] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End both connections; what still waits is not answered any more."""
        await self._replies.close()
        if self._connection is not None:
            self._connection.close()
        if self._watching is not None:
            self._watching.cancel()
        self._lookups.shutdown(wait=False)
        self.closed.set()

    @property
    def waiting_count(self) -> int:
        """How many commands wait for their outcomes."""
        return len(self._waiting)

    async def submit(
        self,
        command: AnyCommand,
        shard: int,
        *,
        timeout: float,
        caller: Hashable | None = None,
    ) -> AnyOutcome:
        """Send one command to the engine of `shard` and return its committed outcome.

        Args:
            timeout: the command's window in seconds; it is waited for a little longer.
            caller: whose share of the backlog it takes; None for what has no share.

        Raises:
            EngineUnavailable: no engine, or no queue; nothing was written.
            VenueBusy, TooManyOrdersWaiting: no room; nothing was written.
            OutcomeUnknown: sent, and no outcome by the end; names the order.
        """
        self._turnstile.enter(caller)
        try:
            connection = await self._ready(shard)
            outcome = await self._outcome_of(connection, command, shard, timeout)
        finally:
            self._turnstile.leave(caller)
        if outcome is None:
            raise OutcomeUnknown(**_facts(command))
        return outcome

    async def submit_all(
        self, commands: Sequence[tuple[AnyCommand, int]], *, timeout: float
    ) -> list[AnyOutcome | None]:
        """Send commands with their shards, all at once; their outcomes in the same order.

        None stands for an outcome that is not known by the end. Raises as `submit` does, before
        anything is sent.
        """
        self._turnstile.enter(None, len(commands))
        try:
            for shard in {shard for _, shard in commands}:
                connection = await self._ready(shard)
            sent = [self._outcome_of(connection, one, shard, timeout) for one, shard in commands]
            return list(await asyncio.gather(*sent))
        finally:
            self._turnstile.leave(None, len(commands))

    async def send_all(self, commands: Sequence[AnyCommand], shard: int) -> None:
        """Send commands whose outcomes are not awaited, in one write.

        Returns also when it is not known whether they were written.

        Raises:
            EngineUnavailable: there is no queue; nothing was written.
        """
        connection = await self._connected()
        stream = command_stream(shard)
        try:
            await connection.call_all(
                [
                    ("XADD", stream, "*", COMMAND_FIELD, encode(command), *_request_fields())
                    for command in commands
                ]
            )
        except hiredis.ReplyError as error:
            raise EngineUnavailable(f"The command queue refuses: {error}") from error
        except ConnectionError as error:
            logger.warning("Commands to shard %d may not have been written: %s", shard, error)

    async def check_shard_open(self, shard: int) -> None:
        """See that a command to this shard will be served soon; known for a tenth of a second.

        Raises:
            EngineUnavailable: no engine lives, or Valkey does not answer.
            VenueBusy: too many commands are waiting.
        """
        check_status(shard, self._statuses.get(shard) or await self._fresh_status(shard))

    # --- out --------------------------------------------------------------------------------------

    async def _ready(self, shard: int) -> ValkeyConnection:
        """The connection, once the shard is known to serve and outcomes are received."""
        await self.check_shard_open(shard)
        if not self._replies.is_subscribed:
            await self._replies.wait_subscribed()
        return await self._connected()

    async def _outcome_of(
        self, connection: ValkeyConnection, command: AnyCommand, shard: int, timeout: float
    ) -> AnyOutcome | None:
        """Send a command and wait for its outcome; None when it is not known in time.

        One that is on its way already, under the same id, is not sent again.
        """
        known = self._waiting.get(command.command_id)
        if known is not None:
            return await asyncio.shield(known.outcome)
        try:
            return await self._send(connection, command, shard, timeout)
        finally:
            self._waiting.pop(command.command_id, None)

    def _send(
        self, connection: ValkeyConnection, command: AnyCommand, shard: int, timeout: float
    ) -> "asyncio.Future[AnyOutcome | None]":
        """Queue a command for the write of this turn of the loop; the future of its outcome."""
        now = time.monotonic()
        outcome: asyncio.Future[AnyOutcome | None] = self.loop.create_future()
        waiting = _Waiting(command, outcome, now, now + timeout + _GRACE_SECONDS)
        self._waiting[command.command_id] = waiting
        if not self._packed:
            self.loop.call_soon(self._flush, connection, 0)
        if command.reply_to != self.address:
            command = msgspec.structs.replace(command, reply_to=self.address)
        self._packed.append(_packed(command, shard))
        self._receivers.append(_written(outcome, shard))
        if self._watching is None:
            self._watching = self.loop.create_task(self._watch(), context=outside_requests())
        return outcome

    def _flush(self, connection: ValkeyConnection, seen: int) -> None:
        """Write what is queued, once no more has come in a turn of the loop."""
        if seen < len(self._packed) < _WRITE_TOGETHER_MAX:
            self.loop.call_soon(self._flush, connection, len(self._packed))
            return
        packed, self._packed = self._packed, []
        receivers, self._receivers = self._receivers, []
        if connection.is_open:
            connection.write(b"".join(packed), receivers)
            return
        for receive in receivers:  # lost since this turn began: nothing was written
            receive(hiredis.ReplyError("the connection was lost"))

    async def _connected(self) -> ValkeyConnection:
        """The connection for commands, opened again where it was lost.

        Raises:
            EngineUnavailable: Valkey is not there.
        """
        connection = self._connection
        if connection is not None and connection.is_open:
            return connection
        if self._connecting is None:
            self._connecting = self.loop.create_task(connect(), context=outside_requests())
            self._connecting.add_done_callback(self._take_connection)
        try:
            return await asyncio.shield(self._connecting)
        except ConnectionError as error:
            raise EngineUnavailable("The command queue does not answer") from error

    def _take_connection(self, connecting: "asyncio.Task[ValkeyConnection]") -> None:
        self._connecting = None
        if not connecting.cancelled() and connecting.exception() is None:
            self._connection = connecting.result()

    async def _fresh_status(self, shard: int) -> ShardStatus:
        """What Valkey says about a shard now; asked once for all who want to know."""
        asking = self._asking.get(shard)
        if asking is None:
            asking = self.loop.create_task(self._ask_status(shard), context=outside_requests())
            self._asking[shard] = asking
            asking.add_done_callback(lambda _: self._asking.pop(shard))
        return await asyncio.shield(asking)

    async def _ask_status(self, shard: int) -> ShardStatus:
        connection = await self._connected()
        questions = [("GET", alive_key(shard)), ("XLEN", command_stream(shard))]
        try:
            epoch, backlog = await connection.call_all(questions)
        except (ConnectionError, hiredis.ReplyError) as error:
            connection.close()
            raise EngineUnavailable("The command queue does not answer") from error
        status = ShardStatus(None if epoch is None else int(epoch), backlog)
        self._statuses.put(shard, status)
        return status

    # --- in ---------------------------------------------------------------------------------------

    def _deliver(self, outcome: AnyOutcome) -> None:
        waiting = self._waiting.pop(outcome.command_id, None)
        if waiting is not None and not waiting.outcome.done():
            waiting.outcome.set_result(outcome)

    async def _watch(self) -> None:
        """Look up what waits for longer than a reply should take; give up at its end."""
        while self._waiting:
            await asyncio.sleep(_LOOKUP_EVERY_SECONDS)
            late = self._find_late(time.monotonic() - _REPLY_SECONDS)
            try:
                if late:
                    await self._look_up([one.command for one in late])
            except Exception:
                logger.exception("Outcomes could not be looked up; they are tried again")
            now = time.monotonic()
            for one in late:
                if one.ends_at <= now and not one.outcome.done():
                    one.outcome.set_result(None)
        self._watching = None

    def _find_late(self, sent_until: float) -> list[_Waiting]:
        """Those that were sent by then, which are the first."""
        return list(takewhile(lambda one: one.sent_at <= sent_until, self._waiting.values()))

    async def _look_up(self, commands: list[AnyCommand]) -> None:
        """Deliver what the database knows. One that does not answer holds up no deadline."""
        if self._lookup is None:
            self._lookup = self.loop.run_in_executor(self._lookups, _find_outcomes, commands)
        done, _ = await asyncio.wait([self._lookup], timeout=_LOOKUP_EVERY_SECONDS)
        if done:
            lookup, self._lookup = self._lookup, None
            for outcome in lookup.result().values():
                self._deliver(outcome)


def _packed(command: AnyCommand, shard: int) -> bytes:
    """The XADD of a command, as `hiredis.pack_command` would write it."""
    data, request_id = encode(command), current_request_id().encode()
    stream = command_stream(shard)
    if not request_id:
        return b"%b$%d\r\n%b\r\n" % (_xadd_prefix(stream, 5), len(data), data)
    return b"%b$%d\r\n%b\r\n$1\r\n%b\r\n$%d\r\n%b\r\n" % (
        _xadd_prefix(stream, 7),
        len(data),
        data,
        REQUEST_FIELD,
        len(request_id),
        request_id,
    )


def _request_fields() -> tuple[bytes, ...]:
    request_id = current_request_id()
    return (REQUEST_FIELD, request_id.encode()) if request_id else ()


@lru_cache
def _xadd_prefix(name: str, parts: int) -> bytes:
    """The XADD up to its first value, of that many parts in all."""
    stream = name.encode()
    return b"*%d\r\n$4\r\nXADD\r\n$%d\r\n%b\r\n$1\r\n*\r\n$1\r\n%b\r\n" % (
        parts,
        len(stream),
        stream,
        COMMAND_FIELD,
    )


def _written(outcome: "asyncio.Future[AnyOutcome | None]", shard: int) -> Receiver:
    """Receives the reply to an XADD: an outcome is awaited unless the server refused it."""

    def receive(reply: Any) -> None:
        if type(reply) is bytes or outcome.done():
            return
        if isinstance(reply, hiredis.ReplyError):
            outcome.set_exception(EngineUnavailable(f"The command queue refuses: {reply}"))
        else:
            logger.warning("A command to shard %d may not have been written: %s", shard, reply)

    return receive


def _find_outcomes(commands: list[AnyCommand]) -> dict[bytes, AnyOutcome]:
    """What the database knows. Rarely asked, so this thread keeps no connection."""
    try:
        return find_outcomes(commands)
    finally:
        connections.close_all()


def _facts(command: AnyCommand) -> dict[str, Any]:
    """What a client without an outcome can ask for."""
    if isinstance(command, PlaceOrder):
        return {"order_id": str(UUID(bytes=command.command_id))}
    if isinstance(command, CancelOrder):
        return {"order_id": str(UUID(bytes=command.order_id))}
    return {}
