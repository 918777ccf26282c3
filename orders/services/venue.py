"""What is done to every shard: expire what is due, empty the venue."""

from django.conf import settings

from common.caching import clear_all_caches
from common.ids import new_uuid
from orders import gateway
from orders.commands import CommandOutcome, ExpireDue, ResetVenue
from orders.errors import EngineFailed, ResetNotAllowed
from orders.types import Result
from oversight.services.records import record_all

# Emptying big tables and funding the demo anew take their time.
_RESET_SECONDS_MAX = 60.0


def expire_due() -> None:
    """Ask every engine to expire what is past its time: the backstop of the engine's own clock.

    Raises:
        EngineUnavailable: the command queue does not answer.
    """
    for shard in range(settings.ENGINE_SHARDS):
        gateway.send(ExpireDue(new_uuid().bytes, ""), shard)


def reset_venue() -> None:
    """Empty trading data and ledger on every shard and fund the demo anew; returns when it is done.

    Raises:
        ResetNotAllowed: ALLOW_RESET is off.
        EngineUnavailable, VenueBusy, EngineFailed, OutcomeUnknown: not, or not surely, done.
    """
    if not settings.ALLOW_RESET:
        raise ResetNotAllowed
    record_all(action="venue.reset", target="venue", afters={"venue": {}})
    for shard in range(settings.ENGINE_SHARDS):
        command = ResetVenue(new_uuid().bytes, "")
        outcome = gateway.submit(command, shard, timeout=_RESET_SECONDS_MAX)
        if not isinstance(outcome, CommandOutcome) or outcome.result != Result.DONE:
            raise EngineFailed
    clear_all_caches()
