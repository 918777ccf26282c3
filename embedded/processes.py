"""Starting and stopping single processes, and recognising those that an earlier run left.

Every child leads its own session: Ctrl-C on the terminal reaches the supervisor only, and a
signal to the group also reaches what the child has forked. Start children from a thread that
lives as long as they shall, best the main thread: Linux ends them with the thread that made them.
"""

import hashlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from pathlib import Path

_GUARD = Path(__file__).with_name("guard.py")
_LOG_BYTES_MAX = 10_000_000
# Ids that systemd hands out to services without an account: no person and no package has one.
_SERVER_IDS = range(61_184, 65_520)


@dataclass(frozen=True)
class Account:
    """The account under which a child runs."""

    uid: int
    gid: int


class StopStage(IntEnum):
    """The order of the end: the children of one stage are gone before the next are stopped.

    First nobody may send orders, then the clock and its work stop, then the engines, which still
    answer what waits, and last the servers that all of them need.
    """

    WEB = 0
    WORK = 1
    ENGINE = 2
    VALKEY = 3
    POSTGRES = 4


@dataclass(frozen=True)
class ProcessSpec:
    """How a child is started and stopped."""

    name: str
    command: tuple[str, ...]
    cwd: Path
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_seconds: float = 5.0
    stop_stage: StopStage = StopStage.WEB


def server_account(state_dir: Path) -> Account | None:
    """The account of a venue's database servers if we are root, else None: our own.

    It is a number without a name, another one for each state folder: an account that anything else
    runs as, like `nobody`, could read their passwords and stop them.
    """
    if os.geteuid() != 0:
        return None
    digest = hashlib.sha256(str(state_dir.resolve()).encode()).digest()
    number = _SERVER_IDS[int.from_bytes(digest[:8]) % len(_SERVER_IDS)]
    return Account(uid=number, gid=number)


def named_account() -> Account:
    """An unprivileged account that has a name, for a program that asks for its own."""
    nobody = pwd.getpwnam("nobody")
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)


def spawn(spec: ProcessSpec, *, log: Path, pid_file: Path) -> "subprocess.Popen[bytes]":
    """Start a child with its output appended to `log` and its identity kept in `pid_file`.

    Raises:
        OSError: the system refuses, or the files cannot be written. No child is left then.
    """
    set_log_aside(log)
    account = spec.account or Account(os.geteuid(), os.getegid())
    guard = [sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), str(int(spec.stop_signal))]
    with log.open("ab") as output:
        child = subprocess.Popen(
            [*guard, str(account.uid), str(account.gid), *spec.command],
            cwd=spec.cwd,
            env=dict(spec.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    born = birth_of(child.pid)
    if born is not None:
        record = PidRecord(child.pid, born, int(spec.stop_signal))
        try:
            pid_file.write_text(json.dumps(asdict(record)))
        except OSError:
            signal_group(child.pid, signal.SIGKILL)
            child.wait()
            raise
    return child


def set_log_aside(log: Path) -> None:
    """Copy a log that has grown large, in place of the one copied before, and empty it.

    The process that writes it goes on at its new end, since it appends; what it writes between
    copying and emptying is lost.
    """
    if not log.exists() or log.stat().st_size <= _LOG_BYTES_MAX:
        return
    aside = log.with_name(log.name + ".1")
    aside.unlink(missing_ok=True)
    shutil.copyfile(log, aside)
    os.truncate(log, 0)


def tail(log: Path, *, lines: int = 15) -> str:
    """Return the last lines of a log, for an error message."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to a child and all that it has forked; nothing happens if all are gone."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # macOS answers "not permitted" for a group of which only zombies are left


def stop(child: "subprocess.Popen[bytes]", spec: ProcessSpec, *, grace_seconds: float) -> None:
    """Ask a child to end and wait for it; after the grace, kill it and what it has forked."""
    if child.poll() is None:
        child.send_signal(spec.stop_signal)
        try:
            child.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    signal_group(child.pid, signal.SIGKILL)


def how_it_ended(returncode: int) -> str:
    """Return the words for a child's exit code, which is negative for a signal."""
    if returncode < 0:
        return f"ended by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"


def birth_of(pid: int) -> str | None:
    """Return a mark of when a process began, or None if it does not live.

    Pid and mark together name a process for good: pids alone are used again. Zombies count as dead.
    """
    if sys.platform != "linux":
        shown = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return shown.stdout.strip() or None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


@dataclass(frozen=True)
class PidRecord:
    """What a pid file holds: enough to end exactly that process, and no other, later."""

    pid: int
    born: str
    stop_signal: int

    def is_alive(self) -> bool:
        """Tell whether this very process still lives."""
        return birth_of(self.pid) == self.born

    def end(self, *, grace_seconds: float) -> None:
        """Ask the process and its group to end, kill them after the grace, wait till it is gone."""
        signal_group(self.pid, signal.Signals(self.stop_signal))
        deadline = time.monotonic() + grace_seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                signal_group(self.pid, signal.SIGKILL)
            time.sleep(0.05)


def stop_leftovers(folder: Path, *, grace_seconds: float = 10.0) -> list[str]:
    """End the processes that a killed supervisor left, found by the pid files in `folder`.

    Returns the names of those that were still there.
    """
    found: list[str] = []
    for pid_file in sorted(folder.glob("*.pid")):
        text = pid_file.read_text()
        record = PidRecord(**json.loads(text)) if text else None
        if record and record.is_alive():
            record.end(grace_seconds=grace_seconds)
            found.append(pid_file.stem)
        pid_file.unlink()
    return found
