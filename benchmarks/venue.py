"""An empty venue of its own for a benchmark: servers with real durability, migrated database."""

import contextlib
import os
import secrets
from collections.abc import Iterator

from embedded.services import temporary_services


@contextlib.contextmanager
def empty_venue() -> Iterator[None]:
    """Start servers, set Django up on them and migrate; stop them at the end."""
    with temporary_services(fsync=True) as services:
        os.environ["DATABASE_URL"] = services.database_url
        os.environ["REDIS_URL"] = services.redis_url
        os.environ.setdefault("SECRET_KEY", secrets.token_hex(16))
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_project.settings.base")
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        yield
