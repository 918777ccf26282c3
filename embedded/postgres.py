"""PostgreSQL as a child process: its data folder, settings, readiness and addresses.

Two roles: `postgres`, which only this package uses, and `bourse`, the venue's own. The latter is
no superuser; it owns the venue's database and may make others (tests do).
"""

import base64
import hashlib
import hmac
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from embedded import paths, processes, programs
from embedded.errors import EmbeddedError, ServerFailedError
from embedded.processes import Account, ProcessSpec, StopStage
from embedded.server import Server, give_tree

_SUPERUSER = "postgres"
_ROLE = "bourse"
_DATABASE = "bourse"
# The line of postmaster.pid in which a running server tells its state.
_STATE_LINE = 7
_SCRAM_ROUNDS = 4096

_SETTINGS = """\
# Written at every start; changes belong into postgresql.conf beside this file.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 256MB
random_page_cost = 1.1
jit = off
synchronous_commit = on
fsync = {durable}
full_page_writes = {durable}
wal_level = replica
wal_compression = pglz
max_wal_size = 4GB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
autovacuum_naptime = 15s
autovacuum_vacuum_cost_limit = 2000
tcp_keepalives_idle = 5
tcp_keepalives_interval = 2
tcp_keepalives_count = 3
timezone = 'UTC'
log_timezone = 'UTC'
shared_preload_libraries = '{preload}'
"""


