"""Who may speak to an engine now: it must live, its queue must be short, threads must be left.

What is known about a shard may be a tenth of a second old.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import redis
from django.conf import settings

from common.caching import TtlCache
from common.valkey import get_client
from orders.errors import EngineUnavailable, VenueBusy
from orders.streams import alive_key, command_stream

_FRESH_SECONDS = 0.1
# Of the threads of a process, the rest stay free for reads and health.
_WAITING_SHARE = (3, 4)


class ShardState(NamedTuple):
    """The epoch of a shard's living engine (None: it does not live), and what waits for it."""

    epoch: int | None
    backlog: int


_states: TtlCache[int, ShardState] = TtlCache(max_size=4096, ttl_seconds=_FRESH_SECONDS)
_seats: threading.BoundedSemaphore | None = None


def get_shard_state(shard: int) -> ShardState:
    """What Valkey says about a shard at this moment.

    Raises:
        redis.RedisError: Valkey does not answer.
    """
    pipeline = get_client().pipeline(transaction=False)
    pipeline.get(alive_key(shard))
    pipeline.xlen(command_stream(shard))
    epoch, backlog = pipeline.execute()
    return ShardState(None if epoch is None else int(epoch), backlog)


def check_shard_open(shard: int) -> None:
    """See that a command to this shard will be served soon.

    Raises:
        EngineUnavailable: no engine lives, or Valkey does not answer.
        VenueBusy: too many commands are waiting.
    """
    state = _states.get(shard)
    if state is None:
        try:
            state = get_shard_state(shard)
        except redis.RedisError as error:
            raise EngineUnavailable("The command queue does not answer") from error
        _states.put(shard, state)
    if state.epoch is None:
        raise EngineUnavailable(shard=shard)
    if state.backlog > settings.ENGINE_BACKLOG_MAX:
        raise VenueBusy(shard=shard)


@contextmanager
def seat() -> Iterator[None]:
    """One of the process's threads that may wait for an engine.

    Raises:
        VenueBusy: as many as may are waiting already.
    """
    seats = _get_seats()
    if not seats.acquire(blocking=False):
        raise VenueBusy()
    try:
        yield
    finally:
        seats.release()


def _get_seats() -> threading.BoundedSemaphore:
    global _seats
    seats = _seats
    if seats is None:
        share, whole = _WAITING_SHARE
        seats = _seats = threading.BoundedSemaphore(max(1, settings.WEB_THREADS * share // whole))
    return seats


def _forget_seats() -> None:
    """In a forked child: the parent's threads, and so their seats, do not exist here."""
    global _seats
    _seats = None


os.register_at_fork(after_in_child=_forget_seats)
