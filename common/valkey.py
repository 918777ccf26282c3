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
def get_client() -> "redis.Redis[bytes]":
    """The process's client for short calls: time-out of one second, no retries."""
    return _connect(socket_timeout=SOCKET_TIMEOUT_SECONDS)


def new_listener_client() -> "redis.Redis[bytes]":
    """A client for blocking reads and subscriptions: it may idle for as long as it likes."""
    return _connect(socket_timeout=None)


def _connect(socket_timeout: float | None) -> "redis.Redis[bytes]":
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=socket_timeout,
        socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        retry_on_timeout=False,
        protocol=2,
    )


def key(name: str) -> str:
    """`name` under the prefix of this deployment."""
    return f"{settings.REDIS_PREFIX}{name}"
