"""The venue's own processes and set-up steps, as commands for the supervisor."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded import paths
from embedded.processes import ProcessSpec, StopStage

# The queues of background work; `exchange_project.settings.schedule` says what runs in which.
QUEUES = ("risk", "money", "webhooks", "slow")


@dataclass(frozen=True)
class VenueOptions:
    """What the command line of `run` says; None leaves the choice to the settings."""

    host: str = "127.0.0.1"
    port: int = 8000
    shards: int | None = None
    web_workers: int | None = None
    verbose: bool = False

    @property
    def url(self) -> str:
        """The address of the venue for a browser on this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{host}:{self.port}"


def long_running(options: VenueOptions, environ: Mapping[str, str]) -> list[ProcessSpec]:
    """Return the processes that have to run, in the order of their start."""
    celery = ("celery", "-A", "exchange_project")
    beat = (*celery, "beat", "-l", "INFO")
    behind_front = {**environ, "BEHIND_FRONT": "true"}
    workers = [
        _python(f"worker-{queue}", StopStage.WORK, 4, environ, "-m", *celery, *_worker(queue))
        for queue in QUEUES
    ]
    engines = [
        _python(f"engine-{shard}", StopStage.ENGINE, 3, environ, "manage.py", *_engine(shard))
        for shard in range(int(environ.get("ENGINE_SHARDS") or 1))
    ]
    return [
        *engines,
        _python("django", StopStage.WEB, 7, behind_front, "-m", *_django(environ)),
        _python("web", StopStage.WEB, 7, environ, "-m", *_front(options)),
        *workers,
        _python("beat", StopStage.WORK, 4, environ, "-m", *beat),
    ]


def django_url(state_dir: Path) -> str:
    """Where the Django processes of a venue listen: a socket in its state folder."""
    return f"unix://{state_dir / 'run' / 'django.sock'}"


def manage(name: str, *arguments: str, environ: Mapping[str, str]) -> ProcessSpec:
    """Return a set-up step that runs `manage.py` with the given arguments."""
    return _python(name, StopStage.WEB, 5, environ, "manage.py", *arguments)


def _worker(queue: str) -> tuple[str, ...]:
    """A worker of one queue; two processes, so that a long run holds up no other task."""
    name = f"{queue}@%h"
    # Workers have nothing to say to each other; their gossip fails where Valkey dies.
    quiet = ("--without-gossip", "--without-mingle")
    options = ("--concurrency", "2", "--queues", queue, "--hostname", name)
    return ("worker", "-l", "INFO", *quiet, *options)


def _engine(shard: int) -> tuple[str, ...]:
    return ("run_engine", "--shard", str(shard))


def _front(options: VenueOptions) -> tuple[str, ...]:
    host = f"[{options.host}]" if ":" in options.host else options.host
    workers = ("--workers", str(options.web_workers)) if options.web_workers else ()
    bind = ("--bind", f"{host}:{options.port}")
    return _gunicorn("exchange_project.asgi", "exchange_project/front/gunicorn.py", *bind, *workers)


def _django(environ: Mapping[str, str]) -> tuple[str, ...]:
    bind = environ["DJANGO_URL"].removeprefix("http://").replace("unix://", "unix:")
    return _gunicorn("exchange_project.wsgi", "exchange_project/gunicorn.py", "--bind", bind)


def _gunicorn(application: str, settings: str, *options: str) -> tuple[str, ...]:
    # Its control socket lies in the home folder, one for all venues there, and is of no use here.
    return ("gunicorn", application, "-c", settings, "--no-control-socket", *options)


def _python(
    name: str, stage: StopStage, grace: float, environ: Mapping[str, str], *arguments: str
) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        command=(sys.executable, *arguments),
        cwd=paths.project_root(),
        environ=environ,
        stop_grace_seconds=grace,
        stop_stage=stage,
    )
