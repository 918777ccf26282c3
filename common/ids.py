"""Time-ordered UUIDs (RFC 9562, version 7), so that big tables grow at their right edge.

Two makers: `new_uuid` for ids that start a story (orders, commands), `derived_uuid` for ids that
the engine derives from its inputs, so that the same commands give the same ids.
"""

import time
from datetime import datetime, timedelta
from random import getrandbits
from uuid import UUID

from common.instants import EPOCH

_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62
_MILLISECOND = timedelta(milliseconds=1)


def new_uuid(shard: int | None = None) -> UUID:
    """A UUIDv7 of this moment: 48 bits of milliseconds, the rest random.

    Unique, also after a fork, and no secret: whoever knows an id may do no more for it.

    With a `shard` < 4096 the 12 bits after the version carry it, so that who has the id alone knows
    where to ask (`shard_of`); 62 bits stay random.
    """
    random = getrandbits(74)
    return UUID(
        int=(time.time_ns() // 1_000_000) << 80
        | _VERSION_7
        | (random >> 62 if shard is None else shard) << 64
        | _VARIANT
        | random & (1 << 62) - 1
    )


def shard_of(value: UUID) -> int:
    """The 12 bits after the version: the shard, if `value` was made with one."""
    return value.int >> 64 & 0xFFF


def derived_uuid(time_ms: int, shard: int, sequence: int) -> UUID:
    """The UUIDv7 of the event `sequence` of `shard` in a batch of `time_ms`.

    Unique because a shard counts its events up; `shard` < 4096 fills the 12 bits after the version,
    `sequence` < 2**62 the rest.
    """
    return UUID(int=time_ms << 80 | _VERSION_7 | shard << 64 | _VARIANT | sequence)


def instant_of(value: UUID) -> datetime:
    """When `value` was made, to the millisecond."""
    return EPOCH + (value.int >> 80) * _MILLISECOND


def first_uuid_from(instant: datetime) -> UUID:
    """No UUIDv7 made at `instant` or later is smaller, to the millisecond; none made before is
    greater. For ranges of ids that are ranges of time."""
    milliseconds = -((EPOCH - instant) // _MILLISECOND)
    return UUID(int=max(0, milliseconds) << 80)
