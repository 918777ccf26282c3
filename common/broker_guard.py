"""A guard for kombu's channels: a broker that dies is a lost connection to the worker, not its end.

While Celery opens a lost connection again, timers of the old one may still ask its channel for a
connection. The channel then looks for the address at a client that was taken from it, and an
AttributeError, which nothing expects, ends the worker.
"""

from functools import wraps
from typing import Any

import redis
from kombu.transport.redis import Channel


def guard_closed_channels() -> None:
    """Make channels of a closed connection raise the error that Celery recovers from."""
    find_parameters = Channel._connparams

    @wraps(find_parameters)
    def guarded(channel: Any, *arguments: Any, **options: Any) -> Any:
        if channel.connection is None or channel.connection.client is None:
            raise redis.ConnectionError("the connection of this channel was closed")
        return find_parameters(channel, *arguments, **options)

    Channel._connparams = guarded  # type: ignore[method-assign, assignment]
