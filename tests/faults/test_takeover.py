"""A standby leads within three seconds, whether the leader is dead or only asleep."""

import os
import signal
import time

from embedded.processes import birth_of
from embedded.trial import TrialVenue
from tests.faults import facts
from tests.faults.floor import Floor
from tests.faults.traders import Caller

_TAKEOVER_SECONDS_MAX = 3.0
_STOPPED_SECONDS = 6.0
# After it wakes, a leader that was passed over finds out with its next batch or idle tick.
_EXIT_SECONDS_MAX = 10.0


def _serving_epoch(caller: Caller) -> int:
    """The epoch that web hears of; 0 while it hears of none."""
    return caller.get("/health").document["engine"][0]["epoch"] or 0


def _time_takeover(venue: TrialVenue, caller: Caller, epoch: int, since: float) -> float:
    """Seconds from `since` until an engine of a later epoch serves."""
    has_led = venue.supervisor.wait_until(lambda: _serving_epoch(caller) > epoch, seconds=30)
    took = time.monotonic() - since
    assert has_led, venue.tell()
    return took


def test_a_killed_leader_is_followed_at_once(
    venue: TrialVenue, floor: Floor, caller: Caller
) -> None:
    floor.open("STOP")
    pid, epoch = facts.leader(venue)
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    took = _time_takeover(venue, caller, epoch, killed)

    floor.wait_until_orders_flow()
    floor.assert_nothing_lost()
    floor.assert_all_were_answered()
    assert took < _TAKEOVER_SECONDS_MAX, f"{took:.2f} s"


def test_a_stopped_leader_is_passed_over_and_ends_itself_when_it_wakes(
    venue: TrialVenue, floor: Floor, caller: Caller
) -> None:
    floor.open("STOP")
    pid, epoch = facts.leader(venue)
    born = birth_of(pid)
    before = len(venue.events())
    stopped = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:
        took = _time_takeover(venue, caller, epoch, stopped)
        floor.wait_until_orders_flow()
        venue.supervisor.wait_until(
            lambda: time.monotonic() > stopped + _STOPPED_SECONDS, seconds=_STOPPED_SECONDS + 1
        )
        assert birth_of(pid) == born, "it was to sleep"
    finally:
        os.kill(pid, signal.SIGCONT)

    has_ended = venue.supervisor.wait_until(
        lambda: birth_of(pid) != born, seconds=_EXIT_SECONDS_MAX
    )
    assert has_ended, venue.tell()
    assert facts.leader(venue)[1] > epoch
    floor.wait_until_orders_flow()
    [ended] = [event for event in venue.events()[before:] if "ended" in event]
    assert "exit code" in ended, "by itself, not by a signal"
    floor.assert_nothing_lost()
    floor.assert_all_were_answered()
    assert took < _TAKEOVER_SECONDS_MAX, f"{took:.2f} s"


def test_leaders_find_out_also_while_nobody_sends_anything(
    venue: TrialVenue, caller: Caller
) -> None:
    pid, epoch = facts.leader(venue)
    born = birth_of(pid)
    os.kill(pid, signal.SIGSTOP)
    try:
        _time_takeover(venue, caller, epoch, time.monotonic())
    finally:
        os.kill(pid, signal.SIGCONT)
    assert venue.supervisor.wait_until(lambda: birth_of(pid) != born, seconds=_EXIT_SECONDS_MAX), (
        venue.tell()
    )

    _, epoch = facts.leader(venue)
    os.kill(venue.supervisor.pid_of("postgres"), signal.SIGKILL)
    has_led = venue.supervisor.wait_until(
        lambda: venue.is_healthy() and _serving_epoch(caller) > epoch, seconds=30
    )
    assert has_led, venue.tell()
