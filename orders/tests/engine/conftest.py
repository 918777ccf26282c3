"""Fixtures of the engine's tests: committed data, emptied in a fraction of the time of a flush."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections

from orders.tests.engine.harness import Harness, Venue, make_venue

# All that engines read and write hangs on these.
_EMPTY = """
TRUNCATE brokers_broker, marketdata_asset, ledger_journalentry, orders_engineshard,
         orders_engineheartbeat, orders_enginecommand CASCADE
"""


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """In place of pytest-django's, whose flush also makes all permissions again."""
    with django_db_blocker.unblock():
        yield
        with connection.cursor() as cursor:
            cursor.execute(_EMPTY)
        connections.close_all()


@pytest.fixture
def venue(transactional_db: None, valkey: Any) -> Venue:
    """One instrument in an otherwise empty database, and an empty Valkey."""
    return make_venue()


@pytest.fixture
def harness(venue: Venue) -> Iterator[Harness]:
    driver = Harness(venue.instrument)
    yield driver
    driver.stop()
