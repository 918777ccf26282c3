"""Arrays as parameters: PostgreSQL reads what was given, in both ways that cursors send them."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection
from psycopg.pq import Format

from common.ids import new_uuid
from common.postgres_arrays import (
    BigintArray,
    NumericArray,
    amounts,
    bigints,
    integers,
    texts,
    uuids,
    words,
)

HIGHEST = 2**63 - 1
IDS = [new_uuid() for _ in range(3)]

Ask = Callable[[str, list[Any]], Any]


@pytest.fixture(params=["bound by the server", "put into the statement"])
def ask(request: pytest.FixtureRequest, db: None) -> Iterator[Ask]:
    """Runs a statement of one value: as the engine does, or as Django does."""
    connection.ensure_connection()
    by_server = request.param == "bound by the server"
    kind = psycopg.Cursor if by_server else psycopg.ClientCursor

    def run(query: str, params: list[Any]) -> Any:
        with kind(connection.connection) as cursor:
            row = cursor.execute(query, params).fetchone()
            assert row is not None
            return row[0]

    yield run


@pytest.mark.parametrize(
    "values", [[], [0], [1, -1, 300], [HIGHEST, -HIGHEST - 1], list(range(1_000))]
)
def test_bigints_arrive_as_they_are(ask: Ask, values: list[int]) -> None:
    assert ask("SELECT %s", [bigints(values)]) == values
    assert ask("SELECT pg_typeof(%s)::text", [bigints(values)]) == "bigint[]"


@pytest.mark.parametrize("ids", [[], IDS[:1], IDS])
def test_uuids_arrive_as_they_are(ask: Ask, ids: list[UUID]) -> None:
    assert ask("SELECT %s", [uuids(one.bytes for one in ids)]) == ids


@pytest.mark.parametrize("value", [HIGHEST, -HIGHEST - 1, HIGHEST + 1, -HIGHEST - 2, 10**37])
def test_amounts_of_any_size_are_scaled_exactly(ask: Ask, value: int) -> None:
    found = ask("SELECT sum((%s)[i] * 0.00000001)::text FROM generate_series(2, 2) AS i",
                [amounts([7, value])])  # fmt: skip
    sign, digits = ("-" if value < 0 else ""), str(abs(value)).rjust(9, "0")
    assert found == f"{sign}{digits[:-8]}.{digits[-8:]}"


def test_only_what_needs_more_than_64_bits_travels_as_numeric() -> None:
    assert isinstance(amounts([HIGHEST, -HIGHEST - 1]), BigintArray)
    assert isinstance(amounts([HIGHEST + 1]), NumericArray)
    with pytest.raises(OverflowError):
        bigints([HIGHEST + 1])


@pytest.mark.parametrize("wrong", [b"", b"abc", bytes(17)])
def test_ids_of_another_length_are_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        uuids([IDS[0].bytes, wrong])


def test_texts_with_quotes_commas_and_backslashes(ask: Ask) -> None:
    values = ['a "quoted" one', "a, b", "back\\slash", "", "NULL", "{}"]
    assert ask("SELECT %s::text[]", [texts(values)]) == values
    assert ask("SELECT %s::text[]", [words(["BUY", "NULL"])]) == ["BUY", None]
    assert ask("SELECT %s::bigint[]", [integers([1, -2])]) == [1, -2]


def test_the_engines_way_is_binary() -> None:
    dumper = psycopg.adapters.get_dumper(BigintArray, psycopg.adapt.PyFormat.AUTO)
    assert dumper.format is Format.BINARY
