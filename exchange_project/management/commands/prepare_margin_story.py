"""`manage.py prepare_margin_story`: the accounts of `make demo-margin`, at an empty venue."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.errors import ExchangeError
from exchange_project.demo.margin_story import prepare_margin_story


class Command(BaseCommand):
    """Make what the story begins with, and print its key and accounts as JSON."""

    help = "Make the perpetual, the traders and the fund of `make demo-margin` (an empty venue)."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cast = prepare_margin_story()
        except ExchangeError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(json.dumps(asdict(cast)))
