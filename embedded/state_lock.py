"""The lock on the state folder: one supervisor at a time, and its process id for the others."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from embedded.errors import AlreadyRunningError


@contextlib.contextmanager
def hold(state_dir: Path) -> Iterator[None]:
    """Hold the state folder; the system lets go of it with the process, however that ends.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    with _open(state_dir) as file:
        if not _try_lock(file):
            raise AlreadyRunningError(
                f"The venue is already running from this folder (process {file.read().strip()}). "
                "See `python -m embedded status`; end it with `python -m embedded stop`."
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def holder(state_dir: Path) -> int | None:
    """Return the id of the process that holds the state folder, None if it is free."""
    if not (state_dir / "lock").exists():
        return None
    with _open(state_dir) as file:
        if _try_lock(file):
            return None
        return int(file.read() or 0)


def _open(state_dir: Path) -> IO[str]:
    descriptor = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    return open(descriptor, "r+")


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
