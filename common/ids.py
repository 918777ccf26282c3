"""Time-ordered UUIDs (RFC 9562, version 7), so that big tables grow at their right edge.

Two makers: `new_uuid` for ids that start a story (orders, commands), `derived_uuid` for ids that the
engine derives from its inputs, so that the same commands give the same ids.
"""

import secrets
import time
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62


def new_uuid() -> UUID:
    """A UUIDv7 of this moment: 48 bits of milliseconds, 74 random bits."""
    random = secrets.randbits(74)
    return UUID(
        int=(time.time_ns() // 1_000_000) << 80
        | _VERSION_7
        | (random >> 62) << 64
        | _VARIANT
        | random & (1 << 62) - 1
    )


def derived_uuid(time_ms: int, shard: int, sequence: int) -> UUID:
    """The UUIDv7 of the event `sequence` of `shard` in a batch of `time_ms`.

    Unique because a shard counts its events up; `shard` < 4096 fills the 12 bits after the version,
    `sequence` < 2**62 the rest.
    """
    return UUID(int=time_ms << 80 | _VERSION_7 | shard << 64 | _VARIANT | sequence)
