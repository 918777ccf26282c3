"""Names in Valkey of what web and engine exchange."""

from common.valkey import key

# The field of a stream entry that holds the encoded command.
COMMAND_FIELD = b"c"
# The id of the request that the command is of; left out where there is none.
REQUEST_FIELD = b"r"


def command_stream(shard: int) -> str:
    """The stream of commands to the engine of `shard`."""
    return key(f"commands:{{{shard}}}")


def reply_channel(reply_to: str) -> str:
    """The channel on which the web process `reply_to` hears outcomes."""
    return key(f"replies:{reply_to}")


def alive_key(shard: int) -> str:
    """Exists, with the epoch as value, while the engine of `shard` lives (expires after 3 s)."""
    return key(f"engine:{{{shard}}}")


def wrong_clock_key(shard: int) -> str:
    """Exists, with a text about it, while an engine does not lead the shard for its wrong clock."""
    return key(f"wrong_clock:{{{shard}}}")


def worker_key() -> str:
    """When a worker last swept the orders: seconds since 1970."""
    return key("worker:swept_at")
