"""Connections to Valkey (or Redis) and the names of keys, with the deployment's prefix.

Nothing acknowledged lives only here. Calls are never retried by the library, since a resent XADD
would be a second command; a listener that idles needs a connection without a socket time-out.
"""

from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

SOCKET_TIMEOUT_SECONDS = 1.0


@cache
def get_client() -> redis.Redis:
    """The process's client for short calls: time-out of one second, no retries."""
    return _connect(socket_timeout=SOCKET_TIMEOUT_SECONDS)


def new_listener_client(*, health_check_seconds: float = 0) -> redis.Redis:
    """A client for blocking reads and subscriptions: it may idle for as long as it likes.

    With `health_check_seconds` it pings before a call if it was silent for so long.
    """
    return _connect(socket_timeout=None, health_check_seconds=health_check_seconds)


def _connect(socket_timeout: float | None, health_check_seconds: float = 0) -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=socket_timeout,
        socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_keepalive=True,
        health_check_interval=health_check_seconds,
        retry=Retry(NoBackoff(), 0),
        retry_on_timeout=False,
        protocol=2,
    )


def key(name: str) -> str:
    """`name` under the prefix of this deployment."""
    return f"{settings.REDIS_PREFIX}{name}"
