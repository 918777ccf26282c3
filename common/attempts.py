"""How often something may be tried, counted for the whole venue in Valkey.

A window begins with the first attempt in it. This is for what strangers may call, who have no key
that `common.api.ratelimits` could count in the memory of a process. Without Valkey nothing may be
tried: the error of the connection is answered 503.
"""

import hashlib

from common.errors import Throttled
from common.valkey import get_client, key


def take_attempt(
    what: str, who: str, *, limit: int, window_seconds: int, is_counted: bool = True
) -> None:
    """Count an attempt of `who` at `what`; where not `is_counted`, only look at the count so far.

    Raises:
        Throttled: it is more than the `limit`th in this window; tells when the next one begins.
        redis.RedisError: Valkey is away.
    """
    count, seconds_left = _count(what, who, window_seconds, 1 if is_counted else 0)
    if count > limit or (count == limit and not is_counted):
        refusal = Throttled(limit=limit, window_seconds=window_seconds)
        refusal.retry_after_seconds = max(1, seconds_left)
        refusal.is_first = is_counted and count == limit + 1
        raise refusal


def count_attempts(what: str, who: str, *, window_seconds: int) -> int:
    """Count an attempt, and return the how-manieth it is in this window.

    Raises:
        redis.RedisError: Valkey is away.
    """
    return _count(what, who, window_seconds, 1)[0]


def _count(what: str, who: str, window_seconds: int, step: int) -> tuple[int, int]:
    """How many attempts there are with this one, and for how many seconds they count."""
    digest = hashlib.sha256(who.encode(errors="surrogatepass")).hexdigest()
    counter = key(f"attempts:{what}:{digest}")
    with get_client().pipeline() as commands:
        commands.set(counter, 0, ex=window_seconds, nx=True)
        commands.incrby(counter, step)
        commands.ttl(counter)
        _, count, seconds_left = commands.execute()
    return count, seconds_left
