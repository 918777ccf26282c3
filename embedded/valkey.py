"""Valkey as a child process: its folder, settings, readiness and address."""

import signal
import socket
from pathlib import Path

from embedded import programs
from embedded.processes import Account, ProcessSpec, StopStage
from embedded.server import Server

_SETTINGS = """\
# Written at every start.
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
appendonly yes
appendfsync {appendfsync}
save ""
maxmemory-policy noeviction
tcp-keepalive 10
daemonize no
"""


class ValkeyServer(Server):
    """One Valkey server."""

    name = "valkey"
    variable = "REDIS_URL"

    def __init__(self, folder: Path, *, account: Account | None, durable: bool = True) -> None:
        super().__init__(folder, account=account, durable=durable)
        self._program = programs.find_valkey(open_to_all=account is not None)

    def prepare(self) -> None:
        """Make the folder and the password on first use, choose the port, write the settings."""
        self._make_folder()
        self._make_password(self._password_file)
        self.choose_port()

    def spec(self) -> ProcessSpec:
        """Return how the server is started; SIGTERM ends it after writing its log."""
        return ProcessSpec(
            name=self.name,
            command=(str(self._program), str(self._settings_file)),
            cwd=self.folder,
            account=self._account,
            stop_signal=signal.SIGTERM,
            stop_stage=StopStage.VALKEY,
        )

    def is_ready(self, pid: int) -> bool:
        """Tell whether the server, running as `pid`, answers and has loaded its data."""
        try:
            facts = self._ask(f"AUTH {self._password_file.read_text()}\r\nINFO\r\nQUIT\r\n")
        except OSError:
            return False
        return {f"process_id:{pid}", "loading:0"} <= facts

    def _ask(self, commands: str) -> set[str]:
        """Send plain-text commands, the last a QUIT, and return the lines of all answers.

        Three lines of protocol; the client library would take a second to import.
        """
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(commands.encode())
            with connection.makefile("r", encoding="utf-8", newline="\r\n") as answers:
                return {line.strip() for line in answers}

    def url(self) -> str:
        """Return the REDIS_URL. By TCP: redis-py, Celery and Django's cache all understand it."""
        return f"redis://:{self._password_file.read_text()}@127.0.0.1:{self.port}/0"

    def complete_start(self) -> None:
        """Do nothing: a Valkey that answers is complete."""

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    @property
    def _settings_file(self) -> Path:
        return self.folder / "valkey.conf"

    def _write_settings(self) -> None:
        settings = _SETTINGS.format(
            port=self.port,
            password=self._password_file.read_text(),
            folder=_quoted(self.folder),
            appendfsync="everysec" if self._durable else "no",
        )
        self._settings_file.touch(mode=0o600)
        self._settings_file.write_text(settings)
        self._hand_over(self._settings_file, mode=0o600)


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
