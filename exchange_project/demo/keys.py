"""The file with the demo brokers' keys: the database has only their hashes.

It is readable by its owner alone. When it is lost, new keys are made and the old ones revoked.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path


def read_keys(path: Path) -> dict[str, str]:
    """Keys by name of broker; empty when there is no file, or none that can be read as such."""
    try:
        keys = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(keys, dict):
        return {}
    return {name: key for name, key in keys.items() if isinstance(key, str)}


def write_keys(path: Path, keys: Mapping[str, str]) -> None:
    """Replace the file in one step, so that it is never half written nor open to others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(keys, file, indent=2)
        file.write("\n")
    draft.replace(path)
