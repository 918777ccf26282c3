"""`manage.py prepare_venue`: bring a venue up to date before its processes start."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from exchange_project.demo.loading import make_first_staff
from exchange_project.risk.access import make_risk_groups
from margin.services.fund import open_funds


class Command(BaseCommand):
    """Migrate, collect static files, load the demo; one process, so Django is loaded once."""

    help = "Bring database, static files and demo up to date; again is quick and changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        quiet: dict[str, Any] = {"interactive": False, "verbosity": 0}
        call_command("migrate", **quiet)
        call_command("collectstatic", **quiet)
        make_risk_groups()
        if settings.DEMO:
            call_command("load_demo", stdout=self.stdout)
        else:
            make_first_staff()
        open_funds()
