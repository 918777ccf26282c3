"""The project's own files, as these tests look at them."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What .gitignore names; caches and git itself begin with a dot, as only one folder of ours does.
_FOREIGN_FOLDERS = {"var", "__pycache__", "bench"}
_OUR_DOTTED_FOLDERS = {".ci"}
_FOREIGN_SUFFIXES = {".pyc"}
_FOREIGN_NAMES = {".env"}


def project_files() -> Iterator[Path]:
    """Every file of the project: what is kept in git, without asking git."""
    folders = [ROOT]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if path.is_dir():
                if _is_ours(path.name):
                    folders.append(path)
            elif path.name not in _FOREIGN_NAMES and path.suffix not in _FOREIGN_SUFFIXES:
                yield path


def _is_ours(folder: str) -> bool:
    if folder.startswith("."):
        return folder in _OUR_DOTTED_FOLDERS
    return folder not in _FOREIGN_FOLDERS and not folder.endswith(".egg-info")


def relative(path: Path) -> str:
    """A file's name from the project's folder, for messages."""
    return str(path.relative_to(ROOT))
