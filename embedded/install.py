"""Makes the virtual environment and installs pinned requirements into it.

Run by make with any Python: `python -m embedded.install REQUIREMENTS STAMP`. A Python that is too
old gets a message, hence no syntax here that it would stumble over. Packages come from the package
index that pip is configured for, and from nowhere else; their hashes are checked.

Nothing is ever installed outside `.venv`: one process works on it at a time, and its interpreter
has to name it as its prefix before and after. An interpreter whose `pyvenv.cfg` is missing names
the machine's own Python instead.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parent.parent
_VENV = _ROOT / ".venv"
_LOCK = _ROOT / ".venv.lock"
_PYTHON = str(_VENV / "bin" / "python")
_UV_REQUIREMENTS = _ROOT / "requirements" / "uv.txt"
_OLDEST, _NEWEST = (3, 11), (3, 13)
# The settings of pip about where packages come from, and the names that uv has for them.
_UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==[^;\s]+\s*\\?$", re.MULTILINE)
# Run by the environment's own interpreter: are these distributions its own?
_ARE_INSTALLED = """
import importlib.metadata, pathlib, sys
prefix = pathlib.Path(sys.prefix).resolve()
for name in sys.argv[1:]:
    found = importlib.metadata.distribution(name).locate_file("")
    assert prefix in pathlib.Path(found).resolve().parents, name + " lies in " + str(found)
"""


def main(requirements: str, stamp: str) -> None:
    """Bring the virtual environment in line with a file of pinned requirements.

    The stamp, a file in the environment, keeps the digest of what was installed.
    """
    _check_version()
    with _alone():
        digest = _digest(Path(requirements))
        if not _is_environment_whole():
            _make_environment()
        if not _is_installed(Path(stamp), digest):
            _install(requirements)
        Path(stamp).write_text(digest)


def _check_version() -> None:
    running = sys.version_info[:2]
    shown = ".".join(map(str, running))
    if running < _OLDEST:
        sys.exit(
            f"Python 3.11 or newer is needed; {sys.executable} is {shown}. "
            "Name another one: make run PYTHON=python3.12"
        )
    if running > _NEWEST:
        print(f"Python {shown} has not been tried yet; 3.11 to 3.13 have.", flush=True)


@contextlib.contextmanager
def _alone() -> "Iterator[None]":
    """Hold the lock on the environment; wait for another process that is working on it."""
    with open(_LOCK, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another make that works on .venv", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(requirements: Path) -> str:
    return hashlib.sha256(requirements.read_bytes() + _UV_REQUIREMENTS.read_bytes()).hexdigest()


def _is_installed(stamp: Path, digest: str) -> bool:
    return stamp.exists() and stamp.read_text() == digest


def _is_environment_whole() -> bool:
    """Return whether there is an environment that works: not one that was moved or half made."""
    if not _is_our_prefix():
        return False
    return _run(_PYTHON, "-m", "pip", "--version", output=subprocess.DEVNULL) == 0


def _is_our_prefix() -> bool:
    """Return whether the environment's interpreter installs into the environment."""
    if not os.path.exists(_PYTHON):
        return False
    shown = subprocess.run(
        [_PYTHON, "-c", "import sys; print(sys.prefix)"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return shown.returncode == 0 and os.path.realpath(shown.stdout.strip()) == str(_VENV.resolve())


def _make_environment() -> None:
    print("Making the virtual environment .venv", flush=True)
    if _run(sys.executable, "-m", "venv", "--clear", str(_VENV)) != 0:
        sys.exit("It could not be made. On Debian and Ubuntu: apt install python3-venv")
    _check_prefix()


def _install(requirements: str) -> None:
    print(f"Installing {requirements} into .venv", flush=True)
    if not _install_with_uv(requirements):
        print("Without uv; pip does it too, in a little more time", flush=True)
        if _run(_PYTHON, *_pip_install(requirements)) != 0:
            sys.exit("The requirements could not be installed.")
    _check_prefix()
    pinned = _PIN.findall(Path(requirements).read_text())
    if _run(_PYTHON, "-c", _ARE_INSTALLED, *pinned) != 0:
        sys.exit("The requirements are not in .venv. Remove it (make clean) and try again.")


def _check_prefix() -> None:
    if not _is_our_prefix():
        sys.exit(f"{_PYTHON} does not belong to {_VENV}. Remove it (make clean) and try again.")


def _pip_install(requirements: str) -> "list[str]":
    return ["-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements]


def _install_with_uv(requirements: str) -> bool:
    """Install with uv, many times faster than pip; False if it is not available or fails."""
    if _run(_PYTHON, *_pip_install(str(_UV_REQUIREMENTS))) != 0:
        return False
    # Of several indexes pip takes the best match of all, and so shall uv; the hashes keep it safe.
    options = ["--quiet", "--require-hashes", "--index-strategy", "unsafe-best-match"]
    # Once here, instead of in each of the processes that start at the same time.
    options += ["--compile-bytecode"]
    install = ["-m", "uv", "pip", "install", "--python", _PYTHON, *options, "-r", requirements]
    return _run(_PYTHON, *install) == 0


def _pip_sources() -> "dict[str, str]":
    """Return pip's package sources as variables for uv, which does not read pip's settings."""
    listed = subprocess.run(
        [_PYTHON, "-m", "pip", "config", "list"], stdout=subprocess.PIPE, text=True, check=True
    )
    sources = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2]
        if option in _UV_NAMES:
            separator = "," if option == "find-links" else " "
            sources[_UV_NAMES[option]] = separator.join(value.strip("'\"").split())
    return sources


def _environ(command: "tuple[str, ...]") -> "dict[str, str]":
    """Return our environment with what keeps pip and uv inside the virtual environment.

    uv remembers in its cache which prefix an interpreter had, even when the environment has been
    made again since; a cache inside the environment is removed together with it.
    """
    environ = dict(os.environ, PIP_REQUIRE_VIRTUALENV="true")
    if command[1:3] == ("-m", "uv"):
        environ = dict(_pip_sources(), **environ)
        environ["UV_CACHE_DIR"] = str(_VENV / ".uv-cache")
    return environ


def _run(*command: str, output: "int | None" = None) -> int:
    return subprocess.run(command, env=_environ(command), stdout=output, check=False).returncode


if __name__ == "__main__":
    main(*sys.argv[1:])