class PostgresServer(Server):
    """One PostgreSQL cluster."""

    name = "postgres"
    variable = "DATABASE_URL"

    def __init__(self, folder: Path, *, account: Account | None, durable: bool = True) -> None:
        super().__init__(folder, account=account, durable=durable)
        self.data = folder / "data"
        self._programs = programs.find_postgres(open_to_all=account is not None)

    def prepare(self) -> None:
        """Make the data folder on first use, choose the port and write the settings."""
        self._make_folder()
        for role in (_SUPERUSER, _ROLE):
            self._make_password(self._password_file(role))
        if not self.data.exists():
            self._initialise_data()
        self._check_version()
        self.choose_port()

    def spec(self) -> ProcessSpec:
        """Return how the server is started; SIGINT ends it without waiting for its clients."""
        return ProcessSpec(
            name=self.name,
            command=(str(self._programs.folder / "postgres"), "-D", str(self.data)),
            cwd=self.data,
            environ=_server_environ(),
            account=self._account,
            stop_signal=signal.SIGINT,
            stop_stage=StopStage.POSTGRES,
        )

    def is_ready(self, pid: int) -> bool:
        """Tell whether the server that runs as `pid` accepts connections, as pg_ctl does."""
        file = self.data / "postmaster.pid"
        if not file.exists():
            return False
        lines = file.read_text().splitlines()
        return len(lines) > _STATE_LINE and lines[0] == str(pid) and "ready" in lines[_STATE_LINE]

    def complete_start(self) -> None:
        """Make the venue's role and database, unless they exist."""
        with self._as_superuser() as connection:
            row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE])
            if row.fetchone():
                return
            role, database = sql.Identifier(_ROLE), sql.Identifier(_DATABASE)
            password = sql.Literal(self._password_file(_ROLE).read_text())
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, password)
            )
            connection.execute(sql.SQL("GRANT pg_monitor, pg_checkpoint TO {}").format(role))
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
        self._add_statistics(_DATABASE)

    def create_database(self, name: str) -> str:
        """Make an empty database of the venue's role, in place of one of that name; its URL."""
        new, role = sql.Identifier(name), sql.Identifier(_ROLE)
        with self._as_superuser() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(new))
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(new, role))
        self._add_statistics(name)
        return self._url(_ROLE, name)

    def replace_database(self, name: str) -> None:
        """Put a database in the place of the venue's own, which is dropped with its connections."""
        new, old, aside = map(sql.Identifier, (name, _DATABASE, f"{_DATABASE}_replaced"))
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(aside)
        ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        with self._as_superuser() as connection:
            connection.execute(drop)
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(old))
            connection.execute(ends, [_DATABASE])
            with connection.transaction():
                connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(old, aside))
                connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(new, old))
            connection.execute(drop)

    def url(self) -> str:
        """Return the DATABASE_URL of the venue's role and database."""
        return self._url(_ROLE, _DATABASE)

    def _as_superuser(self, database: str = "postgres") -> "psycopg.Connection[TupleRow]":
        return psycopg.connect(self._url(_SUPERUSER, database), autocommit=True)

    def _add_statistics(self, database: str) -> None:
        """Let those who tune the venue read where time goes; only a superuser can."""
        with self._as_superuser(database) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    def _url(self, role: str, database: str) -> str:
        """Build a URL by the Unix socket if its path is short enough, else by TCP.

        The socket's folder stands in the query: libpq reads it there, and so does django-environ,
        which would put a host name in lower case.
        """
        password = self._password_file(role).read_text()
        if self._has_socket():
            place = f":{self.port}/{database}?host={quote(str(self.folder), safe='/')}"
        else:
            place = f"127.0.0.1:{self.port}/{database}"
        return f"postgresql://{role}:{password}@{place}"

    def _has_socket(self) -> bool:
        return len(str(self.folder / ".s.PGSQL.65535").encode()) < paths.SOCKET_PATH_MAX

    def _password_file(self, role: str) -> Path:
        return self.folder / f"{role}.password"

    def _write_settings(self) -> None:
        has_library = self._programs.has_library("pg_stat_statements")
        settings = _SETTINGS.format(
            port=self.port,
            sockets=self.folder if self._has_socket() else "",
            durable="on" if self._durable else "off",
            preload="pg_stat_statements" if has_library else "",
        )
        file = self.data / "bourse.conf"
        file.write_text(settings)
        self._hand_over(file, mode=0o600)

    def _initialise_data(self) -> None:
        """Make the cluster beside its final place, so that an interrupted run leaves nothing."""
        partial = self.folder / "data.partial"
        if partial.exists():
            shutil.rmtree(partial)
        if self._account is None:
            self._initdb(partial, self._password_file(_SUPERUSER), None)
        else:
            self._initdb_for_account(partial, self._account)
        with (partial / "postgresql.conf").open("a") as file:
            file.write("\ninclude_if_exists = 'bourse.conf'\n")
        partial.rename(self.data)

    def _initdb_for_account(self, data: Path, account: Account) -> None:
        """Run initdb, which refuses an account without a name, and give the server's what it made.

        So a named one gets to see the superuser's password only in the form that is stored.
        """
        named = processes.named_account()
        password = self._password_file(_SUPERUSER).read_text()
        with tempfile.TemporaryDirectory(prefix="initdb-", dir=self.folder.parent) as made:
            Path(made, "password").write_text(scram_verifier(password))
            give_tree(Path(made), named)
            self._initdb(Path(made, "data"), Path(made, "password"), named)
            give_tree(Path(made), account)
            Path(made, "data").rename(data)

    def _initdb(self, data: Path, password_file: Path, account: Account | None) -> None:
        ran = subprocess.run(
            self._initdb_command(data, password_file),
            cwd="/",
            env=_server_environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        if ran.returncode != 0:
            raise ServerFailedError(f"PostgreSQL's initdb failed:\n{ran.stdout}")

    def _initdb_command(self, data: Path, password_file: Path) -> list[str]:
        command = [str(self._programs.folder / "initdb"), "-D", str(data), "-U", _SUPERUSER]
        command += ["--encoding=UTF8", "--data-checksums"]
        command += ["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]
        command += [f"--pwfile={password_file}"]
        if self._programs.major_version >= 17:
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        else:
            command += ["--locale=C.UTF-8"]
        return command if self._durable else [*command, "--no-sync"]

    def _check_version(self) -> None:
        made_by = int((self.data / "PG_VERSION").read_text())
        if made_by != self._programs.major_version:
            raise EmbeddedError(
                f"The data in {self.data} was made by PostgreSQL {made_by}, but the programs are "
                f"of version {self._programs.major_version}. Use the programs of that version "
                "(BOURSE_PROGRAMS), or start anew with `python -m embedded reset`."
            )


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores of a password, and takes in its place (RFC 5803)."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ROUNDS)
    client_key, server_key = (
        hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key")
    )
    stored_key = hashlib.sha256(client_key).digest()
    salt64, stored64, server64 = (
        base64.b64encode(part).decode() for part in (salt, stored_key, server_key)
    )
    return f"SCRAM-SHA-256${_SCRAM_ROUNDS}:{salt64}${stored64}:{server64}"


def _server_environ() -> dict[str, str]:
    """Return our environment without PostgreSQL's own variables, which would steer the server."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return environ | {"LC_ALL": "C"}
