"""Fixtures of the engine's tests: committed data, emptied in a fraction of the time of a flush."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from marketdata.models import Instrument
from orders.tests.emptying import empty_tables
from orders.tests.engine.harness import Clock, Harness, Venue, make_venue
from orders.tests.engine.margin import make_perpetual, set_mark


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """In place of pytest-django's, whose flush also makes all permissions again."""
    with django_db_blocker.unblock():
        yield
        empty_tables()
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


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(venue: Venue, clock: Clock) -> Iterator[Harness]:
    """An engine whose clock is ours."""
    driver = Harness(venue.instrument, clock=clock)
    yield driver
    driver.stop()


@pytest.fixture
def perpetual(venue: Venue) -> Instrument:
    return make_perpetual()


@pytest.fixture
def futures(perpetual: Instrument) -> Iterator[Harness]:
    """An engine, a perpetual with a mark of 50,000; prices in cents, 1,000 lots are 0.1."""
    driver = Harness(perpetual)
    set_mark(driver, 50_000)
    yield driver
    driver.stop()
