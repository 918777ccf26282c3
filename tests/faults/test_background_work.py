"""A venue without beat, or without one of its workers: the front notices, and orders trade on."""

import http.client
import json
from typing import Any

import pytest

from embedded.trial import ALL_PROCESSES, TrialVenue, trial_venue

_NOTICED_SECONDS = 120.0


def _health(venue: TrialVenue) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", venue.port, timeout=5)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def _late(venue: TrialVenue) -> set[str]:
    return {one["name"] for one in _health(venue)[1]["tasks"]["tasks"] if one["is_late"]}


@pytest.mark.parametrize(
    ("dead", "late", "on_time"),
    [
        ("beat", {"sweep-liquidations", "expire-transfers"}, set()),
        ("worker-money", {"expire-transfers"}, {"sweep-liquidations", "deliver-webhooks"}),
    ],
)
def test_a_process_that_is_missing_is_noticed(dead: str, late: set[str], on_time: set[str]):
    wanted = tuple(name for name in ALL_PROCESSES if name != dead)

    with trial_venue(processes=wanted) as venue:

        def is_noticed() -> bool:
            alerts = _health(venue)[1]["alerts"]["open_critical_count"]
            return late <= _late(venue) and alerts >= len(late)

        assert venue.supervisor.wait_until(is_noticed, seconds=_NOTICED_SECONDS), venue.tell()
        status, document = _health(venue)
        assert (status, document["tasks"]["status"]) == (200, "late")
        assert not on_time & _late(venue)
