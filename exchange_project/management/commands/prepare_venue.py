"""`manage.py prepare_venue`: bring a venue up to date before its processes start."""

import io
import os
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from exchange_project.demo.loading import make_first_staff
from exchange_project.risk.access import make_risk_groups
from exchange_project.roles import grant_application_role
from margin.services.fund import open_funds


class Command(BaseCommand):
    """Migrate, collect static files, load the demo; one process, so Django is loaded once."""

    help = "Bring database, static files and demo up to date; again is quick and changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what containers do differently."""
        parser.add_argument(
            "--show-progress", action="store_true", help="Print a line for each step."
        )
        parser.add_argument(
            "--without-static", action="store_true", help="The image has the static files."
        )
        parser.add_argument(
            "--application-role",
            metavar="ROLE",
            help="The database role of the processes: made and granted what they need, and no "
            "more. Its password is read from POSTGRES_APP_PASSWORD. Run this as the owner.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        show = self._show if options["show_progress"] else _show_nothing
        show("looking for migrations")
        call_command("migrate", interactive=False, stdout=_Migrations(show))
        if not options["without_static"]:
            show("collecting static files")
            call_command("collectstatic", interactive=False, verbosity=0)
        show("groups of staff, demo, the venue's own accounts")
        make_risk_groups()
        if settings.DEMO:
            call_command("load_demo", stdout=self.stdout)
        else:
            make_first_staff()
        open_funds()
        if options["application_role"]:
            password = os.environ.get("POSTGRES_APP_PASSWORD", "")
            grant_application_role(name=options["application_role"], password=password)

    def _show(self, step: str) -> None:
        self.stdout.write(f"progress: {step}")
        self.stdout.flush()


class _Migrations(io.TextIOBase):
    """What `migrate` prints, as steps: one for each migration that it applies."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show

    def write(self, text: str) -> int:
        """Pass on which migration begins."""
        _, is_step, name = text.partition("Applying ")
        if is_step:
            self._show(f"migrating: {name.rstrip('. ')}")
        return len(text)


def _show_nothing(_step: str) -> None:
    """Stay silent, as a command does that nobody waits for."""
