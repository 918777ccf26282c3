"""What an order costs in each process of a venue."""

import subprocess
import sys

from benchmarks.processor_time import describe_cost, processor_seconds

_BURN = "import time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)\ninput()"


def test_processor_time_is_counted_by_the_name_of_the_process() -> None:
    before = processor_seconds()
    with subprocess.Popen(
        [sys.executable, "-c", _BURN, "run_engine"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "done\n"
        after = processor_seconds()
        engine.communicate("\n")
    assert 0.25 <= after["engine"] - before["engine"] < 5


def test_costs_are_microseconds_of_an_order_the_dearest_first() -> None:
    before = {"web": 1.0, "engine": 2.0, "Celery": 1.0}
    after = {"engine": 2.5, "web": 2.0, "Celery": 1.0}
    assert describe_cost(before, after, orders=5_000) == {"web": 200, "engine": 100}
