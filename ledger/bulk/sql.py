"""How the set-based statements talk to PostgreSQL: executors and array literals."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

Statement = tuple[str, list[Any]]


class Executor(Protocol):
    """What runs a statement: a cursor, or a psycopg connection."""

    def execute(self, query: Any, params: Any = None, /) -> Any: ...


class Cursor(Executor, Protocol):
    """An executor that also hands out the rows of its last statement."""

    def fetchall(self) -> Sequence[Any]: ...


def integers(values: Iterable[int]) -> str:
    """An array literal of PostgreSQL for integers."""
    # The list's own text: a third cheaper than a `str` for each value.
    return "{" + str(list(values))[1:-1] + "}"


def words(values: Iterable[str]) -> str:
    """An array literal of PostgreSQL for texts that need no quotes: hex digits, plain words."""
    return "{" + ",".join(values) + "}"


def texts(values: Iterable[str]) -> str:
    """An array literal of PostgreSQL for any texts."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"
