"""Making `.venv`: by one make at a time, and never in the machine's own Python.

Each test works in a copy of what `make install` reads, with two small requirements and without a
network: a wheel of its own, and uv as it is installed here.
"""

import base64
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from embedded import paths

ROOT = paths.project_root()
WHEEL = "bourse_stand_in-1.0-py3-none-any.whl"
FILES = {
    "bourse_stand_in.py": "NAME = 'stand-in'\n",
    "bourse_stand_in-1.0.dist-info/METADATA": "Metadata-Version: 2.1\n"
    "Name: bourse-stand-in\nVersion: 1.0\n",
    "bourse_stand_in-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\n"
    "Root-Is-Purelib: true\nTag: py3-none-any\n",
}
_MADE_AT_INSTALL = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel of the stand-in and one of uv."""
    folder = tmp_path_factory.mktemp("wheels")
    _write_wheel(folder / WHEEL, {name: text.encode() for name, text in FILES.items()})
    uv = importlib.metadata.distribution("uv")
    tag = next(
        line.removeprefix("Tag: ")
        for line in (uv.read_text("WHEEL") or "").splitlines()
        if line.startswith("Tag: ")
    )
    _write_wheel(folder / f"uv-{uv.version}-{tag}.whl", _files_of(uv))
    return folder


@pytest.fixture
def project(tmp_path: Path, wheels: Path) -> Path:
    """A project folder with the Makefile, this package and the two requirements."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "embedded", folder / "embedded")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements").mkdir()
    (folder / "requirements.txt").write_text(_pin("bourse-stand-in==1.0", wheels / WHEEL))
    uv = next(wheels.glob("uv-*"))
    (folder / "requirements" / "uv.txt").write_text(
        _pin(f"uv=={importlib.metadata.version('uv')}", uv)
    )
    return folder


def make(
    project: Path, wheels: Path, *arguments: str, environ: dict[str, str] | None = None
) -> "subprocess.Popen[str]":
    # Not pip's settings, nor what a make that runs these tests hands down.
    theirs = ("PIP_", "MAKE", "MFLAGS")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    return subprocess.Popen(
        ["make", f"PYTHON={sys.executable}", *arguments],
        cwd=project,
        env=ours
        | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull}
        | {"UV_NO_INDEX": "1", "UV_CACHE_DIR": str(project.parent / "cache")}
        | (environ or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def output_of(process: "subprocess.Popen[str]", *, code: int = 0) -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == code, output
    return output


def place_of_stand_in(project: Path) -> str:
    """Where the environment's interpreter finds the requirement."""
    program = "import bourse_stand_in; print(bourse_stand_in.__file__)"
    ran = subprocess.run(
        [project / ".venv" / "bin" / "python", "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


def test_two_makes_at_once_make_one_environment(project: Path, wheels: Path):
    both = [make(project, wheels, "install") for _ in range(2)]
    outputs = [output_of(one) for one in both]

    assert sorted(text.count("Making the virtual environment") for text in outputs) == [0, 1]
    assert sorted(text.count("Installing requirements.txt") for text in outputs) == [0, 1]
    assert "Waiting for another make" in "".join(outputs)
    assert "Without uv" not in "".join(outputs)
    assert (project / ".venv" / "pyvenv.cfg").exists()
    assert place_of_stand_in(project).startswith(str(project / ".venv"))
    assert output_of(make(project, wheels, "--question", "install")) == ""


def test_environment_without_its_configuration_is_made_again(project: Path, wheels: Path):
    """Its interpreter is the machine's own; uv remembers that after the environment is whole."""
    output_of(make(project, wheels, "install"))
    (project / ".venv" / "pyvenv.cfg").unlink()
    uv = [sys.executable, "-m", "uv", "--cache-dir", str(project.parent / "cache"), "pip", "list"]
    python = str(project / ".venv" / "bin" / "python")
    subprocess.run([*uv, "--python", python], capture_output=True, check=True)

    output = output_of(make(project, wheels, "install"))

    assert output.splitlines()[:2] == [
        "Making the virtual environment .venv",
        "Installing requirements.txt into .venv",
    ]
    assert place_of_stand_in(project).startswith(str(project / ".venv"))
    assert importlib.util.find_spec("bourse_stand_in") is None


def test_requirements_that_land_elsewhere_fail_the_install(project: Path, wheels: Path):
    elsewhere = {"PIP_TARGET": str(project.parent / "elsewhere")}

    output = output_of(make(project, wheels, "install", environ=elsewhere), code=2)

    assert "The requirements are not in .venv." in output
    assert not (project / ".venv" / ".installed").exists()


def test_requirements_that_did_not_change_are_not_installed_again(project: Path, wheels: Path):
    output_of(make(project, wheels, "install"))
    (project / "requirements.txt").touch()

    assert output_of(make(project, wheels, "install")) == ""


@pytest.mark.parametrize("target", ["status", "stop"])
@pytest.mark.parametrize("is_broken", [False, True])
def test_looking_and_stopping_install_nothing(
    project: Path, wheels: Path, target: str, is_broken: bool
):
    if is_broken:
        (project / ".venv" / "bin").mkdir(parents=True)
        (project / ".venv" / "bin" / "python").symlink_to(sys.executable)

    output = output_of(make(project, wheels, target), code=2)

    assert output.splitlines()[0] == "Nothing is installed here yet (there is no .venv): make run"
    assert not (project / ".venv" / "pyvenv.cfg").exists()
    assert not (project / ".venv.lock").exists()


def _files_of(installed: importlib.metadata.Distribution) -> dict[str, bytes]:
    """The files of an installed distribution, as its wheel holds them."""
    found = {}
    for file in installed.files or []:
        name = str(file)
        if file.name in _MADE_AT_INSTALL or "__pycache__" in name:
            continue
        if name.startswith("../"):
            name = f"uv-{installed.version}.data/scripts/{file.name}"
        found[name] = file.read_binary()
    return found


def _write_wheel(wheel: Path, files: dict[str, bytes]) -> None:
    folder = next(name for name in files if ".dist-info/" in name).split("/")[0]
    record = "".join(f"{name},{_record_hash(body)},{len(body)}\n" for name, body in files.items())
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, body in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16 if "/scripts/" in name else 0o100644 << 16
            archive.writestr(entry, body)
        archive.writestr(f"{folder}/RECORD", f"{record}{folder}/RECORD,,\n")


def _record_hash(body: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest())
    return f"sha256={digest.decode().rstrip('=')}"


def _pin(requirement: str, wheel: Path) -> str:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{requirement} \\\n    --hash=sha256:{digest}\n"
