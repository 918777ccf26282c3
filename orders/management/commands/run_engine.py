"""`manage.py run_engine --shard N`: leads the shard, or stands by until it can."""

import logging
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from common.database import database_dsn
from orders.engine.process.launcher import Launcher
from orders.engine.process.service import EngineService

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Run the matching engine of one shard (a second one stands by)."
    # They import all pages and APIs, for which orders would wait at each start.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--shard", type=int, default=0, help="Number of the shard.")

    def handle(self, *args: Any, **options: Any) -> None:
        service = EngineService(database_dsn(), options["shard"])
        code = Launcher(service.run, service.stopping).launch()
        if code:
            sys.exit(code)
        logger.info("engine of shard %s stopped", options["shard"])
