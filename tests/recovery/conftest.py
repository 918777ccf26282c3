"""A venue without a standby: what ends has to come back."""

from collections.abc import Iterator

import pytest

from embedded.trial import TrialVenue, trial_venue
from tests.faults.conftest import register
from tests.recovery.clients import Clients

_CLIENTS = 4


@pytest.fixture(scope="package")
def venue() -> Iterator[TrialVenue]:
    """Servers, one engine, two web workers, the Django processes; no standby."""
    with trial_venue(
        processes=("engine-0", "django", "web"),
        environ={"WEB_WORKERS": "2", "OPEN_LISTING": "true"},
    ) as running:
        yield running


@pytest.fixture(scope="package")
def key(venue: TrialVenue) -> str:
    """The key of a broker with credit."""
    return register(venue, "Steady")


@pytest.fixture
def clients(venue: TrialVenue, key: str) -> Iterator[Clients]:
    """Clients whose orders are taken, on a venue that is well."""
    venue.wait_until_healthy()
    clients = Clients(venue, key, _CLIENTS)
    yield clients
    clients.close()
