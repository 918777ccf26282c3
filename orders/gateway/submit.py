"""Send commands and wait for their outcomes."""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import redis

from common.errors import OutcomeUnknown
from common.valkey import get_client
from orders.commands import AnyCommand, AnyOutcome, CancelOrder, PlaceOrder, encode
from orders.errors import EngineUnavailable
from orders.gateway.admission import check_shard_open, seat
from orders.gateway.lookup import find_outcomes
from orders.gateway.replies import Mailbox, get_mailbox
from orders.streams import COMMAND_FIELD, command_stream

logger = logging.getLogger(__name__)

# How long the reply alone is awaited, then how often the database is asked.
_REPLY_SECONDS = 1.0
_LOOKUP_EVERY_SECONDS = 0.25
# For the commit of a command that the engine took at the end of its window.
_GRACE_SECONDS = 1.5


def submit(command: AnyCommand, shard: int, *, timeout: float) -> AnyOutcome:
    """Send one command to the engine of `shard` and return its committed outcome.

    Args:
        timeout: the command's window in seconds; it is waited for a little longer.

    Raises:
        EngineUnavailable: no engine, or no queue; nothing was written.
        VenueBusy: the engine's queue or this process's share of waiting threads is full.
        OutcomeUnknown: sent, and no outcome by the end; names the order.
    """
    outcome = submit_all([(command, shard)], timeout=timeout)[0]
    if outcome is None:
        raise OutcomeUnknown(**_facts(command))
    return outcome


def submit_all(
    commands: Sequence[tuple[AnyCommand, int]], *, timeout: float
) -> list[AnyOutcome | None]:
    """Send commands with their shards, all at once; their outcomes in the same order.

    None stands for an outcome that is not known by the end. Raises as `submit` does, before
    anything is sent.
    """
    shards: dict[int, list[AnyCommand]] = defaultdict(list)
    with seat():
        for shard in {shard for _, shard in commands}:
            check_shard_open(shard)
        mailbox = get_mailbox()
        for command, shard in commands:
            shards[shard].append(msgspec.structs.replace(command, reply_to=mailbox.address))
        waiting = [command for command, _ in commands]
        return _send_and_wait(mailbox, shards, waiting, timeout + _GRACE_SECONDS)


def send(command: AnyCommand, shard: int) -> None:
    """Send a command whose outcome nobody waits for.

    Raises:
        EngineUnavailable: there is no queue; nothing was written.
    """
    send_all([command], shard)


def send_all(commands: Sequence[AnyCommand], shard: int) -> None:
    """Send commands whose outcomes nobody waits for, in one round trip.

    Raises:
        EngineUnavailable: there is no queue; nothing was written.
    """
    _add_to_stream(commands, shard)


def _send_and_wait(
    mailbox: Mailbox,
    shards: dict[int, list[AnyCommand]],
    commands: list[AnyCommand],
    seconds_max: float,
) -> list[AnyOutcome | None]:
    waiters = [mailbox.expect(command.command_id) for command in commands]
    started = time.monotonic()
    try:
        for shard, sent in shards.items():
            _add_to_stream(sent, shard)
        for waiter in waiters:
            if waiter.wait(started + _REPLY_SECONDS - time.monotonic()) is None:
                break
        outcomes: list[AnyOutcome | None] = [waiter.outcome for waiter in waiters]
        while None in outcomes and time.monotonic() < started + seconds_max:
            missing = [i for i, outcome in enumerate(outcomes) if outcome is None]
            found = find_outcomes([commands[i] for i in missing])
            for i in missing:
                outcomes[i] = found.get(commands[i].command_id) or waiters[i].outcome
            still = next((i for i in missing if outcomes[i] is None), None)
            if still is not None:
                outcomes[still] = waiters[still].wait(_LOOKUP_EVERY_SECONDS)
        return outcomes
    finally:
        for command in commands:
            mailbox.forget(command.command_id)


def _add_to_stream(commands: Sequence[AnyCommand], shard: int) -> None:
    """XADD, once. Returns also when it is not known whether the commands were written.

    Raises:
        EngineUnavailable: nothing was written: no connection, or the server said no to the first.
    """
    pool = get_client().connection_pool
    try:
        connection = pool.get_connection()
    except redis.RedisError as error:
        raise EngineUnavailable("The command queue does not answer") from error
    stream = command_stream(shard)
    written = 0
    try:
        connection.send_packed_command(
            connection.pack_commands(
                [("XADD", stream, "*", COMMAND_FIELD, encode(command)) for command in commands]
            )
        )
        for _ in commands:
            connection.read_response()
            written += 1
    except (redis.ResponseError, redis.exceptions.BusyLoadingError) as error:
        connection.disconnect()
        if not written:
            raise EngineUnavailable(f"The command queue refuses: {error}") from error
        logger.warning("The queue of shard %d took %d of %d", shard, written, len(commands))
    except (redis.RedisError, OSError) as error:
        connection.disconnect()
        logger.warning("A command to shard %d may not have been written: %s", shard, error)
    finally:
        pool.release(connection)


def _facts(command: AnyCommand) -> dict[str, Any]:
    """What a client without an outcome can ask for."""
    if isinstance(command, PlaceOrder):
        return {"order_id": str(UUID(bytes=command.command_id))}
    if isinstance(command, CancelOrder):
        return {"order_id": str(UUID(bytes=command.order_id))}
    return {}
