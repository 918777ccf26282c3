"""Tables that are changed under a running engine, as an online migration does."""

import logging
from collections.abc import Iterator

import pytest
from django.db import connection

from orders.tests.engine.harness import BUY, SELL, Harness, make_account
from orders.tests.engine.invariants import check_all


def _set_length(column_type: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE brokers_tradingaccount ALTER COLUMN status TYPE {column_type}")


@pytest.fixture
def status_type(transactional_db: None) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = 'brokers_tradingaccount'::regclass AND attname = 'status'"
        )
        (column_type,) = cursor.fetchone()
    yield column_type
    _set_length(column_type)


def test_a_changed_column_costs_another_try_and_no_command(
    status_type: str, harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    for _ in range(3):
        harness.place(seller, SELL, 1, 1_000)
    with caplog.at_level(logging.WARNING):
        _set_length("varchar(77)")
        asks = [harness.place_command(seller, SELL, 1, 1_000 + n) for n in range(3)]
        bid = harness.place_command(buyer, BUY, 4, 1_000)
        outcomes = harness.carry_out(*asks, bid)

    assert [outcome.status for outcome in outcomes] == ["OPEN", "OPEN", "OPEN", "FILLED"]
    assert "cached plan must not change result type" in caplog.text
    assert "failed" not in caplog.text
    check_all(harness.engine)
