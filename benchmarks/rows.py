"""The rows of the bench by name, as calls that a fresh process can make."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks.report import Row, measure_pace, tell_progress
from benchmarks.targets import Target

DEFAULT_ROWS = ("P1", "P2", "P3", "P4", "P5", "P6")
ALL_ROWS = (*DEFAULT_ROWS, "P7", "P8", "P1-PAGES")
# By size of the batch: what the engine should reach, and how many orders tell.
_P3_TARGETS = {1: 800, 16: 5_500, 64: 9_500, 1_000: 16_000}
_P3_ORDERS = {1: 3_000, 16: 20_000, 64: 50_000, 1_000: 200_000}
_P3_ORDERS_QUICK = {1: 500, 16: 4_000, 64: 10_000, 1_000: 20_000}
_P4_TARGET = Target(rate=1_300_000, unit="messages/s")
_P4_MESSAGES, _P4_MESSAGES_QUICK = 1_000_000, 100_000
_P7_OPEN_ORDERS, _P7_OPEN_ORDERS_QUICK = 1_000_000, 100_000
_P8_ORDERS, _P8_ORDERS_QUICK = 10_000_000, 200_000
_P5_SECONDS, _P5_SECONDS_QUICK = 20.0, 4.0


def measure_http(wanted: Sequence[str], quick: bool) -> list[Row]:
    """P1 and P2."""
    from benchmarks import http

    return http.run(wanted, quick=quick)


def measure_engine(quick: bool, profile: bool) -> list[Row]:
    """P3."""
    from benchmarks import engine
    from benchmarks.venue import empty_venue

    tell_progress("the engine alone")
    counts = _P3_ORDERS_QUICK if quick else _P3_ORDERS
    with empty_venue():
        results = engine.run(
            counts,
            profile=profile,
            accounts_per_broker=1 if quick else engine.ACCOUNTS_PER_BROKER,
        )
    return [_engine_row(result) for result in results]


def _engine_row(result: dict[str, Any]) -> Row:
    batch, rate, pace = result["batch"], result["orders_per_second"], result["pace"]
    target = Target(rate=_P3_TARGETS[batch])
    here = target.at(pace)
    engine_us, postgres_us = (result[f"{who}_cpu_us_per_order"] for who in ("engine", "postgres"))
    return Row(
        row="P3",
        what=f"engine alone, queued orders in batches of {batch:,}",
        figure=f"{rate:,} orders/s; CPU of an order: engine {engine_us:.0f} µs, "
        f"PostgreSQL {postgres_us:.0f} µs",
        value=rate,
        pace=pace,
        target=str(target),
        target_here=str(here),
        is_met=here.is_met(rate=rate),
        details=result,
    )


def measure_matching(quick: bool) -> list[Row]:
    """P4."""
    from benchmarks import matching

    tell_progress("matching")
    pace = measure_pace()
    *scenarios, worst = matching.run(messages=_P4_MESSAGES_QUICK if quick else _P4_MESSAGES)
    rate = worst["messages_per_second"]
    here = _P4_TARGET.at(pace)
    return [
        Row(
            row="P4",
            what="pure matching, the worst of five scenarios",
            figure=f"{rate / 1e6:.2f} M messages/s ({worst['scenario'].removeprefix('worst: ')})",
            value=rate,
            pace=pace,
            target=str(_P4_TARGET),
            target_here=str(here),
            is_met=here.is_met(rate=rate),
            details={"scenarios": scenarios},
        )
    ]


def measure_transfers(quick: bool) -> list[Row]:
    """P5."""
    from benchmarks.venue import empty_venue

    tell_progress("transfers of the ledger")
    with empty_venue():
        from benchmarks import transfers

        return transfers.run(_P5_SECONDS_QUICK if quick else _P5_SECONDS)


def measure_margin(quick: bool) -> list[Row]:
    """P6."""
    from benchmarks.venue import empty_venue

    tell_progress("margin of many accounts")
    with empty_venue():
        from benchmarks import margin

        return margin.run(quick)


def measure_start(quick: bool) -> list[Row]:
    """P7."""
    from benchmarks import growth
    from benchmarks.venue import empty_venue

    tell_progress("an engine's start")
    with empty_venue():
        return [growth.measure_start(_P7_OPEN_ORDERS_QUICK if quick else _P7_OPEN_ORDERS)]


def measure_growth(quick: bool, orders: int | None) -> list[Row]:
    """P8."""
    from benchmarks import growth

    return growth.run(orders or (_P8_ORDERS_QUICK if quick else _P8_ORDERS), quick=quick)


def measure_pages(quick: bool) -> list[Row]:
    """P1-PAGES."""
    from benchmarks import pages

    return pages.run(quick=quick)


def choose(
    wanted: Sequence[str], quick: bool, profile: bool, history: int | None
) -> list[tuple[str, Callable[[], list[Row]]]]:
    """What has to be called for the rows that are wanted, each with their names."""
    chosen: list[tuple[str, Callable[[], list[Row]]]] = []
    over_http = tuple(row for row in ("P1", "P2") if row in wanted)
    if over_http:
        chosen.append((", ".join(over_http), partial(measure_http, over_http, quick)))
    if "P3" in wanted:
        chosen.append(("P3", partial(measure_engine, quick, profile)))
    if "P4" in wanted:
        chosen.append(("P4", partial(measure_matching, quick)))
    if "P5" in wanted:
        chosen.append(("P5", partial(measure_transfers, quick)))
    if "P6" in wanted:
        chosen.append(("P6", partial(measure_margin, quick)))
    if "P7" in wanted:
        chosen.append(("P7", partial(measure_start, quick)))
    if "P8" in wanted:
        chosen.append(("P8", partial(measure_growth, quick, history)))
    if "P1-PAGES" in wanted:
        chosen.append(("P1-PAGES", partial(measure_pages, quick)))
    return chosen
