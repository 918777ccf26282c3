"""PostgreSQL and Valkey for tests, benchmarks and developers: started, killed, restarted, stopped.

with temporary_services() as services:
    connect(services.database_url)
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from embedded import paths, processes
from embedded.errors import EmbeddedError, ServerFailedError
from embedded.postgres import PostgresServer
from embedded.server import Server
from embedded.valkey import ValkeyServer

# After a kill -9 the next PostgreSQL has to wait until the old one's backends let go of its memory:
# it ends early and is tried again. A server that runs may take longer, while it replays its log.
_RETRIED_SECONDS_MAX = 20.0
_START_SECONDS_MAX = 300.0
_RETRY_SECONDS = 0.1
_POLL_SECONDS = 0.02


class Services:
    """Servers that run as children of this process; made by `start_services`."""

    def __init__(self, state_dir: Path, servers: list[Server]) -> None:
        self.state_dir = state_dir
        self._servers = {server.name: server for server in servers}
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def database_url(self) -> str:
        """The URL of the venue's database, for DATABASE_URL."""
        return self._server("postgres").url()

    @property
    def redis_url(self) -> str:
        """The URL of Valkey, for REDIS_URL."""
        return self._server("valkey").url()

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the servers that run, by name."""
        return {name: child.pid for name, child in self._children.items() if child.poll() is None}

    def start(self) -> None:
        """Start the servers that do not run and wait until all accept connections."""
        for server in self._servers.values():
            server.prepare()
        for name in self._servers:
            self._spawn(name)
        for name in self._servers:
            self._wait_until_ready(name, may_change_port=True)

    def stop(self) -> None:
        """Stop the servers: Valkey first, then PostgreSQL."""
        for name in ("valkey", "postgres"):
            self._stop(name)

    def kill_postgres(self) -> None:
        """Kill PostgreSQL with -9, as a power cut would end it; returns when it is dead."""
        self._kill("postgres")

    def kill_valkey(self) -> None:
        """Kill Valkey with -9; returns when it is dead."""
        self._kill("valkey")

    def restart_postgres(self) -> None:
        """Start PostgreSQL again, stopping it first if it runs; same address, same data."""
        self._restart("postgres")

    def restart_valkey(self) -> None:
        """Start Valkey again, stopping it first if it runs; same address, same data."""
        self._restart("valkey")

    def _server(self, name: str) -> Server:
        if name not in self._servers:
            raise EmbeddedError(f"These services were started without {name}.")
        return self._servers[name]

    def _spawn(self, name: str) -> None:
        self._children[name] = processes.spawn(
            self._server(name).spec(), log=self._log(name), pid_file=self._pid_file(name)
        )

    def _log(self, name: str) -> Path:
        return self.state_dir / "log" / f"{name}.log"

    def _pid_file(self, name: str) -> Path:
        return self.state_dir / "run" / f"{name}.pid"

    def _wait_until_ready(self, name: str, *, may_change_port: bool) -> None:
        """Wait for a server, starting it again if it ends early.

        Until its address was told to anybody, a server whose port was snatched away gets another.
        """
        server = self._server(name)
        begun = time.monotonic()
        while not server.is_ready(self._children[name].pid):
            ended = self._children[name].poll() is not None
            patience = _RETRIED_SECONDS_MAX if ended else _START_SECONDS_MAX
            if time.monotonic() - begun > patience:
                raise ServerFailedError(
                    f"{name} did not become ready. Its log ends:\n{processes.tail(self._log(name))}"
                )
            if ended:
                time.sleep(_RETRY_SECONDS)
                if may_change_port:
                    server.choose_port()
                self._spawn(name)
            time.sleep(_POLL_SECONDS)
        server.complete_start()

    def _kill(self, name: str) -> None:
        child = self._children[name]
        processes.signal_group(child.pid, signal.SIGKILL)
        child.wait()

    def _stop(self, name: str) -> None:
        child = self._children.pop(name, None)
        if child is not None:
            spec = self._server(name).spec()
            processes.stop(child, spec, grace_seconds=spec.stop_grace_seconds)
            self._pid_file(name).unlink(missing_ok=True)

    def _restart(self, name: str) -> None:
        self._stop(name)
        self._spawn(name)
        self._wait_until_ready(name, may_change_port=False)


def start_services(
    state_dir: Path,
    *,
    postgres: bool = True,
    valkey: bool = True,
    fsync: bool = True,
) -> Services:
    """Start servers with their data below `state_dir` and return when they accept connections.

    Call it from the main thread: Linux ends the servers together with the thread that started
    them, so that none is left over when this process is killed. With `fsync=False` a power cut
    may destroy the data; a killed server still keeps all that was committed.

    Raises:
        ProgramsNotFoundError: no server programs on this machine.
        ServerFailedError: a server did not become ready; the message holds the end of its log.
    """
    make_state_folders(state_dir)
    processes.stop_leftovers(state_dir / "run")
    services = Services(
        state_dir, make_servers(state_dir, postgres=postgres, valkey=valkey, durable=fsync)
    )
    try:
        services.start()
    except BaseException:
        services.stop()
        raise
    return services


@contextlib.contextmanager
def temporary_services(
    *, postgres: bool = True, valkey: bool = True, fsync: bool = False
) -> Iterator[Services]:
    """Yield servers on free ports with an empty database; all is removed at the end."""
    folder = make_temporary_folder()
    try:
        services = start_services(folder, postgres=postgres, valkey=valkey, fsync=fsync)
        try:
            yield services
        finally:
            services.stop()
    finally:
        shutil.rmtree(folder)


def make_state_folders(state_dir: Path) -> None:
    """Make the state folder with its `log` and `run` folders.

    Raises:
        EmbeddedError: we are root, and the servers' account cannot enter that folder.
    """
    if not state_dir.exists():
        state_dir.mkdir(parents=True)
        _let_servers_enter(state_dir)
    for folder in (state_dir / "log", state_dir / "run"):
        folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0 and not paths.is_open_to_all(state_dir):
        raise EmbeddedError(
            f"The servers do not run as root, and other accounts cannot enter {state_dir}. "
            "Name another folder in BOURSE_STATE."
        )


def make_servers(state_dir: Path, *, postgres: bool, valkey: bool, durable: bool) -> list[Server]:
    """Return the wanted servers of a state folder, not yet prepared."""
    account = processes.server_account(state_dir)
    servers: list[Server] = []
    if postgres:
        servers.append(PostgresServer(state_dir / "postgres", account=account, durable=durable))
    if valkey:
        servers.append(ValkeyServer(state_dir / "valkey", account=account, durable=durable))
    return servers


def make_temporary_folder() -> Path:
    """Make a folder for temporary servers, one that their account can enter if we are root.

    The caller removes it.
    """
    parent = Path(tempfile.gettempdir())
    if os.geteuid() == 0 and not paths.is_open_to_all(parent):
        parent = Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix="bourse-", dir=parent))
    _let_servers_enter(folder)
    return folder


def _let_servers_enter(folder: Path) -> None:
    """Open a new folder to other accounts only if the servers run as one of them."""
    folder.chmod(0o755 if os.geteuid() == 0 else 0o700)
