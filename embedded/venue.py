"""The venue's own processes and set-up steps, as commands for the supervisor."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from embedded import paths
from embedded.processes import ProcessSpec, StopStage


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
    scheduler = "django_celery_beat.schedulers:DatabaseScheduler"
    worker = (*celery, "worker", "-l", "INFO", "--concurrency", "2")
    beat = (*celery, "beat", "-l", "INFO", "--scheduler", scheduler)
    engines = [
        _python(f"engine-{shard}", StopStage.ENGINE, 3, environ, "manage.py", *_engine(shard))
        for shard in range(int(environ.get("ENGINE_SHARDS") or 1))
    ]
    return [
        *engines,
        _python("web", StopStage.WEB, 7, environ, "-m", *_gunicorn(options)),
        _python("worker", StopStage.WORK, 4, environ, "-m", *worker),
        _python("beat", StopStage.WORK, 4, environ, "-m", *beat),
    ]


def manage(name: str, *arguments: str, environ: Mapping[str, str]) -> ProcessSpec:
    """Return a set-up step that runs `manage.py` with the given arguments."""
    return _python(name, StopStage.WEB, 5, environ, "manage.py", *arguments)


def _engine(shard: int) -> tuple[str, ...]:
    return ("run_engine", "--shard", str(shard))


def _gunicorn(options: VenueOptions) -> tuple[str, ...]:
    host = f"[{options.host}]" if ":" in options.host else options.host
    workers = ("--workers", str(options.web_workers)) if options.web_workers else ()
    # Its control socket lies in the home folder, one for all venues there, and is of no use here.
    settings = ("-c", "exchange_project/gunicorn.py", "--no-control-socket")
    bind = ("--bind", f"{host}:{options.port}")
    return ("gunicorn", "exchange_project.wsgi", *settings, *bind, *workers)


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
