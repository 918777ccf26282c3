"""The supervisor: what dies is started again, what is asked to stop stops, nothing is left over."""

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from embedded import paths, processes, services
from embedded.errors import CommandFailedError
from embedded.processes import PidRecord, ProcessSpec, StopStage
from embedded.screen import Screen
from embedded.supervisor import Supervisor, read_status

SLEEP = "import time; time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); {SLEEP}"
ENDLESS = "import time\nwhile True: time.sleep(0.2); print('and on', flush=True)"
# A child that says when it was asked to stop.
TELLS_ITS_END = """
import signal, sys, time
def end(*_):
    print(time.monotonic())
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A state folder that the servers' account can enter, which pytest's own is not for root."""
    folder = Path(tempfile.mkdtemp(prefix="bourse-test-"))
    folder.chmod(0o755)
    services.make_state_folders(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def terminal() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def supervisor(state_dir: Path, terminal: io.StringIO) -> Iterator[Supervisor]:
    started = Supervisor(state_dir, screen=Screen(terminal))
    yield started
    started.stop()


def python(name: str, program: str, *, stage: StopStage = StopStage.WEB, grace: float = 5.0):
    return ProcessSpec(
        name=name,
        command=(sys.executable, "-u", "-c", program),
        cwd=paths.project_root(),
        stop_stage=stage,
        stop_grace_seconds=grace,
    )


def wait_for(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not come true in time"
        time.sleep(0.02)


def test_killed_child_is_started_again(supervisor: Supervisor, terminal: io.StringIO):
    supervisor.add(python("sleeper", SLEEP))
    first = supervisor.pid_of("sleeper")

    os.kill(first, signal.SIGKILL)

    assert supervisor.wait_until(lambda: supervisor.restarts_of("sleeper") == 1, seconds=5)
    assert supervisor.pid_of("sleeper") != first
    assert processes.birth_of(supervisor.pid_of("sleeper")) is not None
    assert "ended by SIGKILL; starting it again in 0.2 s" in terminal.getvalue()


def test_child_that_keeps_ending_waits_twice_as_long_each_time(
    supervisor: Supervisor, terminal: io.StringIO
):
    supervisor.add(python("broken", "raise SystemExit(3)"))

    assert supervisor.wait_until(lambda: terminal.getvalue().count("ended") == 4, seconds=10)

    for delay in ("0.2", "0.4", "0.8", "1.6"):
        assert f"ended with exit code 3; starting it again in {delay} s" in terminal.getvalue()


def test_what_a_dead_child_had_forked_is_ended_too(supervisor: Supervisor):
    fork = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).pid)"
    supervisor.add(python("parent", f"{fork}; {SLEEP}"))
    log = supervisor.log_of("parent")
    supervisor.wait_until(lambda: log.read_text().endswith("\n"), seconds=5)
    grandchild = int(log.read_text())

    os.kill(supervisor.pid_of("parent"), signal.SIGKILL)

    assert supervisor.wait_until(lambda: processes.birth_of(grandchild) is None, seconds=5)


def test_children_stop_stage_by_stage(state_dir: Path):
    supervisor = Supervisor(state_dir, screen=Screen(io.StringIO()))
    for stage in (StopStage.VALKEY, StopStage.WEB, StopStage.ENGINE):
        supervisor.add(python(stage.name, TELLS_ITS_END, stage=stage))
    logs = {stage: supervisor.log_of(stage.name) for stage in StopStage}
    started = [logs[stage] for stage in (StopStage.VALKEY, StopStage.WEB, StopStage.ENGINE)]
    wait_for(lambda: all("ready\n" in log.read_text() for log in started))

    supervisor.stop()

    ends = [
        float(logs[stage].read_text().split()[-1])
        for stage in (StopStage.WEB, StopStage.ENGINE, StopStage.VALKEY)
    ]
    assert ends == sorted(ends)
    assert list((state_dir / "run").iterdir()) == []


def test_child_that_does_not_listen_is_killed_after_its_grace(state_dir: Path):
    terminal = io.StringIO()
    supervisor = Supervisor(state_dir, screen=Screen(terminal))
    supervisor.add(python("deaf", DEAF, grace=0.3))
    wait_for(lambda: "deaf" in supervisor.log_of("deaf").read_text())
    pid = supervisor.pid_of("deaf")

    supervisor.stop()

    assert processes.birth_of(pid) is None
    assert "did not end in time; killed" in terminal.getvalue()


def test_command_that_fails_is_told_with_its_output(supervisor: Supervisor):
    supervisor.run_commands(python("fine", "print('fine')"))

    with pytest.raises(CommandFailedError, match=r"(?s)`broken` failed.*no such table"):
        supervisor.run_commands(
            python("fine", "print('fine')"), python("broken", "raise SystemExit('no such table')")
        )


def test_verbose_shows_what_children_write(state_dir: Path):
    terminal = io.StringIO()
    supervisor = Supervisor(state_dir, screen=Screen(terminal), verbose=True)
    supervisor.add(python("talker", f"print('good morning'); {SLEEP}"))

    heard = supervisor.wait_until(
        lambda: "talker     | good morning" in terminal.getvalue(), seconds=5
    )
    supervisor.stop()

    assert heard


