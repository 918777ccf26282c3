"""Valkey as a child process: its folder, settings, readiness and address."""

import os
import secrets
import signal
from pathlib import Path

import redis

from embedded import ports, programs
from embedded.processes import Account, ProcessSpec

_SETTINGS = """\
# Written at every start.
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
tcp-keepalive 10
daemonize no
"""


class ValkeyServer:
    """One Valkey server with its data in `folder`, not yet running.

    Call `prepare()`, start `spec()`, wait until `is_ready()`. With `durable=False` nothing is
    forced to the disk, only handed to the system, which a killed server does not take along.
    """

    name = "valkey"

    def __init__(self, folder: Path, *, account: Account | None, durable: bool = True) -> None:
        self.folder = folder
        self.port = 0
        self._account = account
        self._durable = durable
        self._program = programs.find_valkey(open_to_all=account is not None)

    def prepare(self) -> None:
        """Make the folder and the password on first use, choose the port, write the settings."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._hand_over(self.folder, mode=0o700)
        if not self._password_file.exists():
            self._password_file.touch(mode=0o600)
            self._password_file.write_text(secrets.token_urlsafe(24))
        self.choose_port()

    def choose_port(self) -> None:
        """Take the kept port, or another one if it is taken, and write the settings."""
        self.port = ports.keep_port(self.folder / "port")
        settings = _SETTINGS.format(
            port=self.port,
            password=self._password_file.read_text(),
            folder=_quoted(self.folder),
        )
        if not self._durable:
            settings += "appendfsync no\n"
        self._settings_file.touch(mode=0o600)
        self._settings_file.write_text(settings)
        self._hand_over(self._settings_file, mode=0o600)

    def spec(self) -> ProcessSpec:
        """Return how the server is started; SIGTERM ends it after writing its log."""
        return ProcessSpec(
            name=self.name,
            command=(str(self._program), str(self._settings_file)),
            cwd=self.folder,
            account=self._account,
            stop_signal=signal.SIGTERM,
        )

    def is_ready(self, pid: int) -> bool:
        """Tell whether the server, running as `pid`, answers and has loaded its data."""
        client = redis.Redis.from_url(self.url(), socket_timeout=1, socket_connect_timeout=1)
        try:
            return int(client.info("server")["process_id"]) == pid
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        finally:
            client.close()

    def url(self) -> str:
        """Return the REDIS_URL. By TCP: redis-py, Celery and Django's cache all understand it."""
        return f"redis://:{self._password_file.read_text()}@127.0.0.1:{self.port}/0"

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    @property
    def _settings_file(self) -> Path:
        return self.folder / "valkey.conf"

    def _hand_over(self, path: Path, *, mode: int) -> None:
        path.chmod(mode)
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
