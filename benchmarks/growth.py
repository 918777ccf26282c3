"""P7 and P8: what a venue costs when it has grown: a start, an order, a read.

P7 starts an engine on a million open orders. P8 drains queued orders on two venues, one without
and one with a history (`manage.py load_history`), and compares what an order costs; then it reads
from the full tables through the whole of Django, without a socket, and looks at the plans.
"""

import time
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Any

from benchmarks.flow import Flow
from benchmarks.isolation import in_new_process
from benchmarks.processor_time import cpu_seconds
from benchmarks.report import Row, measure_pace, tell_progress
from benchmarks.targets import STATED_AT, time_here

_START_TARGET_SECONDS = 10.0
_RATIO_TARGET = 1.2
# Orders that are drained in batches of each size; in turns, since a machine changes its speed.
_DRAINED = {64: 10_000, 1_000: 50_000}
_DRAINED_QUICK = {64: 3_000, 1_000: 10_000}
_TURNS = 3


def measure_start(open_orders: int) -> Row:
    """P7. Django is set up and the database is empty."""
    from common.database import database_dsn
    from exchange_project.history.loading import HistoryPlan, load_history
    from orders.engine.process.runner import Engine

    tell_progress(f"loading {open_orders:,} open orders")
    load_history(HistoryPlan(orders=open_orders, open_orders=open_orders))
    settle_database()
    pace = measure_pace()
    engine = Engine(database_dsn(), 0)
    began, used = time.perf_counter(), time.process_time()
    backend_used = cpu_seconds(engine.backend_pid)
    engine.lead()
    seconds, own = time.perf_counter() - began, time.process_time() - used
    backend = cpu_seconds(engine.backend_pid) - backend_used
    found = len(engine.state.live_orders)
    engine.close()
    here = time_here(_START_TARGET_SECONDS, pace)
    return Row(
        row="P7",
        what=f"engine start with {open_orders:,} open orders",
        figure=f"{seconds:.1f} s; CPU: engine {own:.1f} s, PostgreSQL {backend:.1f} s",
        value=seconds,
        pace=pace,
        target=f"< {_START_TARGET_SECONDS:.0f} s with 1,000,000",
        target_here=f"< {here:.1f} s with 1,000,000",
        is_met=seconds < here if open_orders >= 1_000_000 else None,
        higher_is_better=False,
        failure="" if found == open_orders else f"{found:,} orders were found",
        details={"seconds": seconds, "engine_cpu": own, "postgres_cpu": backend},
    )


def run(orders: int, *, quick: bool) -> list[Row]:
    """P8: what an order and the reads cost with `orders` in the tables."""
    counts = _DRAINED_QUICK if quick else _DRAINED
    empty, _ = in_new_process(partial(measure_venue, 0, counts))
    full, reads = in_new_process(partial(measure_venue, orders, counts))
    rows = [cost_row(orders, batch, empty[batch], full[batch]) for batch in counts]
    return rows + reads


def measure_venue(
    history: int, counts: dict[int, int]
) -> tuple[dict[int, list[dict[str, Any]]], list[Row]]:
    """Drains by size of the batch on a venue with so many orders, and the rows of its reads."""
    from benchmarks.venue import empty_venue

    with empty_venue():
        from benchmarks import growth_reads
        from exchange_project.history.loading import HistoryPlan, Loaded, load_history

        def tell(loaded: Loaded) -> None:
            if loaded.orders % 500_000 == 0:
                rate = loaded.orders / loaded.seconds
                tell_progress(f"{loaded.orders:,} orders loaded, {rate:,.0f}/s")

        tell_progress(f"a venue with {history:,} orders")
        loaded = load_history(HistoryPlan(orders=history), on_progress=tell)
        tell_progress(f"{loaded.orders:,} orders, {loaded.postings:,} postings of trades")
        settle_database()
        drains: dict[int, list[dict[str, Any]]] = {batch: [] for batch in counts}
        for batch, drained in _drain_in_turn(counts):
            drains[batch].append(drained)
        return drains, growth_reads.measure(history) if history else []


def settle_database() -> None:
    """Vacuum, analyze and checkpoint, which would otherwise run while something is measured."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")
        cursor.execute("RESET statement_timeout; RESET lock_timeout")


def _drain_in_turn(counts: dict[int, int]) -> Iterator[tuple[int, dict[str, Any]]]:
    from benchmarks import engine
    from brokers.models import TradingAccount
    from marketdata.models import Instrument

    instruments = list(Instrument.objects.order_by("id").values_list("id", flat=True))
    found = TradingAccount.objects.order_by("id").values_list("id", "broker_id")
    accounts = [(account_id, broker_id.bytes) for account_id, broker_id in found]
    flow = Flow(seed=1)
    for _ in range(_TURNS):
        for batch, orders in counts.items():
            items = engine.commands(orders, instruments, accounts, flow)
            yield batch, engine.drain_orders(items, orders, batch)


def cost_row(
    history: int, batch: int, empty: list[dict[str, Any]], full: list[dict[str, Any]]
) -> Row:
    """The cost of an order in processor time, at one pace, and its ratio to an empty venue's."""
    before, after = _cpu_us(empty), _cpu_us(full)
    wall_before, wall_after = _wall_us(empty), _wall_us(full)
    ratio = after / before
    return Row(
        row="P8",
        what=f"cost of an order with {history:,} in the tables, batches of {batch:,}",
        figure=f"{ratio:.2f} × an empty venue's: CPU {after:.0f} µs after {before:.0f}, wall "
        f"{wall_after:.0f} µs after {wall_before:.0f} (all at a pace of {STATED_AT} s)",
        value=ratio,
        pace=full[-1]["pace"],
        target=f"≤ {_RATIO_TARGET} ×",
        is_met=ratio <= _RATIO_TARGET,
        higher_is_better=False,
        details={"empty": empty, "full": full},
    )


def _cpu_us(drains: list[dict[str, Any]]) -> float:
    """Engine and PostgreSQL together, as it would be at the pace at which targets are stated."""
    return median(
        (one["engine_cpu_us_per_order"] + one["postgres_cpu_us_per_order"])
        * STATED_AT
        / one["pace"]
        for one in drains
    )


def _wall_us(drains: list[dict[str, Any]]) -> float:
    return median(one["wall_us_per_order"] / one["pace"] for one in drains) * STATED_AT
