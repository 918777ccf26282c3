"""kill -9, of whatever it may be, under load: what was acknowledged is there, once, and sums up."""

import os
import signal
import time

import psutil
import pytest

from embedded.processes import birth_of
from embedded.trial import TrialVenue
from tests.faults import facts
from tests.faults.floor import Floor


def _victim(venue: TrialVenue, name: str) -> int:
    if name == "engine":
        return facts.leader(venue)[0]
    if name == "web worker":
        workers = psutil.Process(venue.supervisor.pid_of("web")).children()
        return workers[0].pid
    return venue.supervisor.pid_of(name)


@pytest.mark.parametrize(
    "victims",
    [
        ("engine", "web worker", "web"),
        ("postgres", "valkey", "engine", "postgres"),
    ],
    ids=" ".join,
)
def test_nothing_acknowledged_is_lost_or_doubled(
    venue: TrialVenue, floor: Floor, victims: tuple[str, ...]
) -> None:
    floor.open("KILL")
    for name in victims:
        floor.kill(_victim(venue, name))

    floor.assert_nothing_lost()


def test_a_terminated_engine_finishes_its_batch_and_ends_well(
    venue: TrialVenue, floor: Floor
) -> None:
    floor.open("KILL")
    pid, epoch = facts.leader(venue)
    before = len(venue.events())
    told = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    assert venue.supervisor.wait_until(lambda: birth_of(pid) is None, seconds=10)
    took = time.monotonic() - told

    assert took < 2, f"{took:.2f} s"
    floor.wait_until_orders_flow()
    assert facts.leader(venue)[1] > epoch

    def ends() -> list[str]:
        return [event for event in venue.events()[before:] if "ended" in event]

    assert venue.supervisor.wait_until(lambda: bool(ends()), seconds=5), venue.tell()
    [ended] = ends()
    assert "engine-0" in ended and "exit code 0" in ended
    floor.assert_nothing_lost()
    floor.assert_all_were_answered()
