"""Backups: the venue's database in one file, and back from it.

All that matters is in PostgreSQL. What Valkey holds (queued commands, snapshots of the books)
belongs to the database that is replaced, so a restore empties it; engines publish their books again
when they start. A backup is restored beside the present database and takes its place only when it
is complete.
"""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import redis
from psycopg.conninfo import conninfo_to_dict

from embedded import control, environment, paths, processes, programs, run, services, state_lock
from embedded.errors import AlreadyRunningError, BackupError, EmbeddedError
from embedded.postgres import PostgresServer
from embedded.screen import Screen

_RESTORING = "bourse_restoring"
_MEGABYTE = 1_000_000
_POLL_SECONDS = 0.1
# Made by the server's superuser together with the database; its owner could not make it.
_NOT_RESTORED = re.compile(r"\bEXTENSION\b.*\bpg_stat_statements\b")
_TABLE_DATA = re.compile(r"^\d+; \d+ \d+ TABLE DATA ", re.MULTILINE)
_TABLE_DONE = re.compile(r"finished item \d+ TABLE DATA|processing data for table")
_CREATED = re.compile(r"^;\s+Archive created at (.+)$", re.MULTILINE)
_JOBS_MAX = 4
_KEYS_AT_ONCE = 1000

_Wait = Callable[[], None]


