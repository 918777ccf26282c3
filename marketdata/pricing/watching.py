"""Which symbols people ask for: they are asked about in bulk before their prices grow old."""

import time
from collections.abc import Iterable

from common.valkey import get_client, key

WATCHED_SECONDS = 15 * 60
# Beyond so many the ones asked for longest ago are forgotten.
WATCHED_MAX = 1_000
_KEY = "price-watched"


def watch(symbols: Iterable[str]) -> None:
    """Note that somebody asked for the prices of these symbols now."""
    asked_at = dict.fromkeys(symbols, time.time())
    if asked_at:
        get_client().zadd(key(_KEY), asked_at)


def list_watched() -> list[str]:
    """Symbols asked for in the last 15 minutes, the latest first; forgets the others."""
    client, name = get_client(), key(_KEY)
    pipeline = client.pipeline(transaction=True)
    pipeline.zremrangebyscore(name, "-inf", time.time() - WATCHED_SECONDS)
    pipeline.zremrangebyrank(name, 0, -WATCHED_MAX - 1)
    pipeline.zrevrange(name, 0, -1)
    return [symbol.decode() for symbol in pipeline.execute()[-1]]