def test_log_that_has_grown_large_is_set_aside_while_it_is_written(supervisor: Supervisor):
    program = f"print('x' * 10_000_000); print('and on', flush=True)\n{ENDLESS}"
    supervisor.add(python("talker", program))
    log = supervisor.log_of("talker")
    aside = log.with_name("talker.log.1")

    assert supervisor.wait_until(lambda: aside.exists() and b"on" in log.read_bytes(), seconds=30)

    assert aside.stat().st_size > 10_000_000
    assert log.stat().st_size < 1_000_000
    assert log.read_bytes()[:1] != b"\0"


def test_one_log_is_kept_beside_the_present_one(tmp_path: Path):
    log = tmp_path / "web.log"
    for text in (b"x", b"y"):
        log.write_bytes(text * 10_000_001)
        processes.set_log_aside(log)

    assert log.read_bytes() == b""
    assert (tmp_path / "web.log.1").read_bytes()[:2] == b"yy"
    assert len(list(tmp_path.iterdir())) == 2


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow: every write of this process fails, as on a disk without space."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_ends_nothing_and_children_come_back_when_there_is_space(
    supervisor: Supervisor, state_dir: Path, terminal: io.StringIO
):
    supervisor.add(python("sleeper", SLEEP))
    supervisor.add(python("other", SLEEP))
    other = supervisor.pid_of("other")

    with full_disk():
        os.kill(supervisor.pid_of("sleeper"), signal.SIGKILL)
        refused = supervisor.wait_until(
            lambda: "cannot be started ([Errno" in terminal.getvalue(), seconds=10
        )
        assert refused, terminal.getvalue()
    assert "cannot keep its status" in terminal.getvalue()

    assert supervisor.wait_until(lambda: supervisor.restarts_of("sleeper") == 1, seconds=15)
    assert supervisor.wait_until(
        lambda: read_status(state_dir)["sleeper"].pid == supervisor.pid_of("sleeper"), seconds=10
    )
    assert supervisor.pid_of("other") == other
    assert (state_dir / "run" / "sleeper.pid").read_text() != ""


def test_terminal_that_takes_nothing_ends_nothing():
    with contextlib.suppress(OSError), open("/dev/full", "w") as full:
        screen = Screen(full)
        screen.text("lost")
        screen.event("bourse", "lost too")


@pytest.mark.parametrize("lost", [1, 2])
def test_lines_that_were_lost_are_counted(lost: int):
    class Refusing(io.StringIO):
        refusals = lost

        def write(self, text: str) -> int:
            if self.refusals:
                self.refusals -= 1
                raise OSError("no space")
            return super().write(text)

    terminal = Refusing()
    screen = Screen(terminal)

    for _ in range(lost + 1):
        screen.text("line")

    assert terminal.getvalue() == f"({lost} lines could not be shown)\nline\n"


def test_progress_is_shown_now_and_then_without_a_terminal(terminal: io.StringIO):
    screen = Screen(terminal)

    screen.progress("prepare", "migrating: orders.0001_initial")

    assert terminal.getvalue() == ""


def test_progress_stays_in_one_line_of_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    screen = Screen(terminal)

    screen.progress("prepare", "migrating: orders.0001_initial")
    screen.progress("prepare", "collecting static files")
    screen.text("done")

    assert "\n" not in terminal.getvalue().rpartition("done")[0]
    assert terminal.getvalue().endswith("collecting static files\x1b[K\r\x1b[Kdone\n")


@pytest.fixture
def running(state_dir: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A supervisor of its own process, with a Python child and a server."""
    program = Path(__file__).with_name("venue_of_stand_ins.py")
    environ = os.environ | {"PYTHONPATH": str(paths.project_root())}
    process = subprocess.Popen([sys.executable, str(program), str(state_dir)], env=environ)
    wait_for(lambda: len(read_status(state_dir)) == 2)
    wait_for(lambda: "Ready to accept" in (state_dir / "log" / "valkey.log").read_text())
    yield process
    process.kill()
    process.wait()


def test_sigterm_stops_the_supervisor_and_its_children(
    state_dir: Path, running: "subprocess.Popen[bytes]"
):
    pids = [status.pid or 0 for status in read_status(state_dir).values()]

    running.terminate()

    assert running.wait(10) == 0
    assert [processes.birth_of(pid) for pid in pids] == [None, None]


def test_no_orphan_is_left_when_the_supervisor_is_killed(
    state_dir: Path, running: "subprocess.Popen[bytes]"
):
    pids = [status.pid or 0 for status in read_status(state_dir).values()]
    assert all(processes.birth_of(pid) for pid in pids)

    running.kill()
    running.wait()

    wait_for(lambda: not any(processes.birth_of(pid) for pid in pids))


def test_leftovers_are_ended_by_their_pid_files_and_strangers_are_not(tmp_path: Path):
    leftover = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)
    born = processes.birth_of(leftover.pid)
    assert born is not None
    records = {
        "leftover": PidRecord(leftover.pid, born, signal.SIGTERM),
        "stranger": PidRecord(stranger.pid, "some other time", signal.SIGTERM),
    }
    for name, record in records.items():
        (tmp_path / f"{name}.pid").write_text(json.dumps(asdict(record)))

    assert processes.stop_leftovers(tmp_path) == ["leftover"]

    assert leftover.wait(5) == -signal.SIGTERM
    assert stranger.poll() is None
    assert list(tmp_path.iterdir()) == []
    stranger.kill()
    stranger.wait()


def test_ctrl_c_on_the_terminal_does_not_reach_the_children(supervisor: Supervisor):
    supervisor.add(python("sleeper", SLEEP))

    assert os.getsid(supervisor.pid_of("sleeper")) == supervisor.pid_of("sleeper")
