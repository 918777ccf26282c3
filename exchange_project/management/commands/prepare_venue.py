"""`manage.py prepare_venue`: bring a venue up to date before its processes start."""

import os
from argparse import ArgumentParser
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
            "--without-static", action="store_true", help="The image has the static files."
        )
        parser.add_argument(
            "--application-role",
            metavar="ROLE",
            help="The database role of the processes: made and granted what they need, and no "
            "more. Its password is read from POSTGRES_APP_PASSWORD. Run this as the owner.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        quiet: dict[str, Any] = {"interactive": False, "verbosity": 0}
        call_command("migrate", **quiet)
        if not options["without_static"]:
            call_command("collectstatic", **quiet)
        make_risk_groups()
        if settings.DEMO:
            call_command("load_demo", stdout=self.stdout)
        else:
            make_first_staff()
        open_funds()
        if options["application_role"]:
            password = os.environ.get("POSTGRES_APP_PASSWORD", "")
            grant_application_role(name=options["application_role"], password=password)
