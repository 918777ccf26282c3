"""Checks that compare what is stored twice: each is one query for the rows that differ.

A check never repairs anything. All checks of a run see the same moment, so they may run while the
venue trades.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from common.money import plain


@dataclass(frozen=True, slots=True)
class Check:
    """What must hold: `differences` selects the rows that break it, `rows` counts those looked at.

    The columns of `differences` are shown by name. Neither query ends with a semicolon.
    """

    name: str
    meaning: str
    rows: str
    differences: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found; `shown` are the first of its differences."""

    name: str
    meaning: str
    rows: int
    difference_count: int
    shown: tuple[Mapping[str, Any], ...]
    seconds: float


@contextmanager
def one_moment() -> Iterator[None]:
    """A read-only transaction in which every query sees the same moment, however long it takes.

    It takes no locks that writers would wait for, and stands outside any other transaction.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL work_mem = '64MB'")
            connection.connection.allow(None)
        yield


def run_checks(checks: Iterable[Check], *, shown_max: int) -> Iterator[CheckResult]:
    """Run checks one after the other, inside `one_moment`."""
    for check in checks:
        begun = time.perf_counter()
        rows = _count(check)
        total, shown = _differences(check, shown_max)
        yield CheckResult(
            name=check.name,
            meaning=check.meaning,
            rows=rows,
            difference_count=total,
            shown=tuple(shown[:shown_max]),
            seconds=time.perf_counter() - begun,
        )


def _count(check: Check) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({check.rows}) AS checked")
        [(rows,)] = cursor.fetchall()
    return rows


def _differences(check: Check, shown_max: int) -> tuple[int, list[dict[str, Any]]]:
    """How many rows differ, and the first of them: at least one, which brings the count."""
    query = f"SELECT count(*) OVER (), broken.* FROM ({check.differences}) AS broken LIMIT %s"
    with connection.cursor() as cursor:
        cursor.execute(query, [max(shown_max, 1)])
        _, *names = [column.name for column in cursor.description or ()]
        rows = cursor.fetchall()
    return (rows[0][0] if rows else 0), [_readable(names, row[1:]) for row in rows]


def _readable(names: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
    return {
        name: plain(value) if isinstance(value, Decimal) else _plain_value(value)
        for name, value in zip(names, row, strict=True)
    }


def _plain_value(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else str(value)
