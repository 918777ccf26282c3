"""A whole venue for a while: servers and processes of its own, all removed at the end.

What `make run` starts, on free ports, with an empty database and without the demo: for tests that
kill processes and benchmarks that measure what users get.

with trial_venue(processes=("engine-0", "django", "web")) as venue:
    requests go to venue.port; venue.supervisor restarts what ends while one waits by it
"""

import contextlib
import io
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from embedded import environment, paths, ports, processes, services, venue
from embedded.errors import ServerFailedError
from embedded.processes import ProcessSpec
from embedded.run import is_healthy, wait_for_server
from embedded.screen import Screen
from embedded.supervisor import Supervisor
from embedded.venue import VenueOptions

_WORKERS = tuple(f"worker-{queue}" for queue in venue.QUEUES)
ALL_PROCESSES = ("engine-0", "django", "web", *_WORKERS, "beat")
_STANDBY = "-standby"
_HEALTH_SECONDS = 60.0


@dataclass(frozen=True)
class TrialVenue:
    """A running venue. Wait with its supervisor, from the main thread: that restarts what ended."""

    supervisor: Supervisor
    options: VenueOptions
    environ: Mapping[str, str]
    _screen: io.StringIO

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 on which web listens."""
        return self.options.port

    @property
    def admin_key(self) -> str:
        """The venue's own API key."""
        return self.environ["ADMIN_API_KEY"]

    @property
    def database_url(self) -> str:
        """Where its database is."""
        return self.environ["DATABASE_URL"]

    def events(self) -> list[str]:
        """What the supervisor has told so far: starts, ends, exit codes."""
        return self._screen.getvalue().splitlines()

    def manage(self, *arguments: str, name: str = "manage") -> str:
        """Run `manage.py` with these arguments and return its output.

        Raises:
            CommandFailedError: it ended with an error; the message holds its output.
        """
        return self.run(venue.manage(name, *arguments, environ=self.environ))

    def run_module(self, module: str, *arguments: str) -> str:
        """Run a module of the project in the venue's environment and return its output.

        Raises:
            CommandFailedError: it ended with an error; the message holds its output.
        """
        command = (sys.executable, "-m", module, *arguments)
        return self.run(
            ProcessSpec(module, command, cwd=paths.project_root(), environ=self.environ)
        )

    def run(self, spec: ProcessSpec) -> str:
        """Run a command to its end and return its output."""
        self.supervisor.run_commands(spec)
        return self.supervisor.log_of(spec.name).read_text()

    def is_healthy(self) -> bool:
        """Tell whether /health answers 200 now."""
        return is_healthy(self.options)

    def wait_until_healthy(self, seconds: float = _HEALTH_SECONDS) -> None:
        """Wait until /health answers 200.

        Raises:
            ServerFailedError: it does not; the message holds the ends of the logs.
        """
        if not self.supervisor.wait_until(self.is_healthy, seconds=seconds):
            raise ServerFailedError(f"The venue is not healthy.\n{self.tell()}")

    def tell(self) -> str:
        """The supervisor's events and the ends of all logs, for a message about a failure."""
        told = ["\n".join(self.events()[-30:])]
        for log in sorted(self.supervisor.log_of("web").parent.glob("*.log")):
            told.append(f"--- {log.name}\n{processes.tail(log, lines=12)}")
        return "\n".join(told)


@contextlib.contextmanager
def trial_venue(
    *,
    processes: Sequence[str] = ALL_PROCESSES,
    standby: bool = False,
    environ: Mapping[str, str] | None = None,
    prepare: Sequence[Sequence[str]] = (),
    state_dir: Path | None = None,
) -> Iterator[TrialVenue]:
    """Yield a healthy venue with the named processes, and a second engine where asked for.

    `environ` is added to the venue's environment. `prepare` are arguments of `manage.py`, run after
    the migrations and before the processes start. With `state_dir`, servers and logs are there and
    stay. Call it from the main thread.

    Raises:
        EmbeddedError: it could not be started.
    """
    folder = state_dir or services.make_temporary_folder()
    screen = io.StringIO()
    supervisor = Supervisor(folder, screen=Screen(screen))
    try:
        services.make_state_folders(folder)
        (folder / "static").mkdir(exist_ok=True)
        options = VenueOptions(port=ports.choose_free_port())
        complete = _environ(folder) | _start_servers(supervisor, folder) | dict(environ or {})
        trial = TrialVenue(supervisor, options, complete, screen)
        for arguments in (("migrate", "--noinput"), *prepare):
            trial.manage(*arguments)
        for spec in _specs(trial, processes, standby):
            supervisor.add(spec)
        trial.wait_until_healthy()
        yield trial
    finally:
        supervisor.stop()
        if state_dir is None:
            shutil.rmtree(folder)


def _environ(folder: Path) -> dict[str, str]:
    """The settings of the embedded default, with secrets of its own and without the demo."""
    example = environment.read(paths.project_root() / ".env.example")
    return {
        **os.environ,
        **example,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ADMIN_API_KEY": secrets.token_urlsafe(32),
        "DEMO": "false",
        "DJANGO_SETTINGS_MODULE": "exchange_project.settings.base",
        "REDIS_PREFIX": f"bourse-trial-{os.getpid()}:",
        "STATIC_ROOT": str(folder / "static"),
        "DJANGO_URL": venue.django_url(folder),
        "PYTHONUNBUFFERED": "1",
    }


def _start_servers(supervisor: Supervisor, folder: Path) -> dict[str, str]:
    """Start PostgreSQL and Valkey, both durable; their addresses by variable."""
    servers = services.make_servers(folder, postgres=True, valkey=True, durable=True)
    for server in servers:
        server.prepare()
        supervisor.add(server.spec())
    for server in servers:
        wait_for_server(supervisor, server)
    return {server.variable: server.url() for server in servers}


def _specs(trial: TrialVenue, wanted: Sequence[str], standby: bool) -> Iterator[ProcessSpec]:
    for spec in venue.long_running(trial.options, trial.environ):
        if spec.name in wanted:
            yield spec
        if standby and spec.name.startswith("engine-"):
            yield replace(spec, name=spec.name + _STANDBY)
