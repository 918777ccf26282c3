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
_FINDS_OUT_SECONDS_MAX = 10.0
_ENGINES = ("engine-0", "engine-0-standby")


def _serving_epoch(caller: Caller) -> int:
    """The epoch that web hears of; 0 while it hears of none."""
    return caller.get("/health").document["engine"][0]["epoch"] or 0


def _count_starts_over(venue: TrialVenue) -> int:
    """How often an engine has lost its lead or the database, and started over in its process."""
    logs = [venue.supervisor.log_of(name).read_text() for name in _ENGINES]
    return sum(log.count("starting over") for log in logs)


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


def test_a_stopped_leader_is_passed_over_and_stands_by_when_it_wakes(
    venue: TrialVenue, floor: Floor, caller: Caller
) -> None:
    floor.open("STOP")
    pid, epoch = facts.leader(venue)
    born = birth_of(pid)
    before = _count_starts_over(venue)
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

    has_found_out = venue.supervisor.wait_until(
        lambda: _count_starts_over(venue) > before, seconds=_FINDS_OUT_SECONDS_MAX
    )
    assert has_found_out, venue.tell()
    floor.wait_until_orders_flow()
    assert facts.leader(venue)[0] != pid
    assert birth_of(pid) == born, "it stands by"
    floor.assert_nothing_lost()
    floor.assert_all_were_answered()
    assert took < _TAKEOVER_SECONDS_MAX, f"{took:.2f} s"


def test_leaders_find_out_also_while_nobody_sends_anything(
    venue: TrialVenue, caller: Caller
) -> None:
    pid, epoch = facts.leader(venue)
    before = _count_starts_over(venue)
    os.kill(pid, signal.SIGSTOP)
    try:
        _time_takeover(venue, caller, epoch, time.monotonic())
    finally:
        os.kill(pid, signal.SIGCONT)
    has_found_out = venue.supervisor.wait_until(
        lambda: _count_starts_over(venue) > before, seconds=_FINDS_OUT_SECONDS_MAX
    )
    assert has_found_out, venue.tell()

    _, epoch = facts.leader(venue)
    os.kill(venue.supervisor.pid_of("postgres"), signal.SIGKILL)
    has_led = venue.supervisor.wait_until(
        lambda: venue.is_healthy() and _serving_epoch(caller) > epoch, seconds=30
    )
    assert has_led, venue.tell()
