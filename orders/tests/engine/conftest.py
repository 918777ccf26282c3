"""Fixtures of the engine's tests."""

from collections.abc import Iterator

import pytest

from orders.tests.engine.harness import Harness, Venue, make_venue


@pytest.fixture
def venue(transactional_db: None) -> Venue:
    return make_venue()


@pytest.fixture
def harness(venue: Venue) -> Iterator[Harness]:
    driver = Harness(venue.instrument)
    yield driver
    driver.stop()
