"""One venue for all fault tests: real servers and processes, an engine and its standby."""

import json
from collections.abc import Iterator

import pytest

from embedded.trial import TrialVenue, trial_venue
from tests.faults.floor import Floor
from tests.faults.traders import Caller


@pytest.fixture(scope="session")
def venue() -> Iterator[TrialVenue]:
    """A venue on free ports with two web workers, an engine and a standby, all of them durable."""
    with trial_venue(
        processes=("engine-0", "django", "web"),
        standby=True,
        environ={"WEB_WORKERS": "2", "DJANGO_THREADS": "16"},
    ) as running:
        yield running


@pytest.fixture(scope="session")
def funded(venue: TrialVenue) -> tuple[str, int]:
    """Key and account of a client who paid beforehand; makes the shares too."""
    told = json.loads(venue.run_module("tests.faults.accounts").splitlines()[-1])
    return told["key"], told["account_id"]


@pytest.fixture(scope="session")
def broker_key(venue: TrialVenue, funded: tuple[str, int]) -> str:
    """The key of a broker with credit."""
    return register(venue, "Credit")


@pytest.fixture
def caller(venue: TrialVenue, broker_key: str) -> Caller:
    """A client of the broker with credit, on a venue that is well."""
    venue.wait_until_healthy()
    return Caller(venue.port, broker_key)


@pytest.fixture
def floor(
    venue: TrialVenue, caller: Caller, broker_key: str, funded: tuple[str, int]
) -> Iterator[Floor]:
    """Traders that can be let loose on one share."""
    floor = Floor(venue, caller, broker_key, funded)
    yield floor
    floor.close()


def register(venue: TrialVenue, name: str) -> str:
    """Take a broker in and return its key."""
    answer = Caller(venue.port, venue.admin_key).post("/register", {"name": name})
    assert answer.status == 201, answer
    key: str = answer.document["api_key"]
    return key
