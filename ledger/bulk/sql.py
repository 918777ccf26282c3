"""How the set-based statements talk to PostgreSQL."""

from collections.abc import Sequence
from typing import Any, Protocol

Statement = tuple[str, list[Any]]


class Executor(Protocol):
    """What runs a statement: a cursor, or a psycopg connection."""

    def execute(self, query: Any, params: Any = None, /) -> Any: ...


class Rows(Protocol):
    """What holds the rows of a statement."""

    def fetchall(self) -> Sequence[Any]: ...


class Cursor(Executor, Rows, Protocol):
    """An executor that also hands out the rows of its last statement."""
