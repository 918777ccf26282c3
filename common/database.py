"""What services need to know of PostgreSQL: conflicts that go away by themselves.

A deadlock, a lock that was waited for too long or a serialization failure is nobody's mistake: the
transaction is rolled back and run again. Only who began the outermost transaction can do so.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import psycopg
from django.db import OperationalError, connection, connections

P = ParamSpec("P")
T = TypeVar("T")

# Deadlock, lock not available (lock_timeout), serialization failure.
_CONFLICTS = frozenset({"40P01", "55P03", "40001"})
_QUERY_CANCELED = "57014"
_PAUSES_SECONDS = (0.02, 0.05, 0.1, 0.2)
# The first key of the advisory locks of single runs; the second follows from the name.
_RUN_LOCKS = 0x72756E73

# A transaction that has written can have rows which nobody sees yet, stamped since it began.
# Autovacuum's, which has an xid while it analyzes a table, has none.
_OLDEST_WRITER = """
SELECT min(xact_start)
  FROM pg_stat_activity
 WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()
   AND backend_type IS DISTINCT FROM 'autovacuum worker'
"""


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


@contextmanager
def pipelined() -> Iterator[Any]:
    """Django's connection as psycopg's own, in pipeline mode: statements wait for no answers.

    What was executed is answered when one of its cursors is fetched from, at the latest at the end;
    errors are raised then, as Django's.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield connection.connection


def database_dsn(*more: str) -> str:
    """The DSN of Django's default database, for a connection past Django.

    Without the settings of its sessions, unless they are named: `options`, `connect_timeout`.
    """
    params: dict[str, Any] = connections["default"].get_connection_params()
    names = ("dbname", "user", "password", "host", "port", "sslmode", *more)
    return psycopg.conninfo.make_conninfo(
        **{name: params[name] for name in names if params.get(name)}
    )


def allow_long_statements(seconds: int) -> None:
    """Let each statement of the present transaction take up to `seconds`, for a report or a job."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds}s"])
        connection.connection.allow(seconds)


def is_in_transaction() -> bool:
    """Whether a transaction is open here, apart from the one that a test runs in."""
    blocks: list[Any] = connection.atomic_blocks
    return any(not block._from_testcase for block in blocks)


def is_conflict(error: OperationalError) -> bool:
    """Whether `error` goes away when the transaction runs again."""
    return getattr(error.__cause__, "sqlstate", None) in _CONFLICTS


def is_canceled(error: OperationalError) -> bool:
    """Whether `error` says that a statement took longer than its time limit."""
    return getattr(error.__cause__, "sqlstate", None) == _QUERY_CANCELED


def get_commit_horizon(lag: timedelta = timedelta(0)) -> tuple[datetime, datetime]:
    """The database's time, and the instant before which no row can turn up any more.

    The latter is at least `lag` ago, for clocks that are set back, and before the oldest
    transaction that has written and is still open.
    """
    with connection.cursor() as cursor:
        # First the time: what begins to write after it is dated after it.
        cursor.execute("SELECT clock_timestamp()")
        [(now,)] = cursor.fetchall()
        cursor.execute(_OLDEST_WRITER)
        [(started_at,)] = cursor.fetchall()
    horizon = now - lag
    return now, horizon if started_at is None else min(horizon, started_at)


@contextmanager
def only_run(name: str) -> Iterator[bool]:
    """Hold the lock of this name in the whole venue; False where somebody else holds it.

    It is held by a connection of its own, so it ends with the process whatever becomes of that.
    """
    with psycopg.connect(database_dsn("connect_timeout"), autocommit=True) as holder:
        query = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
        row = holder.execute(query, [_RUN_LOCKS, name]).fetchone()
        yield row is not None and bool(row[0])
