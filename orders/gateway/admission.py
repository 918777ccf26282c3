"""What may be sent to an engine now: it must live, and its queue must have room.

Concurrent orders have no other limit than the engine's backlog, a share of it for each caller, so
that none takes it all, and a bound on the memory of this process.
"""

from collections import defaultdict
from collections.abc import Hashable
from typing import NamedTuple

from django.conf import settings

from common.valkey import get_client
from orders.errors import EngineUnavailable, TooManyOrdersWaiting, VenueBusy
from orders.streams import alive_key, command_stream

# Commands of one process that wait for outcomes, in backlogs: what is in several shards' streams.
_WAITING_MAX_BACKLOGS = 2


class ShardStatus(NamedTuple):
    """The epoch of a shard's living engine (None: it does not live), and what waits for it."""

    epoch: int | None
    backlog: int


def get_shard_status(shard: int) -> ShardStatus:
    """What Valkey says about a shard at this moment. Blocks: for health checks.

    Raises:
        redis.RedisError: Valkey does not answer.
    """
    pipeline = get_client().pipeline(transaction=False)
    pipeline.get(alive_key(shard))
    pipeline.xlen(command_stream(shard))
    epoch, backlog = pipeline.execute()
    return ShardStatus(None if epoch is None else int(epoch), backlog)


def check_status(shard: int, status: ShardStatus) -> None:
    """See that a command to this shard will be served soon.

    Raises:
        EngineUnavailable: no engine lives.
        VenueBusy: too many commands are waiting.
    """
    if status.epoch is None:
        raise EngineUnavailable(shard=shard)
    if status.backlog > settings.ENGINE_BACKLOG_MAX:
        raise VenueBusy(shard=shard)


class Turnstile:
    """Counts the commands of this process that wait for outcomes, all and by caller."""

    def __init__(self) -> None:
        self._waiting = 0
        self._by_caller: defaultdict[Hashable, int] = defaultdict(int)

    def enter(self, caller: Hashable | None, count: int = 1) -> None:
        """Count commands in; `leave` must follow. Without a `caller` no share applies.

        Raises:
            VenueBusy: this process holds as many as it may.
            TooManyOrdersWaiting: the caller has its share waiting.
        """
        if self._waiting + count > settings.ENGINE_BACKLOG_MAX * _WAITING_MAX_BACKLOGS:
            raise VenueBusy()
        if caller is not None:
            limit = settings.ENGINE_BACKLOG_MAX_PER_KEY
            if self._by_caller[caller] + count > limit:
                raise TooManyOrdersWaiting(limit=limit)
            self._by_caller[caller] += count
        self._waiting += count

    def leave(self, caller: Hashable | None, count: int = 1) -> None:
        """Count commands out."""
        self._waiting -= count
        if caller is not None:
            self._by_caller[caller] -= count
            if not self._by_caller[caller]:
                del self._by_caller[caller]
