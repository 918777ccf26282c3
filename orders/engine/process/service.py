"""One engine after the other, in the process that runs the engine of a shard.

An engine whose connection or lead is lost ends; the next one starts here, from what is committed,
without importing everything again. Any other error is a fault of the program and ends the process.
"""

import gc
import logging
import threading
import time

import psycopg

from orders.engine.process.clock import ClockWrong
from orders.engine.process.runner import Engine
from orders.engine.transaction.locking import FenceLost

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 0.1
_LOG_AGAIN_SECONDS = 5.0


class EngineService:
    """Runs engines of one shard until `stopping` is set."""

    def __init__(self, dsn: str, shard: int) -> None:
        self._dsn = dsn
        self._shard = shard
        self.stopping = threading.Event()

    def run(self) -> None:
        """Run one engine after the other; waits where the database is away."""
        while (engine := self._make_engine()) is not None:
            try:
                engine.run()
            except (FenceLost, ClockWrong, psycopg.OperationalError) as error:
                logger.warning("shard %s: %s; starting over", self._shard, _one_line(error))
            # What the books held is frozen, and would stay for ever where objects refer to each
            # other.
            del engine
            gc.unfreeze()
            gc.collect()
            self.stopping.wait(_RETRY_SECONDS)

    def _make_engine(self) -> Engine | None:
        """An engine with a connection; None when told to stop before there is one."""
        log_at = 0.0
        while not self.stopping.is_set():
            try:
                return Engine(self._dsn, self._shard, stopping=self.stopping)
            except psycopg.OperationalError as error:
                now = time.monotonic()
                if now >= log_at:
                    logger.warning("waiting for the database: %s", _one_line(error))
                    log_at = now + _LOG_AGAIN_SECONDS
                self.stopping.wait(_RETRY_SECONDS)
        return None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
