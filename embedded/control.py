"""Commands around a venue: stop it, look at it, reset it, use its servers from a shell."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time

from embedded import environment, paths, processes, programs, services, state_lock, summary
from embedded.errors import AlreadyRunningError, EmbeddedError
from embedded.supervisor import read_status

_STOP_SECONDS_MAX = 30.0
# What a state folder holds; nothing else is ever deleted, whatever BOURSE_STATE names.
_STATE_PARTS = (
    *("postgres", "valkey", "log", "run", "programs", "static"),
    *("demo_keys.json", "lock"),
)


def stop() -> None:
    """Ask the running venue to stop and wait until it has.

    Raises:
        EmbeddedError: none runs, or it did not end in time.
    """
    state_dir = paths.state_dir()
    pid = state_lock.holder(state_dir)
    if pid is None:
        raise EmbeddedError("The venue is not running.")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS_MAX
    while state_lock.holder(state_dir) is not None:
        if time.monotonic() > deadline:
            raise EmbeddedError(f"The venue (process {pid}) did not end in time.")
        time.sleep(0.1)
    print("The venue has stopped.")


def show_status() -> None:
    """Print the processes of the running venue.

    Raises:
        EmbeddedError: none runs.
    """
    state_dir = paths.state_dir()
    pid = state_lock.holder(state_dir)
    if pid is None:
        raise EmbeddedError("The venue is not running.")
    print(f"{'NAME':<12}{'PROCESS':>10}{'UPTIME':>12}{'RESTARTS':>10}")
    print(f"{'supervisor':<12}{pid:>10}")
    for name, noted in read_status(state_dir).items():
        up = "restarting" if noted.pid is None else _duration(time.time() - noted.started)
        print(f"{name:<12}{noted.pid or '-':>10}{up:>12}{noted.restarts:>10}")


def reset(*, confirmed: bool) -> None:
    """Delete the data, logs and passwords of the embedded servers, after asking; keep `.env`.

    Raises:
        EmbeddedError: the venue runs, or the answer was not yes.
    """
    state_dir = paths.state_dir()
    if state_lock.holder(state_dir) is not None:
        raise AlreadyRunningError("The venue is running. End it first: python -m embedded stop")
    if not confirmed and not is_confirmed(f"Delete all data in {state_dir}? [y/N] "):
        raise EmbeddedError("Nothing was deleted.")
    processes.stop_leftovers(state_dir / "run")
    for part in _STATE_PARTS:
        path = state_dir / part
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    print("All data was deleted. The next start begins anew.")


def is_confirmed(question: str) -> bool:
    """Ask on the terminal; only `y` or `yes` is a yes, and no answer is a no."""
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def addresses() -> dict[str, str]:
    """Return DATABASE_URL and REDIS_URL of the venue that belongs to this state folder.

    Raises:
        EmbeddedError: the embedded servers have never been started.
    """
    state_dir = paths.state_dir()
    environ = environment.complete(os.environ, paths.project_root() / ".env")
    found = {name: environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
    servers = services.make_servers(
        state_dir, postgres=not found["DATABASE_URL"], valkey=not found["REDIS_URL"], durable=True
    )
    for server in servers:
        if not server.is_prepared():
            raise EmbeddedError("The servers have not been started yet: make run")
        server.recall_port()
        found[server.variable] = server.url()
    return found


def _running_addresses() -> dict[str, str]:
    """Return the addresses of servers that can be used now.

    Raises:
        EmbeddedError: the embedded ones do not run.
    """
    environ = environment.complete(os.environ, paths.project_root() / ".env")
    own = environ.get("DATABASE_URL") and environ.get("REDIS_URL")
    if not own and state_lock.holder(paths.state_dir()) is None:
        raise EmbeddedError("The venue is not running. Start it first: make run")
    return addresses()


def show_addresses() -> None:
    """Print the servers' addresses as lines for a shell: `eval "$(python -m embedded env)"`."""
    print(summary.export_lines(addresses()))


def open_database_shell(arguments: list[str]) -> None:
    """Become psql on the venue's database."""
    url = _running_addresses()["DATABASE_URL"]
    psql = programs.find_postgres(open_to_all=False).folder / "psql"
    program = str(psql) if psql.exists() else "psql"
    os.execvp(program, [program, url, *arguments])


def run_command(command: list[str], *, on_running: bool) -> int:
    """Run a command with the servers' addresses in its environment; return its exit code.

    The servers are throw-away ones with an empty database or, with `on_running`, the venue's own.
    """
    if on_running:
        return _run(command, _running_addresses())
    _turn_termination_into_exit()
    with services.temporary_services() as temporary:
        urls = {"DATABASE_URL": temporary.database_url, "REDIS_URL": temporary.redis_url}
        return _run(command, urls)


def _run(command: list[str], urls: dict[str, str]) -> int:
    environ = environment.complete(os.environ, paths.project_root() / ".env") | urls
    # A fresh clone has no .env yet, and checks need no lasting secret.
    environ.setdefault("SECRET_KEY", secrets.token_urlsafe(48))
    return subprocess.run(command, env=environ, check=False).returncode


def _turn_termination_into_exit() -> None:
    """Let SIGTERM end this process by an exception, so that temporary servers are cleared away."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
