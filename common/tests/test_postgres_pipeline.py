"""Statements sent prepared: values in and out, errors, and tables that change under them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import connections

from common.postgres_arrays import amounts, bigints, integers, uuids
from common.postgres_pipeline import StatementPipeline

BEFORE_1970 = datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)


@pytest.fixture
def connection(db: None) -> Iterator[psycopg.Connection[Any]]:
    params = connections["default"].get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    dsn = psycopg.conninfo.make_conninfo(**{name: params[name] for name in names if name in params})
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute("CREATE TEMPORARY TABLE item (id bigint PRIMARY KEY, name varchar(8))")
        yield session


@pytest.fixture
def pipeline(connection: psycopg.Connection[Any]) -> StatementPipeline:
    return StatementPipeline(connection)


def ask(pipeline: StatementPipeline, query: str, params: Any = ()) -> list[Any]:
    with pipeline.round_trip():
        reply = pipeline.execute(query, params)
    return reply.fetchall()


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("%s + 1", 2**62, 2**62 + 1),
        ("%s::text", "naïve %s", "naïve %s"),
        ("%s::bigint[]", integers([3, -4]), [3, -4]),
        ("%s", bigints([2**63 - 1, -(2**63), 0]), [2**63 - 1, -(2**63), 0]),
        ("(%s)[2]::text", amounts([1, 10**30]), str(10**30)),
        ("uuid_send((%s)[1])", uuids([b"0123456789abcdef"]), b"0123456789abcdef"),
        ("%s", ["a", None, 'b"\\,{}'], ["a", None, 'b"\\,{}']),
        ("cardinality(%s)", [], 0),
        ("%s::text", None, None),
        (
            "%s",
            datetime(2031, 2, 3, 4, 5, 6, 789_012, UTC),
            datetime(2031, 2, 3, 4, 5, 6, 789_012, UTC),
        ),
        ("%s - interval '1 us'", datetime(1970, 1, 1, tzinfo=UTC), BEFORE_1970),
    ],
)
def test_values_arrive_and_return(
    pipeline: StatementPipeline, expression: str, value: Any, expected: Any
) -> None:
    assert ask(pipeline, f"SELECT {expression}", [value]) == [(expected,)]


def test_names_may_repeat_and_a_percent_sign_stays(pipeline: StatementPipeline) -> None:
    query = "SELECT %(b)s - %(a)s, %(a)s %% 5, %(b)s"
    assert ask(pipeline, query, {"a": 7, "b": 9}) == [(2, 2, 9)]


def test_a_statement_is_prepared_once_for_each_kind_of_parameters(
    pipeline: StatementPipeline,
) -> None:
    for value in (bigints([1]), bigints([2]), amounts([10**30])):
        ask(pipeline, "SELECT (%s)[1] * 1", [value])
    names = ask(pipeline, "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%%* 1'")
    assert len(names) == 2


def test_row_counts_and_many_round_trips_in_flight(pipeline: StatementPipeline) -> None:
    with pipeline.round_trip():
        first = pipeline.execute("INSERT INTO item SELECT unnest(%s::bigint[])", [integers([1, 2])])
        pipeline.sync()
        second = pipeline.execute("DELETE FROM item WHERE id = %s", [1])
    assert (first.rowcount, second.rowcount) == (2, 1)
    assert not pipeline.in_flight
    assert ask(pipeline, "SELECT id FROM item") == [(2,)]


def test_a_statement_that_fails_stops_its_round_trip_only(
    connection: psycopg.Connection[Any], pipeline: StatementPipeline
) -> None:
    pipeline.execute("INSERT INTO item VALUES (%s, 'a')", [1])
    pipeline.execute("INSERT INTO item VALUES (%s, 'far too long')", [2])
    pipeline.execute("INSERT INTO item VALUES (%s, 'c'), (0, 'd')", [3])
    pipeline.sync()
    count = pipeline.execute("SELECT count(*) FROM item")
    pipeline.sync()
    with pytest.raises(psycopg.errors.StringDataRightTruncation):
        pipeline.wait()
    pipeline.wait()
    assert count.fetchone() == (0,)
    # What was skipped is not taken for prepared, and cursors work again.
    assert ask(pipeline, "INSERT INTO item VALUES (%s, 'c'), (0, 'd') RETURNING id", [3]) == [
        (3,),
        (0,),
    ]
    with pipeline.round_trip():
        pipeline.execute("INSERT INTO item VALUES (%s, 'c'), (0, 'd') ON CONFLICT DO NOTHING", [3])
    assert connection.execute("SELECT count(*) FROM item").fetchone() == (2,)


def test_a_parameter_that_cannot_be_sent_leaves_a_usable_connection(
    connection: psycopg.Connection[Any], pipeline: StatementPipeline
) -> None:
    for value, error in (
        ("a\0b", psycopg.DataError),
        (["a\0b"], psycopg.DataError),
        (["\udc80"], UnicodeEncodeError),
        (object(), TypeError),
        (2**63, Exception),
    ):
        with pytest.raises(error), pipeline.round_trip():
            pipeline.execute("BEGIN")
            pipeline.execute("INSERT INTO item VALUES (9, 'x')")
            pipeline.execute("SELECT %s::text" if isinstance(value, str) else "SELECT %s", [value])
        assert not pipeline.in_flight
        connection.rollback()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_plan_that_does_not_fit_a_changed_table_is_made_again(
    connection: psycopg.Connection[Any], pipeline: StatementPipeline
) -> None:
    query = "SELECT name FROM item WHERE id = %s"
    assert ask(pipeline, query, [1]) == []
    connection.execute("ALTER TABLE item ALTER COLUMN name TYPE varchar(20)")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        ask(pipeline, query, [1])
    assert ask(pipeline, query, [1]) == []
    connection.execute("DEALLOCATE ALL")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        ask(pipeline, query, [1])
    assert ask(pipeline, query, [1]) == []


def test_more_than_the_socket_takes_goes_through(pipeline: StatementPipeline) -> None:
    numbers = bigints(range(300_000))
    with pipeline.round_trip():
        replies = [pipeline.execute("SELECT %s, pg_sleep(0.01)::text", [numbers]) for _ in range(4)]
    assert [reply.fetchall()[0][0][-1] for reply in replies] == [299_999] * 4


def test_a_lost_connection_is_an_operational_error(
    connection: psycopg.Connection[Any], pipeline: StatementPipeline
) -> None:
    with pytest.raises(psycopg.OperationalError):
        ask(pipeline, "SELECT pg_terminate_backend(pg_backend_pid())")
        ask(pipeline, "SELECT 1")
    assert connection.broken
