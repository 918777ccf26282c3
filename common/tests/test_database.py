"""Retrying: only what goes away by itself, and only where the transaction is one's own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection, transaction

from common.database import allow_long_statements, retry_on_conflict

pytestmark = pytest.mark.django_db(transaction=True)

LOCK = 4_711


@contextmanager
def lock_held_by_another(seconds: float) -> Iterator[None]:
    """Another connection has the lock, for that long."""
    is_held = threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
                is_held.set()
                time.sleep(seconds)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait()
    yield
    holder.join()


class Service:
    """Takes the lock in a transaction of its own, and counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self) -> str:
        return retry_on_conflict(transaction.atomic(self._once))()

    def _once(self) -> str:
        self.runs += 1
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '20ms'")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        return "done"


def test_a_lock_that_is_freed_in_time_is_waited_for() -> None:
    service = Service()

    with lock_held_by_another(0.1):
        assert service.run() == "done"

    assert 1 < service.runs <= 5


def test_a_lock_that_stays_is_given_up() -> None:
    service = Service()

    with lock_held_by_another(1.2), pytest.raises(OperationalError, match="lock timeout"):
        service.run()

    assert service.runs == 5


def test_within_a_transaction_of_the_caller_there_is_one_run() -> None:
    service = Service()

    with lock_held_by_another(0.1), pytest.raises(OperationalError), transaction.atomic():
        service.run()

    assert service.runs == 1


def test_what_does_not_go_away_is_not_tried_again() -> None:
    runs = []

    @retry_on_conflict
    @transaction.atomic
    def too_slow() -> None:
        runs.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '10ms'")
            cursor.execute("SELECT pg_sleep(1)")

    with pytest.raises(OperationalError, match="statement timeout"):
        too_slow()

    assert len(runs) == 1


def test_long_statements_are_allowed_in_one_transaction_alone() -> None:
    def timeout() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return str(cursor.fetchone()[0])

    with transaction.atomic():
        allow_long_statements(90)
        assert timeout() == "90s"
    assert timeout() == "5s"
