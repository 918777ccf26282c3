"""Walls against growth: a function has at most 60 lines, a file 400."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.project import project_files, relative

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400


def test_no_file_is_too_long():
    long = {
        relative(path): lines
        for path in _sources()
        if (lines := len(path.read_text().splitlines())) > FILE_LINES_MAX
    }

    assert long == {}, "is there a natural seam?"


def test_no_function_is_too_long():
    long = [
        f"{relative(path)}:{line} {name}: {lines} lines"
        for path in _sources()
        for name, line, lines in _functions(path.read_text())
        if lines > FUNCTION_LINES_MAX
    ]

    assert long == [], "ifs up, loops down: what is a step of its own?"


@pytest.mark.parametrize(("body_lines", "lines"), [(1, 2), (59, 60), (60, 61)])
def test_lines_of_a_function_are_counted_with_its_head(body_lines: int, lines: int):
    source = "def long():\n" + "    pass\n" * body_lines

    assert list(_functions(source)) == [("long", 1, lines)]


def _sources() -> Iterator[Path]:
    for path in project_files():
        parts = path.parts
        if path.suffix == ".py" and "migrations" not in parts and "tests" not in parts:
            yield path


def _functions(source: str) -> Iterator[tuple[str, int, int]]:
    """Name, first line and number of lines of every function, methods and inner ones too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1
