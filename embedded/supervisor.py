"""Keeps processes running: starts them, starts them again when they end, stops them in order.

One thread, no pipes: children write to their own log files, and the supervisor looks after them
ten times a second. It keeps running whatever its children do, and none of them outlives it.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from embedded import processes
from embedded.errors import CommandFailedError
from embedded.processes import ProcessSpec
from embedded.screen import LogFollower, Screen

_TICK_SECONDS = 0.1
_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 5.0
# A child that has lived this long counts as healthy: it is started again at once.
_HEALTHY_SECONDS = 10.0
_STOP_SECONDS_MAX = 15.0
_SAME_REQUEST_SECONDS = 1.0
# Between two looks at the sizes of the logs.
_LOGS_SECONDS = 10.0
_STATUS_FILE = "supervisor.json"


class StopRequestedError(Exception):
    """A signal asked the supervisor to stop."""


@dataclass(frozen=True)
class ChildStatus:
    """What `status` shows of a child; without a process id it waits for its next start."""

    pid: int | None
    started: float
    restarts: int


@dataclass
class _Child:
    spec: ProcessSpec
    process: "subprocess.Popen[bytes]"
    started: float
    restarts: int = 0
    delay_seconds: float = _FIRST_DELAY_SECONDS
    due: float | None = None

    def next_delay(self, now: float) -> float:
        """How long to wait before the next start, and twice as long before the one after it."""
        if now - self.started > _HEALTHY_SECONDS:
            self.delay_seconds = _FIRST_DELAY_SECONDS
            return 0.0
        delay = self.delay_seconds
        self.delay_seconds = min(delay * 2, _LONGEST_DELAY_SECONDS)
        return delay


class Supervisor:
    """Runs children with their logs in `<state_dir>/log`.

    Use it from the main thread, which has to live as long as the children.
    """

    def __init__(self, state_dir: Path, *, screen: Screen, verbose: bool = False) -> None:
        self._log_dir = state_dir / "log"
        self._run_dir = state_dir / "run"
        self._screen = screen
        self._follower = LogFollower(screen) if verbose else None
        self._children: dict[str, _Child] = {}
        self._stop_requested_at: float | None = None
        self._impatient = False
        self._logs_due = 0.0
        # When to write a status again that could not be written; None if it could.
        self._status_due: float | None = None

    def listen_to_signals(self) -> None:
        """Take Ctrl-C, SIGTERM and a closed terminal as requests to stop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def add(self, spec: ProcessSpec) -> None:
        """Start a child and keep it running from now on."""
        self._children[spec.name] = _Child(spec, self._spawn(spec), time.monotonic())
        self._note_status()

    def pid_of(self, name: str) -> int:
        """Return the process id of a child as it runs now."""
        return self._children[name].process.pid

    def restarts_of(self, name: str) -> int:
        """Return how often a child had to be started again."""
        return self._children[name].restarts

    def log_of(self, name: str) -> Path:
        """Return the log file of a child."""
        return self._log_dir / f"{name}.log"

    def wait_until(self, condition: Callable[[], bool], *, seconds: float) -> bool:
        """Look after the children until the condition holds; False if that takes too long.

        Raises:
            StopRequestedError: a signal came.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._tick()
        return True

    def run_commands(
        self, *specs: ProcessSpec, meanwhile: Callable[[], None] | None = None
    ) -> None:
        """Run commands side by side to their end, looking after the children meanwhile.

        `meanwhile` is called again and again, to show how far they are.

        Raises:
            CommandFailedError: one ended with an error; the message holds its output.
            StopRequestedError: a signal came; the commands were ended.
        """
        for spec in specs:
            self.log_of(spec.name).unlink(missing_ok=True)
        running = {spec.name: (spec, self._spawn(spec, quiet=True)) for spec in specs}
        try:
            for name, (_, process) in running.items():
                while process.poll() is None:
                    self._tick()
                    if meanwhile:
                        meanwhile()
                if process.returncode != 0:
                    output = processes.tail(self.log_of(name), lines=40)
                    raise CommandFailedError(f"The step `{name}` failed:\n{output}")
        finally:
            for spec, process in running.values():
                processes.stop(process, spec, grace_seconds=spec.stop_grace_seconds)
                self._pid_file(spec.name).unlink(missing_ok=True)

    def look_after_all(self) -> None:
        """Wait a moment, and start again what has ended.

        Raises:
            StopRequestedError: a signal came.
        """
        self._tick()

    def run_forever(self) -> NoReturn:
        """Look after the children until a signal asks to stop.

        Raises:
            StopRequestedError: when that happens.
        """
        while True:
            self._tick()

    def stop(self) -> None:
        """Stop all children, stage after stage, and kill those that do not end in time.

        A second request to stop cuts the waiting short.
        """
        if not self._children:
            return
        self._screen.event("bourse", "stopping")
        deadline = time.monotonic() + _STOP_SECONDS_MAX
        for stage in sorted({child.spec.stop_stage for child in self._children.values()}):
            members = [c for c in self._children.values() if c.spec.stop_stage == stage]
            self._stop_stage(members, deadline)
        (self._run_dir / _STATUS_FILE).unlink(missing_ok=True)
        self._screen.event("bourse", "stopped")

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._stop_requested_at is None:
            self._stop_requested_at = now
        # make passes on a signal that its whole group got, so the same request may come twice.
        elif now - self._stop_requested_at > _SAME_REQUEST_SECONDS:
            self._impatient = True

    def _tick(self) -> None:
        if self._stop_requested_at is not None:
            raise StopRequestedError
        time.sleep(_TICK_SECONDS)
        changed = [self._look_after(child) for child in self._children.values()]
        if any(changed) or self._is_status_due():
            self._note_status()
        self._bound_logs()
        if self._follower:
            self._follower.show_news()

    def _look_after(self, child: _Child) -> bool:
        """Notice that a child has ended and start it again when due; tell whether it changed."""
        now = time.monotonic()
        if child.due is None:
            if child.process.poll() is None:
                return False
            # What it had forked may still hold its port or its work.
            processes.signal_group(child.process.pid, signal.SIGKILL)
            delay = child.next_delay(now)
            child.due = now + delay
            when = f"in {delay:.1f} s" if delay else "now"
            how = processes.how_it_ended(child.process.returncode)
            self._screen.event(child.spec.name, f"{how}; starting it again {when}", "yellow")
            if delay:
                return True
        if now < child.due:
            return False
        return self._start_again(child, now)

    def _start_again(self, child: _Child, now: float) -> bool:
        """Start a child that is due; where the system refuses (a full disk), try again later."""
        try:
            child.process = self._spawn(child.spec)
        except OSError as error:
            child.due = now + _LONGEST_DELAY_SECONDS
            text = f"cannot be started ({error}); trying again in {_LONGEST_DELAY_SECONDS:.0f} s"
            self._screen.event(child.spec.name, text, "red")
            return False
        child.started, child.due = now, None
        child.restarts += 1
        return True

    def _spawn(self, spec: ProcessSpec, *, quiet: bool = False) -> "subprocess.Popen[bytes]":
        log = self.log_of(spec.name)
        if self._follower:
            self._follower.follow(log)
        process = processes.spawn(spec, log=log, pid_file=self._pid_file(spec.name))
        if not quiet:
            self._screen.event(spec.name, f"started (process {process.pid})", "dim")
        return process

    def _pid_file(self, name: str) -> Path:
        return self._run_dir / f"{name}.pid"

    def _stop_stage(self, members: list[_Child], deadline: float) -> None:
        living = [child for child in members if child.process.poll() is None]
        for child in living:
            child.process.send_signal(child.spec.stop_signal)
        begun = time.monotonic()
        grace = max((child.spec.stop_grace_seconds for child in living), default=0.0)
        patient_until = min(begun + grace, max(deadline, begun + 1.0))
        while any(child.process.poll() is None for child in living):
            if time.monotonic() > patient_until or self._impatient:
                break
            time.sleep(_TICK_SECONDS / 2)
        for child in members:
            if child.process.poll() is None:
                self._screen.event(child.spec.name, "did not end in time; killed", "yellow")
            processes.signal_group(child.process.pid, signal.SIGKILL)
            child.process.wait()
            self._pid_file(child.spec.name).unlink(missing_ok=True)

    def _bound_logs(self) -> None:
        """Set logs aside that have grown large, now and then."""
        now = time.monotonic()
        if now < self._logs_due:
            return
        self._logs_due = now + _LOGS_SECONDS
        for name in self._children:
            try:
                processes.set_log_aside(self.log_of(name))
            except OSError as error:
                self._screen.event(name, f"its log cannot be set aside ({error})", "yellow")

    def _is_status_due(self) -> bool:
        return self._status_due is not None and time.monotonic() >= self._status_due

    def _note_status(self) -> None:
        """Keep what `status` shows; where it cannot be written (a full disk), try again later."""
        try:
            self._write_status()
            self._status_due = None
        except OSError as error:
            if self._status_due is None:
                self._screen.event("bourse", f"cannot keep its status ({error})", "yellow")
            self._status_due = time.monotonic() + _LONGEST_DELAY_SECONDS

    def _write_status(self) -> None:
        """Write the file that `status` shows, replaced at once."""
        now = time.monotonic()
        noted = {
            child.spec.name: asdict(
                ChildStatus(
                    pid=child.process.pid if child.due is None else None,
                    started=time.time() - (now - child.started),
                    restarts=child.restarts,
                )
            )
            for child in self._children.values()
        }
        file = self._run_dir / _STATUS_FILE
        partial = file.with_suffix(f".{os.getpid()}")
        try:
            partial.write_text(json.dumps(noted))
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)


def read_status(state_dir: Path) -> dict[str, ChildStatus]:
    """Return what the running supervisor noted of its children, by name; empty without one."""
    file = state_dir / "run" / _STATUS_FILE
    if not file.exists():
        return {}
    return {name: ChildStatus(**noted) for name, noted in json.loads(file.read_text()).items()}
