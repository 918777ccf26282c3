"""The core is pure: it loads no framework, and names no clock, no random number, no float."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import orders.matching

FILES = sorted(Path(orders.matching.__file__).parent.glob("*.py"))
ALLOWED = {
    "__future__",
    "bisect",
    "collections.abc",
    "enum",
    "heapq",
    "itertools",
    "typing",
}


def test_importing_the_core_loads_no_framework() -> None:
    program = (
        "import sys\n"
        "import orders.matching.events, orders.matching.matcher\n"
        "print(sorted({'django', 'psycopg', 'redis', 'msgspec'} & sys.modules.keys()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_the_core_imports_nothing_but_plain_parts_of_the_standard_library() -> None:
    assert len(FILES) >= 6
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                assert not node.names, f"{file.name}: import only with from"
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                assert module in ALLOWED or module.startswith("orders.matching."), file.name


def test_the_core_counts_in_integers() -> None:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            assert not isinstance(node, ast.Div), file.name
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), file.name
