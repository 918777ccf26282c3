"""`manage.py load_demo`: make what is missing of the demo and show it."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from common.errors import ExchangeError
from exchange_project.demo.loading import load_demo
from exchange_project.demo.summary import demo_summary


class Command(BaseCommand):
    """Load the demo; again is quick and changes nothing."""

    help = "Make what is missing of the demo (needs DEMO=true) and show its keys and accounts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--show", action="store_true", help="Load nothing, only show it.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This venue has no demo: DEMO is off.")
        if not options["show"]:
            try:
                load_demo()
            except ExchangeError as error:
                raise CommandError(error.detail) from error
        self.stdout.write(demo_summary())
