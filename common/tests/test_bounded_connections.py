"""Connections whose server does not answer in time."""

import asyncio
import time
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from common.bounded_connections import (
    ANSWER_SECONDS_MAX,
    BoundedAsyncConnection,
    BoundedConnection,
    ServerSilent,
)
from common.database import allow_long_statements, database_dsn
from common.reconciliation import one_moment

SLEEP = "SELECT pg_sleep(%s)"


@pytest.fixture
def bounded() -> Any:
    with BoundedConnection.connect(database_dsn(), autocommit=True) as opened:
        opened.limit(0.3)
        yield opened


@pytest.mark.django_db
def test_an_answer_that_does_not_come_closes_the_connection(bounded: BoundedConnection) -> None:
    began = time.monotonic()
    with pytest.raises(ServerSilent, match=r"not answered for 0\.3 seconds"):
        bounded.execute(SLEEP, [5])
    assert time.monotonic() - began < 2
    assert bounded.closed
    with pytest.raises(psycopg.OperationalError):
        bounded.execute("SELECT 1")


@pytest.mark.django_db
def test_what_a_transaction_allows_ends_with_it(bounded: BoundedConnection) -> None:
    with bounded.transaction():
        bounded.execute("SELECT 1")
        bounded.allow(5)
        bounded.execute(SLEEP, [0.6])
    bounded.execute("SELECT 1")
    bounded.limit(0.3)
    with pytest.raises(ServerSilent):
        bounded.execute(SLEEP, [5])


@pytest.mark.django_db
def test_on_an_event_loop() -> None:
    async def ask() -> float:
        opened = await BoundedAsyncConnection.connect(database_dsn(), autocommit=True)
        opened.seconds_max = 0.3
        began = time.monotonic()
        with pytest.raises(ServerSilent):
            await opened.execute(SLEEP, [5])
        assert opened.closed
        return time.monotonic() - began

    assert asyncio.run(ask()) < 2


@pytest.mark.django_db(transaction=True)
def test_django_connects_again_after_a_silence() -> None:
    connection.ensure_connection()
    connection.connection.limit(0.3)
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute(SLEEP, [5])
    connection.close_if_unusable_or_obsolete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db(transaction=True)
def test_long_statements_are_waited_for() -> None:
    with transaction.atomic():
        allow_long_statements(100)
        assert connection.connection._seconds_max == 102
    with one_moment():
        assert connection.connection._seconds_max is None
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert connection.connection._seconds_max == ANSWER_SECONDS_MAX


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_silent_is_not_usable() -> None:
    connection.ensure_connection()
    assert connection.is_usable()
    connection.connection.close()
    assert not connection.is_usable()
    connection.close()
