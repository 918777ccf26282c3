"""Pytest plugin: real PostgreSQL and Valkey for a test run that was given none.

Loaded with `-p tests.servers` (pyproject.toml), because pytest-django reads the settings, and these
the environment, before any conftest is imported. DATABASE_URL and REDIS_URL are honoured where they
are set. Runs without Django (`-p no:django`) and mere questions (`--help`, `--collect-only`) start
nothing.
"""

import contextlib
import os

import pytest

from embedded.services import temporary_services

_QUESTIONS = ("help", "version", "collectonly", "markers", "showfixtures", "show_fixtures_per_test")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Start what is missing and name it in the environment, before settings are read."""
    os.environ.setdefault("REDIS_PREFIX", f"bourse-test-{os.getpid()}:")
    if not early_config.pluginmanager.is_blocked("django") and not _is_question(early_config):
        _start_missing(early_config)


def _is_question(config: pytest.Config) -> bool:
    return any(getattr(config.known_args_namespace, name, False) for name in _QUESTIONS)


def _start_missing(config: pytest.Config) -> None:
    """Run embedded servers until the end of the run, also after Ctrl-C or a failed start."""
    needs_database = "DATABASE_URL" not in os.environ
    needs_valkey = "REDIS_URL" not in os.environ
    if not (needs_database or needs_valkey):
        return
    stack = contextlib.ExitStack()
    config.add_cleanup(stack.close)
    services = stack.enter_context(
        temporary_services(postgres=needs_database, valkey=needs_valkey, fsync=False)
    )
    if needs_database:
        os.environ["DATABASE_URL"] = services.database_url
    if needs_valkey:
        os.environ["REDIS_URL"] = services.redis_url
