"""Connections to PostgreSQL that do not wait for ever.

A server whose disk hangs, or whose machine is stopped, keeps its sockets open and answers nothing;
its own time limits never come. A connection that waits longer for an answer than a statement may
take is closed, and the caller gets an `OperationalError`, as from a server that was killed.
"""

from typing import Any

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus

# Statements of the venue's sessions have five seconds (settings, DATABASES).
ANSWER_SECONDS_MAX = 7.0
# Added to what a transaction allows its statements, for the way there and back.
_MARGIN_SECONDS = 2.0


class ServerSilent(psycopg.OperationalError):
    """The server has not answered in time, and the connection was closed."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is closed when an answer does not come in time."""

    _seconds_max: float | None = ANSWER_SECONDS_MAX
    _is_limit_of_transaction = False

    def allow(self, statement_seconds: float | None) -> None:
        """Wait so long for answers until the end of the open transaction; None: for ever."""
        self._seconds_max = (
            None if statement_seconds is None else statement_seconds + _MARGIN_SECONDS
        )
        self._is_limit_of_transaction = True

    def limit(self, seconds: float) -> None:
        """Wait so long for each answer from now on."""
        self._seconds_max = seconds
        self._is_limit_of_transaction = False

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer.

        Raises:
            ServerSilent: it does not come in time.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        if (
            self._is_limit_of_transaction
            and self.pgconn.transaction_status == TransactionStatus.IDLE
        ):
            self.limit(ANSWER_SECONDS_MAX)
        try:
            return super().wait(gen, interval, self._seconds_max)
        except errors._WaitTimeout as error:
            self.pgconn.finish()
            raise _silence(self._seconds_max) from error


class BoundedAsyncConnection(psycopg.AsyncConnection[Any]):
    """The same on an event loop, for reads that take a millisecond."""

    seconds_max = 3.0

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer. Raises as `BoundedConnection.wait`."""
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        try:
            return await super().wait(gen, interval, self.seconds_max)
        except errors._WaitTimeout as error:
            self.pgconn.finish()
            raise _silence(self.seconds_max) from error


def _silence(seconds: float | None) -> ServerSilent:
    return ServerSilent(f"the server has not answered for {seconds} seconds")
