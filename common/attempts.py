"""How often something may be tried, counted for the whole venue in Valkey.

A window begins with the first attempt in it. This is for what strangers may call, who have no key
that `common.api.ratelimits` could count in the memory of a process. Without Valkey nothing may be
tried: the error of the connection is answered 503.
"""

import hashlib

from common.errors import Throttled
from common.valkey import get_client, key


def take_attempt(what: str, who: str, *, limit: int, window_seconds: int) -> None:
    """Count an attempt of `who` at `what`.

    Raises:
        Throttled: it is more than the `limit`th in this window; tells when the next one begins.
        redis.RedisError: Valkey is away.
    """
    digest = hashlib.sha256(who.encode(errors="surrogatepass")).hexdigest()
    counter = key(f"attempts:{what}:{digest}")
    with get_client().pipeline() as commands:
        commands.set(counter, 0, ex=window_seconds, nx=True)
        commands.incr(counter)
        commands.ttl(counter)
        _, count, seconds_left = commands.execute()
    if count > limit:
        refusal = Throttled(limit=limit, window_seconds=window_seconds)
        refusal.retry_after_seconds = max(1, seconds_left)
        raise refusal
