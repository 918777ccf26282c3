"""The file `.env`: made from `.env.example` on the first start, kept as it is from then on."""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

# Variables that are left empty in the example and get a random value; the number is bytes.
_SECRET_BYTES = {"SECRET_KEY": 48, "ADMIN_API_KEY": 32, "ADMIN_PASSWORD": 12}
_ASSIGNMENT = re.compile(r"^(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)$")


def read(file: Path) -> dict[str, str]:
    """Return the variables that a file of `NAME=value` lines sets; none if there is no file."""
    if not file.exists():
        return {}
    found: dict[str, str] = {}
    for line in file.read_text().splitlines():
        assigned = _ASSIGNMENT.match(line.strip())
        if assigned:
            found.setdefault(assigned.group(1), _unquoted(assigned.group(2).strip()))
    return found


def ensure(file: Path, *, example: Path) -> list[str]:
    """Make `file` from the example, with fresh secrets; return the names of what was added.

    A file that exists keeps every value. Only variables that it lacks are appended, and secrets
    that it leaves empty, as a plain copy of the example does, are filled in.
    """
    present = read(file)
    blocks = _blocks(example)
    if not file.exists():
        _write_privately(file, "".join(_filled(block) for block in blocks.values()))
        return list(blocks)
    empty = [name for name in _SECRET_BYTES if present.get(name) == ""]
    missing = [name for name in blocks if name not in present]
    if empty or missing:
        text = "".join(_filled(line, only=empty) for line in file.read_text().splitlines(True))
        if text and not text.endswith("\n"):
            text += "\n"
        _write_privately(file, text + "".join(_filled(blocks[name]) for name in missing))
    return empty + missing


def complete(environ: Mapping[str, str], file: Path) -> dict[str, str]:
    """Return the environment together with the file's variables; the environment wins."""
    return read(file) | dict(environ)


def _blocks(example: Path) -> dict[str, str]:
    """Return the example cut up by variable: each assignment with the comments before it."""
    blocks: dict[str, str] = {}
    block = ""
    for line in example.read_text().splitlines(keepends=True):
        block += line
        assigned = _ASSIGNMENT.match(line.strip())
        if assigned:
            blocks[assigned.group(1)] = block
            block = ""
    if blocks and block:
        blocks[next(reversed(blocks))] += block
    return blocks


def _filled(text: str, *, only: list[str] | None = None) -> str:
    """Return the text with random values for its empty secrets, or for some of them."""
    for name in _SECRET_BYTES if only is None else only:
        value = secrets.token_urlsafe(_SECRET_BYTES[name])
        text = re.sub(rf"^((?:export\s+)?{name}=)[\"']*[ \t]*$", rf"\g<1>{value}", text, flags=re.M)
    return text


def _write_privately(file: Path, text: str) -> None:
    """Write a file, at once and readable for its owner only."""
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as stream:
        stream.write(text)
    partial.replace(file)


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
