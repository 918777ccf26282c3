"""The Content-Security-Policy of pages, and templates that keep to it."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from brokers.tests.people import PASSWORD

pytestmark = pytest.mark.django_db

HEADER = "Content-Security-Policy"
_INLINE_SCRIPT = re.compile(
    r"<script(?![^>]*(?:src=|nonce=|application/json))[^>]*>", re.IGNORECASE
)
_HANDLER = re.compile(r"<[^>]*\son[a-z]+\s*=\s*[\"']|javascript:", re.IGNORECASE)


def policy_of(response: Any) -> dict[str, set[str]]:
    parts = (part.split() for part in response[HEADER].split(";"))
    return {name: set(sources) for name, *sources in parts}


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("staff@example.test", PASSWORD))
    return client


@pytest.mark.parametrize("path", ["/", "/risk/", "/admin/login/", "/docs", "/redoc"])
def test_every_page_has_a_policy(staff: Client, path: str) -> None:
    if path == "/admin/login/":
        staff.logout()
    response = staff.get(path)
    assert response.status_code == 200
    policy = policy_of(response)
    for directive in ("default-src", "frame-ancestors", "base-uri"):
        assert policy[directive] == {"'none'"}
    assert policy["form-action"] == policy["connect-src"] == {"'self'"}
    scripts = policy["script-src"]
    nonces = {one for one in scripts if one.startswith("'nonce-")}
    assert scripts - nonces == {"'self'"} | ({"'unsafe-eval'"} if "/admin/" in path else set())
    assert len(nonces) == (path in ("/docs", "/redoc"))
    assert ("'unsafe-inline'" in policy["style-src"]) == (path not in ("/", "/risk/"))
    assert policy["style-src-attr"] == {"'unsafe-inline'"}


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_nonce_is_that_of_one_response(client: Client, path: str) -> None:
    nonces = set()
    for _ in range(2):
        response = client.get(path)
        (nonce,) = re.findall(r'nonce="([^"]+)"', response.content.decode())
        assert f"'nonce-{nonce}'" in policy_of(response)["script-src"]
        nonces.add(nonce)
    assert len(nonces) == 2


def test_documents_of_programs_go_without(client: Client) -> None:
    for path in ("/health", "/api/v1/orders", "/api/v1/nowhere"):
        assert HEADER not in client.get(path)


@pytest.mark.parametrize("folder", ["templates", "orders", "ledger", "margin", "brokers"])
def test_templates_have_no_inline_scripts(folder: str) -> None:
    for file in (Path(settings.BASE_DIR) / folder).rglob("*.html"):
        text = file.read_text()
        assert not _INLINE_SCRIPT.findall(text), file
        assert not _HANDLER.findall(text), file


def test_a_foreign_host_is_refused_and_logged_in_one_line(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for host in ("evil.test", "a b", "127.0.0.1:x", "x" * 300):
        assert client.get("/docs", headers={"Host": host}).status_code == 400
    assert len(caplog.records) == 4
    assert all("Invalid HTTP_HOST header" in record.message for record in caplog.records)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("target", ["https://evil.test/", "//evil.test/", "javascript:alert(1)"])
def test_a_login_whose_next_is_refused_goes_to_the_start_page(client: Client, target: str) -> None:
    get_user_model().objects.create_superuser("staff@example.test", PASSWORD)
    data = {"username": "staff@example.test", "password": PASSWORD, "next": target}
    response = client.post("/admin/login/", data)
    assert (response.status_code, response["Location"]) == (302, "/")


def test_the_next_of_a_login_is_kept_where_it_is_ours(client: Client) -> None:
    get_user_model().objects.create_superuser("staff@example.test", PASSWORD)
    data = {"username": "staff@example.test", "password": PASSWORD, "next": "/risk/"}
    assert client.post("/admin/login/", data)["Location"] == "/risk/"
