"""The backend (`ENGINE = "common.postgresql"`): Django's own, but for its connections."""

from typing import Any

import psycopg
from django.db.backends.postgresql import base

from common.bounded_connections import ANSWER_SECONDS_MAX, BoundedConnection

# A connection that is asked whether it still works, before its first use in a request.
_IS_USABLE_SECONDS = 1.0


class _Database:
    """The module psycopg, which makes bounded connections."""

    connect = BoundedConnection.connect

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's PostgreSQL, with bounded waits for its answers."""

    Database = _Database()  # type: ignore[assignment]

    def is_usable(self) -> bool:
        """Whether the server answers on this connection, within a second."""
        connection = self.connection
        if connection is None:
            return False
        connection.limit(_IS_USABLE_SECONDS)
        try:
            return super().is_usable()
        finally:
            connection.limit(ANSWER_SECONDS_MAX)
