"""A real engine in a thread of the test process, for tests that go in through the front door."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections

from common.caching import clear_all_caches
from common.database import database_dsn
from common.valkey import get_client
from orders.engine.process.runner import Engine
from orders.streams import alive_key

_START_SECONDS_MAX = 10


@contextmanager
def live_engine(shard: int = 0) -> Iterator[Engine]:
    """An engine that leads `shard` until the end of the block."""
    engine = Engine(database_dsn(), shard)
    thread = threading.Thread(target=_run, args=(engine,), daemon=True)
    thread.start()
    started = time.monotonic()
    while not get_client().exists(alive_key(shard)):
        assert thread.is_alive(), "the engine ended"
        assert time.monotonic() - started < _START_SECONDS_MAX, "the engine does not start"
        time.sleep(0.005)
    try:
        yield engine
    finally:
        engine.stopping.set()
        thread.join()
        get_client().delete(alive_key(shard))
        clear_all_caches()  # as if the moment had passed for which its life is remembered


def _run(engine: Engine) -> None:
    try:
        engine.run()
    finally:
        connections.close_all()
