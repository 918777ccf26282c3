"""How web speaks to the engines: commands go to a shard's stream, outcomes come back by channel.

A command is added to the stream once and never again: an error of XADD does not say whether it was
written, so the outcome is looked up in the database instead. Whoever gets an exception other than
`OutcomeUnknown` from here knows that nothing was written. Free of HTTP.
"""

from orders.gateway.submit import send, send_all, submit, submit_all

__all__ = ["send", "send_all", "submit", "submit_all"]