def back_up(file: Path) -> None:
    """Write the database to a new file, whether the venue runs or not.

    Raises:
        EmbeddedError: there is nothing to back up, the file exists, or pg_dump failed.
    """
    _check_new(file)
    screen = Screen()
    partial = file.with_name(f"{file.name}.partial")
    begun = time.monotonic()
    try:
        with _database(screen) as (url, wait):
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            _dump(url, partial, screen, wait)
        _read_contents(partial)
        _flush(partial)
        partial.rename(file)
    except OSError as error:
        raise BackupError(f"{file} could not be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)
    size = file.stat().st_size / _MEGABYTE
    screen.text(f"Backed up to {file}: {size:.1f} MB in {time.monotonic() - begun:.0f} s.")
    screen.text("Keep SECRET_KEY and the other settings (.env) too, in another place.")


def restore(file: Path, *, confirmed: bool) -> None:
    """Replace the embedded database by what a backup holds, after asking; empty Valkey.

    Raises:
        EmbeddedError: the venue runs, the file is no backup of a venue, the answer was not yes, or
            it could not be restored. The database is then as it was.
    """
    contents = _read_contents(file)
    if " TABLE DATA public django_migrations " not in contents:
        raise BackupError(
            f"{file} is not the backup of a venue: it has no table django_migrations."
        )
    state_dir = paths.state_dir()
    if state_lock.holder(state_dir) is not None:
        raise AlreadyRunningError("The venue is running. Stop it first: make stop")
    env_file = paths.project_root() / ".env"
    if environment.complete(os.environ, env_file).get("DATABASE_URL"):
        raise BackupError("DATABASE_URL names a server of your own: restore there with pg_restore.")
    _confirm(state_dir, file, contents, confirmed=confirmed)
    screen = Screen()
    begun = time.monotonic()
    with run.supervise(screen) as supervisor:
        environ = run.start_servers(supervisor, env_file)
        postgres = _postgres(state_dir)
        url = postgres.create_database(_RESTORING)
        _load(url, file, contents, screen, supervisor.look_after_all)
        _check_known_migrations(url)
        screen.event("bourse", "emptying Valkey")
        _empty_valkey(environ)
        postgres.replace_database(_RESTORING)
    screen.text(f"Restored {file} in {time.monotonic() - begun:.0f} s. Next: make run")


def _check_new(file: Path) -> None:
    if file.exists():
        raise BackupError(f"{file} exists already. Name another file.")
    if not file.parent.is_dir():
        raise BackupError(f"There is no folder {file.parent}.")


def _confirm(state_dir: Path, file: Path, contents: str, *, confirmed: bool) -> None:
    """Ask before anything is lost; a folder without a database has nothing to lose."""
    if confirmed or not (state_dir / "postgres" / "data").exists():
        return
    made = _CREATED.search(contents)
    of_when = f" of {made.group(1)}" if made else ""
    question = f"Replace all data in {state_dir} by the backup {file}{of_when}? [y/N] "
    if not control.is_confirmed(question):
        raise EmbeddedError("Nothing was changed.")


@contextlib.contextmanager
def _database(screen: Screen) -> Iterator[tuple[str, _Wait]]:
    """Yield the database's address, and how to wait; start the embedded server if it is stopped."""
    urls = control.addresses()
    own_server = environment.complete(os.environ, paths.project_root() / ".env").get("DATABASE_URL")
    if own_server or state_lock.holder(paths.state_dir()) is not None:
        yield urls["DATABASE_URL"], lambda: time.sleep(_POLL_SECONDS)
        return
    with run.supervise(screen) as supervisor:
        environ = run.start_servers(supervisor, paths.project_root() / ".env", valkey=False)
        yield environ["DATABASE_URL"], supervisor.look_after_all


def _dump(url: str, partial: Path, screen: Screen, wait: _Wait) -> None:
    def show(_log: str) -> None:
        screen.progress("backup", f"{partial.stat().st_size / _MEGABYTE:.1f} MB written")

    _run(["pg_dump", "--format=custom", f"--file={partial}"], url, show, wait)


def _load(url: str, file: Path, contents: str, screen: Screen, wait: _Wait) -> None:
    """Restore into an empty database; objects belong to its owner, whoever owned them before."""
    tables = len(_TABLE_DATA.findall(contents))
    wanted = [line for line in contents.splitlines() if not _NOT_RESTORED.search(line)]
    chosen = paths.state_dir() / "run" / "restore.list"
    chosen.write_text("\n".join(wanted) + "\n")

    def show(log: str) -> None:
        done = min(tables, len(_TABLE_DONE.findall(log)))
        screen.progress("restore", f"{done} of {tables} tables; indexes follow")

    jobs = min(_JOBS_MAX, os.cpu_count() or 1)
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--verbose", f"--jobs={jobs}"]
    try:
        _run(["pg_restore", *options, f"--use-list={chosen}", str(file)], url, show, wait)
    finally:
        chosen.unlink()


def _read_contents(file: Path) -> str:
    """Return what `pg_restore --list` says of a backup.

    Raises:
        BackupError: it is none, or cannot be read.
    """
    if not file.is_file():
        raise BackupError(f"There is no file {file}.")
    command = [_program("pg_restore"), "--list", str(file)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        raise BackupError(f"{file} cannot be read as a backup:\n{listed.stderr.strip()}")
    return listed.stdout


def _run(command: list[str], url: str, show: Callable[[str], None], wait: _Wait) -> None:
    """Run one of PostgreSQL's programs on a database, showing its progress.

    Raises:
        BackupError: it failed; the message holds the end of its output.
    """
    services.make_state_folders(paths.state_dir())
    log = paths.state_dir() / "log" / f"{command[0]}.log"
    database = str(conninfo_to_dict(url)["dbname"])
    with log.open("wb") as output:
        process = subprocess.Popen(
            [_program(command[0]), *command[1:], "--dbname", database],
            env=os.environ | _connection(url),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        while process.poll() is None:
            wait()
            show(log.read_text(errors="replace"))
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0:
        raise BackupError(f"{command[0]} failed:\n{processes.tail(log)}")


def _connection(url: str) -> dict[str, str]:
    """The connection as variables of libpq: other users can read a command line."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    given = conninfo_to_dict(url)
    return {variable: str(given[name]) for name, variable in names.items() if given.get(name)}


def _program(name: str) -> str:
    """One of PostgreSQL's client programs: beside the server's, else from the system."""
    found = programs.find_postgres(open_to_all=False).folder / name
    return str(found) if found.exists() else name


def _postgres(state_dir: Path) -> PostgresServer:
    server = PostgresServer(state_dir / "postgres", account=processes.server_account(state_dir))
    server.recall_port()
    return server


def _check_known_migrations(url: str) -> None:
    """See that this code is as new as the backup: it could not migrate it back.

    Raises:
        BackupError: the backup has migrations of ours that are not here.
    """
    root = paths.project_root()
    with psycopg.connect(url) as connection:
        applied = connection.execute("SELECT app, name FROM django_migrations").fetchall()
    unknown = [
        f"{app}.{name}"
        for app, name in applied
        if (root / app).is_dir() and not (root / app / "migrations" / f"{name}.py").exists()
    ]
    if unknown:
        raise BackupError(
            f"The backup was made by a newer version, with migrations that are not here: "
            f"{', '.join(sorted(unknown))}."
        )


def _empty_valkey(environ: Mapping[str, str]) -> None:
    """Delete the venue's keys, and no others: the server may be shared."""
    prefix = environ.get("REDIS_PREFIX") or "bourse:"
    client = redis.Redis.from_url(environ["REDIS_URL"])
    pattern = re.sub(r"([\[\]*?\\])", r"\\\1", prefix) + "*"
    with contextlib.closing(client):
        for name in client.scan_iter(match=pattern, count=_KEYS_AT_ONCE):
            client.delete(name)


def _flush(file: Path) -> None:
    """Wait until a file is on the disk."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
