"""The documents tell of what is there: files, make targets, settings; and of no machine of ours."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import Resolver404, resolve

from tests.architecture.project import ROOT, project_files, relative

DOCUMENTS = sorted(path for path in project_files() if path.suffix == ".md")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_MACHINE_PATH = re.compile(r"(?:^|[^A-Za-z0-9_.~/-])/(?:root|home|work|mnt|Users)/[A-Za-z.]")
# Indexes are chosen by whoever installs; the documents name packages, not places.
_PACKAGE_HOST = re.compile(r"\b(?:pypi|test\.pypi|files\.pythonhosted)\.org\b|/opt/pypi")


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_relative_links_lead_to_files_and_headings(document: Path):
    broken = [link for link in _links(document) if not _leads_somewhere(document, link)]

    assert broken == []


def test_every_make_target_in_the_readme_exists():
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = set(re.findall(r"\bmake ([a-z-]+)", readme))

    assert named - targets == set()
    assert {"run", "test"} <= named


def test_the_readmes_table_of_settings_is_that_of_the_example():
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("## Settings")[2].partition("\n## ")[0]
    example = (ROOT / ".env.example").read_text()

    shown = set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE))
    told = set(re.findall(r"^#? ?([A-Z_]+)(?:=|  )", example, re.MULTILINE))

    assert shown == told


def test_every_address_in_the_api_document_leads_to_a_view():
    text = (ROOT / "docs" / "api.md").read_text()
    classic, _, product = text.partition("## Classic dialect")[2].partition("## /api/v1")
    paths = re.findall(r"`(?:GET|POST) (/[^` ?]+)", classic)
    rows = re.findall(r"^\| [a-z, ]+ \| (.+) \|$", product.partition("\n## ")[0], re.MULTILINE)
    paths += [f"/api/v1/{one}" for row in rows for one in re.findall(r"`([a-z][^` ?]+)`", row)]

    assert [path for path in paths if not _is_served(path)] == []
    assert {"/orders/{id}", "/api/v1/orders/{id}", "/api/v1/accounts/{id}/balances"} <= set(paths)


def test_no_file_names_a_place_on_somebodys_machine():
    named = [f"{relative(path)}: {line}" for path, line in _lines() if _MACHINE_PATH.search(line)]

    assert named == []


def test_no_file_names_a_package_host():
    here = Path(__file__).resolve()
    named = [
        f"{relative(path)}: {line}"
        for path, line in _lines()
        if path != here and _PACKAGE_HOST.search(line)
    ]

    assert named == []


def _is_served(path: str) -> bool:
    """Whether an address with `{names}` in it has a view, whatever kind of id it takes."""
    for value in ("1", "01a1fb8e-4303-7000-82f9-d9928fbd4483"):
        try:
            resolve(re.sub(r"\{\w+\}", value, path))
        except Resolver404:
            continue
        return True
    return False


def _links(document: Path) -> Iterator[str]:
    text = _CODE_BLOCK.sub("", document.read_text())
    for target in _LINK.findall(text):
        if not re.match(r"[a-z]+:", target):
            yield target


def _leads_somewhere(document: Path, link: str) -> bool:
    name, _, heading = link.partition("#")
    target = (document.parent / name).resolve() if name else document
    if not target.exists():
        return False
    return not heading or heading in {_anchor(one) for one in _HEADING.findall(target.read_text())}


def _anchor(heading: str) -> str:
    """The anchor that renderers of Markdown make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _lines() -> Iterator[tuple[Path, str]]:
    for path in project_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for line in text.splitlines():
            yield path, line
