"""A real browser before a real venue: engine, demo data, and the pages served over HTTP."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from orders.tests.fixtures import _quiet_end, engine

__all__ = ["_quiet_end", "engine"]

ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
ADMIN = ("admin@example.com", "a-password-for-tests")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium. Playwright runs an event loop, which Django must be told to allow."""
    program = shutil.which("chromium")
    assert program, "chromium is not installed: apt-get install chromium"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def demo(engine: Any, settings: Any, tmp_path: Path) -> None:
    """The demo's brokers, instruments and staff, before a living engine."""
    settings.DEMO_KEYS_FILE = tmp_path / "keys.json"
    settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD = ADMIN
    call_command("load_demo", verbosity=0)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab that fails the test when a page reports an error, fetches from elsewhere, or does what
    our Content-Security-Policy forbids."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    troubles: list[str] = []
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.on("console", lambda message: troubles.extend(_refusal(message)))
    tab.on("requestfailed", lambda request: troubles.extend(_trouble(request)))
    tab.on("requestfinished", lambda request: troubles.extend(_trouble(request)))
    yield tab
    context.close()
    assert not troubles


def _refusal(message: ConsoleMessage) -> list[str]:
    """What the policy kept from a page, but for the picture that ReDoc wants for its footer."""
    is_refusal = "Content Security Policy" in message.text
    return [message.text] if is_refusal and "cdn.redoc.ly" not in message.text else []


def _trouble(request: Request) -> list[str]:
    """What is wrong with a request: it failed, or left this machine. The page may forbid some."""
    if request.failure == "csp":
        return []
    if request.failure and request.failure != "net::ERR_ABORTED":
        return [f"{request.url}: {request.failure}"]
    is_own = request.url.startswith(("http://localhost", "http://127.0.0.1", "data:", "blob:"))
    return [] if is_own else [f"asked elsewhere: {request.url}"]
