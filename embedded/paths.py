"""Where things lie: the project, its state folder, and who may enter a folder.

All paths are worked out at run time, so the project folder can be moved or copied freely.
"""

import hashlib
import os
import stat
from pathlib import Path

# A Unix socket's path may have 107 bytes on Linux and 103 on macOS, including ".s.PGSQL.<port>".
SOCKET_PATH_MAX = 100


def project_root() -> Path:
    """Return the folder that holds manage.py and this package."""
    return Path(__file__).resolve().parent.parent


def state_dir() -> Path:
    """Return the folder of the servers' data, logs and sockets.

    BOURSE_STATE names it explicitly. Otherwise it is `var/` in the project, or, for root, a folder
    under /var/lib: the unprivileged account that runs the servers then could often not enter the
    project (think of a checkout below /root).
    """
    named = os.environ.get("BOURSE_STATE")
    if named:
        return Path(named).expanduser().absolute()
    if os.geteuid() == 0:
        digest = hashlib.sha256(str(project_root()).encode()).hexdigest()
        return Path("/var/lib") / f"bourse-{digest[:10]}"
    return project_root() / "var"


def is_open_to_all(path: Path) -> bool:
    """Tell whether any account may read `path` and pass through every folder above it."""
    resolved = path.resolve()
    passable = all(_has_mode(parent, stat.S_IXOTH) for parent in resolved.parents)
    return passable and _has_mode(resolved, stat.S_IROTH | stat.S_IXOTH)


def _has_mode(path: Path, wanted: int) -> bool:
    return path.stat().st_mode & wanted == wanted
