"""The command line, as a person uses it: clear words and exit codes."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import paths, ports, services, state_lock


@pytest.fixture
def state_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bourse-test-"))
    folder.chmod(0o755)
    services.make_state_folders(folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def embedded(state_dir: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "embedded", *arguments],
        cwd=paths.project_root(),
        env={n: v for n, v in os.environ.items() if n not in ("DATABASE_URL", "REDIS_URL")}
        | {"BOURSE_STATE": str(state_dir)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_taken_web_port_is_told_with_the_option_that_helps(state_dir: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = embedded(state_dir, "run", "--port", str(port))

    assert ran.returncode == 1
    assert f"Port {port} is in use" in ran.stderr
    assert f"make run PORT={port + 1}" in ran.stderr
    assert not (state_dir / "postgres").exists()


def test_second_start_from_the_same_folder_is_refused(state_dir: Path):
    with state_lock.hold(state_dir):
        ran = embedded(state_dir, "run")

    assert ran.returncode == 1
    assert f"already running from this folder (process {os.getpid()})" in ran.stderr


def test_lock_is_free_again_after_its_holder(state_dir: Path):
    with state_lock.hold(state_dir):
        assert state_lock.holder(state_dir) == os.getpid()
    assert state_lock.holder(state_dir) is None


@pytest.mark.parametrize("command", ["stop", "status"])
def test_nothing_to_stop_or_show_is_said(state_dir: Path, command: str):
    ran = embedded(state_dir, command)

    assert ran.returncode == 1
    assert ran.stderr == "The venue is not running.\n"


@pytest.mark.parametrize(
    "command", [("exec", "--running", "--", "true"), ("shell-db",)], ids=lambda one: one[0]
)
def test_commands_on_a_venue_that_does_not_run_say_so_in_a_line(
    state_dir: Path, command: tuple[str, ...]
):
    ran = embedded(state_dir, *command)

    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr == "The venue is not running. Start it first: make run\n"


def test_reset_deletes_the_state_and_nothing_else(state_dir: Path):
    (state_dir / "postgres").mkdir()
    (state_dir / "postgres" / "port").write_text("1")
    (state_dir / "mine.txt").write_text("kept")

    ran = embedded(state_dir, "reset", "--yes")

    assert ran.returncode == 0
    assert [path.name for path in state_dir.iterdir()] == ["mine.txt"]


def test_reset_of_a_running_venue_is_refused(state_dir: Path):
    (state_dir / "postgres").mkdir()
    with state_lock.hold(state_dir):
        ran = embedded(state_dir, "reset", "--yes")

    assert ran.returncode == 1
    assert (state_dir / "postgres").exists()


def test_exec_gives_a_command_servers_of_its_own_and_passes_its_exit_code(state_dir: Path):
    program = (
        "import os, psycopg, redis, sys;"
        "psycopg.connect(os.environ['DATABASE_URL']).execute('SELECT 1');"
        "redis.Redis.from_url(os.environ['REDIS_URL']).ping();"
        "sys.exit(7 if os.environ['SECRET_KEY'] else 1)"
    )

    ran = embedded(state_dir, "exec", "--", sys.executable, "-c", program)

    assert (ran.returncode, ran.stderr) == (7, "")


def test_kept_port_is_kept_until_it_is_taken(tmp_path: Path):
    file = tmp_path / "port"
    first = ports.keep_port(file)
    assert ports.keep_port(file) == first

    with socket.create_server(("127.0.0.1", first)):
        other = ports.keep_port(file)

    assert other != first
    assert ports.keep_port(file) == other
