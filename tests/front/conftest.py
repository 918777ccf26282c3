"""One venue for all tests of the front: real gunicorn, real sockets."""

from collections.abc import Iterator

import pytest

from embedded.trial import TrialVenue, trial_venue
from tests.faults.traders import Caller
from tests.front.wire import Wire


@pytest.fixture(scope="session")
def venue() -> Iterator[TrialVenue]:
    """A venue with one front process, so that what happens to it is seen by all clients."""
    with trial_venue(
        processes=("engine-0", "django", "web"),
        environ={"WEB_WORKERS": "1", "DJANGO_WORKERS": "1", "DJANGO_THREADS": "4"},
    ) as running:
        yield running


@pytest.fixture(scope="session")
def key(venue: TrialVenue) -> str:
    """The key of a broker with credit."""
    answer = Caller(venue.port, venue.admin_key).post("/register", {"name": "Front"})
    assert answer.status == 201, answer
    secret: str = answer.document["api_key"]
    return secret


@pytest.fixture
def wire(venue: TrialVenue, key: str) -> Iterator[Wire]:
    """A connection to a venue that is well."""
    venue.wait_until_healthy()
    with Wire(venue.port, key) as connection:
        yield connection
