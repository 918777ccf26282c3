"""A circuit breaker for each price service, shared by all processes through Valkey.

Closed: it is asked. After some failures in a row, or one "too many requests", it opens: for a
while nobody asks. Then one caller tries; an answer closes it, a failure opens it again.
"""

import time
from dataclasses import dataclass
from typing import Any

from common.valkey import get_client, key

FAILURES_IN_A_ROW = 3
OPEN_SECONDS = 60
# A trial that never came back holds nobody up for longer.
_TRIAL_SECONDS = 30


@dataclass(frozen=True, slots=True)
class BreakerState:
    """How a service has been lately; ages in whole seconds, None for never."""

    is_open: bool
    failures_in_a_row: int
    last_success_age_seconds: int | None
    last_error: str | None
    last_error_age_seconds: int | None


def may_ask(name: str) -> bool:
    """Whether the service may be asked now; True claims the trial where it was open."""
    open_until = get_client().hget(_key(name), "open_until")
    if open_until is None:
        return True
    if time.time() < float(open_until):
        return False
    return bool(get_client().set(_trial_key(name), 1, nx=True, ex=_TRIAL_SECONDS))


def note_success(name: str) -> None:
    """It answered: close the breaker."""
    pipeline = get_client().pipeline(transaction=True)
    pipeline.hset(_key(name), mapping={"failures": 0, "last_success": time.time()})
    pipeline.hdel(_key(name), "open_until")
    pipeline.delete(_trial_key(name))
    pipeline.execute()


def note_failure(name: str, word: str, *, opens: bool = False) -> None:
    """It failed for the reason `word`; `opens`: do not wait for further failures."""
    client = get_client()
    failures = client.hincrby(_key(name), "failures", 1)
    now = time.time()
    pipeline = client.pipeline(transaction=True)
    pipeline.hset(_key(name), mapping={"last_error": word, "last_error_at": now})
    if opens or failures >= FAILURES_IN_A_ROW:
        pipeline.hset(_key(name), "open_until", now + OPEN_SECONDS)
    pipeline.delete(_trial_key(name))
    pipeline.execute()


def get_state(name: str) -> BreakerState:
    """How the service is, for health."""
    fields: dict[Any, Any] = get_client().hgetall(_key(name))
    stored: dict[str, str] = {name.decode(): value.decode() for name, value in fields.items()}
    return BreakerState(
        is_open=time.time() < float(stored.get("open_until", 0)),
        failures_in_a_row=int(stored.get("failures", 0)),
        last_success_age_seconds=_age(stored.get("last_success")),
        last_error=stored.get("last_error"),
        last_error_age_seconds=_age(stored.get("last_error_at")),
    )


def _age(moment: str | None) -> int | None:
    return None if moment is None else max(0, int(time.time() - float(moment)))


def _key(name: str) -> str:
    return key(f"price-breaker:{name}")


def _trial_key(name: str) -> str:
    return key(f"price-breaker-trial:{name}")
