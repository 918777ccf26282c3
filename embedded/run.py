"""The one command: servers, set-up, the venue's processes, and where to look."""

import contextlib
import http.client
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from embedded import environment, paths, ports, processes, services, state_lock, summary, venue
from embedded.errors import PortTakenError, ServerFailedError
from embedded.processes import StopStage
from embedded.screen import Screen
from embedded.server import Server
from embedded.supervisor import StopRequestedError, Supervisor
from embedded.venue import VenueOptions

# A server may replay a long log after a crash; one that keeps ending early has another trouble.
_SERVER_SECONDS_MAX = 300.0
_SERVER_RESTARTS_MAX = 12
_HEALTH_SECONDS = 60.0
# What `prepare_venue --show-progress` prints between its own output.
_PROGRESS = re.compile(r"^progress: (.*)\n", re.MULTILINE)


def run_venue(options: VenueOptions) -> None:
    """Run the whole venue until Ctrl-C or SIGTERM.

    Raises:
        EmbeddedError: it could not be started; the message says why and what to do.
    """
    screen = Screen()
    with supervise(screen, verbose=options.verbose) as supervisor:
        _check_web_port(options)
        environ = start_servers(supervisor, ensure_env_file(screen))
        if options.shards is not None:
            environ["ENGINE_SHARDS"] = str(options.shards)
        demo = _prepare(supervisor, environ, screen)
        _open(supervisor, options, environ, screen)
        screen.text(summary.where_to_look(options, environ, demo, screen))
        supervisor.run_forever()


def run_services() -> None:
    """Run PostgreSQL and Valkey alone until Ctrl-C or SIGTERM, for work on the code."""
    screen = Screen()
    with supervise(screen) as supervisor:
        environ = start_servers(supervisor, ensure_env_file(screen))
        screen.text(summary.export_lines(environ))
        supervisor.run_forever()


@contextlib.contextmanager
def supervise(screen: Screen, *, verbose: bool = False) -> Iterator[Supervisor]:
    """Hold the state folder and yield its supervisor, which stops all at the end in any case."""
    state_dir = paths.state_dir()
    services.make_state_folders(state_dir)
    with state_lock.hold(state_dir):
        for name in processes.stop_leftovers(state_dir / "run"):
            screen.event(name, "was left from an earlier run; ended", "yellow")
        supervisor = Supervisor(state_dir, screen=screen, verbose=verbose)
        supervisor.listen_to_signals()
        try:
            yield supervisor
        except StopRequestedError:
            return  # asked to stop: that is how a run ends
        finally:
            supervisor.stop()


def _check_web_port(options: VenueOptions) -> None:
    if not ports.is_free(options.port, options.host):
        raise PortTakenError(
            f"Port {options.port} is in use by another program. "
            f"Choose another one: make run PORT={options.port + 1}"
        )


def ensure_env_file(screen: Screen) -> Path:
    """Write `.env` on the first start, add what it lacks later; return its path."""
    env_file = paths.project_root() / ".env"
    existed = env_file.exists()
    added = environment.ensure(env_file, example=env_file.with_name(".env.example"))
    if not existed:
        screen.event("bourse", "wrote .env with fresh secrets")
    elif added:
        screen.event("bourse", f"added to .env: {', '.join(added)}")
    return env_file


def start_servers(supervisor: Supervisor, env_file: Path, *, valkey: bool = True) -> dict[str, str]:
    """Start the servers that the environment does not name; return the venue's environment.

    Without `valkey` PostgreSQL alone is started.
    """
    environ = environment.complete(os.environ, env_file) | {"PYTHONUNBUFFERED": "1"}
    environ["DJANGO_URL"] = environ.get("DJANGO_URL") or venue.django_url(paths.state_dir())
    servers = services.make_servers(
        paths.state_dir(),
        postgres=not environ.get("DATABASE_URL"),
        valkey=valkey and not environ.get("REDIS_URL"),
        durable=True,
    )
    for server in servers:
        server.prepare()
        supervisor.add(server.spec())
    for server in servers:
        wait_for_server(supervisor, server)
        environ[server.variable] = server.url()
    return environ


def wait_for_server(supervisor: Supervisor, server: Server) -> None:
    """Wait until a server that the supervisor runs is complete.

    Raises:
        ServerFailedError: it did not become ready; the message holds the end of its log.
    """

    def is_settled() -> bool:
        gave_up = supervisor.restarts_of(server.name) > _SERVER_RESTARTS_MAX
        return gave_up or server.is_ready(supervisor.pid_of(server.name))

    supervisor.wait_until(is_settled, seconds=_SERVER_SECONDS_MAX)
    if not server.is_ready(supervisor.pid_of(server.name)):
        log = supervisor.log_of(server.name)
        raise ServerFailedError(
            f"{server.name} did not become ready. Its log, {log}, ends:\n{processes.tail(log)}"
        )
    server.complete_start()


def _prepare(supervisor: Supervisor, environ: Mapping[str, str], screen: Screen) -> str:
    """Bring database, static files and demo up to date; return the text about the demo."""
    screen.event("bourse", "preparing the database and the pages")
    step = venue.manage("prepare", "prepare_venue", "--show-progress", environ=environ)
    log = supervisor.log_of(step.name)

    def show() -> None:
        if steps := _PROGRESS.findall(log.read_text(errors="replace")):
            screen.progress("prepare", steps[-1])

    supervisor.run_commands(step, meanwhile=show)
    return _PROGRESS.sub("", log.read_text()).strip()


def _open(
    supervisor: Supervisor, options: VenueOptions, environ: Mapping[str, str], screen: Screen
) -> None:
    """Start the venue's processes and wait until /health answers 200, telling if it does not.

    Those that serve no requests start after those that do, so that the venue opens sooner.
    """

    def is_open() -> bool:
        return is_healthy(options)

    specs = venue.long_running(options, environ)
    for spec in specs:
        if spec.stop_stage != StopStage.WORK:
            supervisor.add(spec)
    supervisor.wait_until(is_open, seconds=_HEALTH_SECONDS / 2)
    for spec in specs:
        if spec.stop_stage == StopStage.WORK:
            supervisor.add(spec)
    while not supervisor.wait_until(is_open, seconds=_HEALTH_SECONDS):
        log = processes.tail(supervisor.log_of("web"), lines=5)
        screen.event("bourse", f"not healthy yet; web's log ends:\n{log}", "yellow")


def is_healthy(options: VenueOptions) -> bool:
    """Tell whether the venue's /health answers 200 now, and the pages are there too."""
    host = options.url.removeprefix("http://").rpartition(":")[0]
    connection = http.client.HTTPConnection(host, options.port, timeout=2)
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        document = json.loads(response.read())
        return response.status == 200 and document["django"]["status"] == "ok"
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()
