"""`manage.py run_engine --shard N`: leads the shard, or stands by until it can."""

import logging
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from common.database import database_dsn
from orders.engine.process.runner import Engine

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Run the matching engine of one shard (a second one stands by)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--shard", type=int, default=0, help="Number of the shard.")

    def handle(self, *args: Any, **options: Any) -> None:
        engine = Engine(database_dsn(), options["shard"])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: engine.stopping.set())
        engine.run()
        logger.info("engine of shard %s stopped", options["shard"])
