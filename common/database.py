"""What services need to know of PostgreSQL: conflicts that go away by themselves.

A deadlock, a lock that was waited for too long or a serialization failure is nobody's mistake: the
transaction is rolled back and run again. Only who began the outermost transaction can do so.
"""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection

P = ParamSpec("P")
T = TypeVar("T")

# Deadlock, lock not available (lock_timeout), serialization failure.
_CONFLICTS = frozenset({"40P01", "55P03", "40001"})
_PAUSES_SECONDS = (0.02, 0.05, 0.1, 0.2)


def retry_on_conflict(service: Callable[P, T]) -> Callable[P, T]:
    """Run `service`, which owns its transaction, again when another one was in its way.

    Stands above `transaction.atomic`. Inside a transaction of the caller it does nothing, since
    that one is lost. The last conflict of several is raised: the API calls it 503.
    """

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for pause in _PAUSES_SECONDS:
            try:
                return service(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not is_conflict(error):
                    raise
            time.sleep(random.uniform(0.5, 1.5) * pause)
        return service(*args, **kwargs)

    return run


def is_conflict(error: OperationalError) -> bool:
    """Whether `error` goes away when the transaction runs again."""
    return getattr(error.__cause__, "sqlstate", None) in _CONFLICTS
