"""What the two database servers have in common."""

import os
import secrets
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from embedded import ports
from embedded.processes import Account, ProcessSpec


class Server(ABC):
    """A server with all its files below `folder`, not yet running.

    Call `prepare()`, start `spec()`, wait until `is_ready()`, then `complete_start()`. With
    `durable=False` a power cut may destroy the data, a killed server still loses nothing; that is
    for tests, which it makes faster.
    """

    name: ClassVar[str]
    # The environment variable in which the venue expects the address.
    variable: ClassVar[str]

    def __init__(self, folder: Path, *, account: Account | None, durable: bool = True) -> None:
        self.folder = folder
        self.port = 0
        self._account = account
        self._durable = durable

    @abstractmethod
    def prepare(self) -> None:
        """Make folder and passwords on first use, choose the port, write the settings."""

    @abstractmethod
    def spec(self) -> ProcessSpec:
        """Return how the server is started and stopped."""

    @abstractmethod
    def is_ready(self, pid: int) -> bool:
        """Tell whether the server, running as `pid`, serves clients."""

    @abstractmethod
    def url(self) -> str:
        """Return the address with the password, as clients take it."""

    @abstractmethod
    def complete_start(self) -> None:
        """Do what a server that is ready still needs before the venue can use it."""

    @abstractmethod
    def _write_settings(self) -> None:
        """Write the settings for the chosen port."""

    def is_prepared(self) -> bool:
        """Tell whether the server was started here before."""
        return self._port_file.exists()

    def choose_port(self) -> None:
        """Take the kept port, or another one if it is taken, and write the settings."""
        self.port = ports.keep_port(self._port_file)
        self._write_settings()

    def recall_port(self) -> None:
        """Take the kept port without a look whether it is free: the running server has it."""
        self.port = int(self._port_file.read_text())

    @property
    def _port_file(self) -> Path:
        return self.folder / "port"

    def _make_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        if self._account is not None and self.folder.stat().st_uid != self._account.uid:
            give_tree(self.folder, self._account)

    def _make_password(self, file: Path) -> None:
        """Write a fresh password on first use, readable for the server's account only."""
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(24))
            self._hand_over(file, mode=0o600)

    def _hand_over(self, path: Path, *, mode: int) -> None:
        """Give a path to the account that runs the server."""
        path.chmod(mode)
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)


def give_tree(folder: Path, account: Account) -> None:
    """Make `account` the owner of a folder and all that is in it; links are not followed."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
