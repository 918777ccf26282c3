"""How web speaks to the engines: commands go to a shard's stream, outcomes come back by channel.

A command is added to the stream once and never again: an error of XADD does not say whether it was
written, so the outcome is looked up in the database instead. After any exception other than
`OutcomeUnknown` nothing was written. Free of HTTP.

Threads call the functions here; code on the event loop of a web process awaits the methods of
`orders.gateway.link.EngineLink`.
"""

from orders.gateway.process import (
    check_shard_open,
    reply_address,
    send,
    send_all,
    submit,
    submit_all,
)

__all__ = ["check_shard_open", "reply_address", "send", "send_all", "submit", "submit_all"]
