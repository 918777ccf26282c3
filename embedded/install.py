"""Makes the virtual environment and installs pinned requirements into it.

Run by make with any Python: one that is too old shall be told so, hence no syntax here that it
would stumble over. Packages come from the package index that pip is configured for, and from
nowhere else; their hashes are checked.
"""

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_VENV = _ROOT / ".venv"
_PYTHON = str(_VENV / "bin" / "python")
_UV_REQUIREMENTS = str(_ROOT / "requirements" / "uv.txt")
_OLDEST, _NEWEST = (3, 11), (3, 13)
# What pip may be told of where packages come from, and how uv calls the same.
_UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}


def main(requirements: str) -> None:
    """Bring the virtual environment in line with a file of pinned requirements."""
    _check_version()
    if not _is_environment_whole():
        print("Making the virtual environment .venv", flush=True)
        if _run(sys.executable, "-m", "venv", "--clear", str(_VENV)) != 0:
            sys.exit("It could not be made. On Debian and Ubuntu: apt install python3-venv")
    print(f"Installing {requirements} into .venv", flush=True)
    if not _install_with_uv(requirements):
        print("Without uv; pip does it too, in a little more time", flush=True)
        if _run(_PYTHON, *_pip_install(requirements)) != 0:
            sys.exit("The requirements could not be installed.")


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


def _is_environment_whole() -> bool:
    """Tell whether there is an environment that works: not one that was moved or half made."""
    if not os.path.exists(_PYTHON):
        return False
    return _run(_PYTHON, "-m", "pip", "--version", output=subprocess.DEVNULL) == 0


def _pip_install(requirements: str) -> "list[str]":
    return ["-m", "pip", "install", "--quiet", "--require-hashes", "-r", requirements]


def _install_with_uv(requirements: str) -> bool:
    """Install with uv, many times faster than pip; False if it is not to be had or fails."""
    if _run(_PYTHON, *_pip_install(_UV_REQUIREMENTS)) != 0:
        return False
    # Of several indexes pip takes the best match of all, and so shall uv; the hashes keep it safe.
    options = ["--quiet", "--require-hashes", "--index-strategy", "unsafe-best-match"]
    # Once here, instead of in each of the processes that start at the same time.
    options += ["--compile-bytecode"]
    install = ["-m", "uv", "pip", "install", "--python", _PYTHON, *options, "-r", requirements]
    return _run(_PYTHON, *install, environ=dict(_pip_sources(), **os.environ)) == 0


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


def _run(
    *command: str, environ: "dict[str, str] | None" = None, output: "int | None" = None
) -> int:
    return subprocess.run(command, env=environ, stdout=output, check=False).returncode


if __name__ == "__main__":
    main(sys.argv[1])
