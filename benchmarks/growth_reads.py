"""The reads of P8: every hot read on full tables, how long it takes and how it is planned.

Requests go through the whole of Django (middleware, authentication, views, rendering), not through
a socket. The plans are those of the statements that the requests ran.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple

from benchmarks.report import Row, measure_pace, tell_progress
from benchmarks.targets import time_here

_TARGET_MS = 5.0
_REQUESTS, _WARM_UP = 100, 5
_HOST = "localhost"
# Tables that grow with every order; to read one whole is never right.
GROWING = frozenset(
    {
        "orders_order",
        "orders_orderkey",
        "orders_trade",
        "ledger_journalentry",
        "ledger_posting",
    }
)

Statement = tuple[str, Any]


def measure(history: int) -> list[Row]:
    """A row for each read. The engine has led before, so books are published."""
    reads = _reads(random.Random(1))
    return [_measure_read(history, what, draw) for what, draw in reads.items()]


def _reads(draw: random.Random) -> dict[str, Callable[[], tuple[str, str]]]:
    """By name: makes a path and the key that asks."""
    from brokers.models import Broker
    from brokers.services import create_api_key
    from marketdata.models import Instrument
    from orders.models import Order

    def api_key(broker_id: Any) -> str:
        return create_api_key(broker_id=broker_id, scopes=["read"]).secret

    keys = {
        broker.id: api_key(broker.id)
        for broker in Broker.objects.filter(accounts__isnull=False).distinct()
    }
    brokers = list(keys)
    symbols = list(Instrument.objects.values_list("symbol", flat=True))
    fields = ("id", "broker_id", "account_id", "client_order_id")
    sample = list(
        Order.objects.exclude(client_order_id=None)
        .filter(filled_quantity__gt=0)
        .order_by("id")
        .values_list(*fields)[:50_000:500]
    )

    def of_an_order(path: str) -> tuple[str, str]:
        order_id, broker_id, account_id, client_id = draw.choice(sample)
        return path.format(id=order_id, account=account_id, client_id=client_id), keys[broker_id]

    def of_a_broker(path: str) -> tuple[str, str]:
        return path, keys[draw.choice(brokers)]

    def of_an_instrument(path: str) -> tuple[str, str]:
        return of_a_broker(path.format(symbol=draw.choice(symbols)))

    by_client_id = "orders/by-client-id/{client_id}?account_id={account}"
    return {
        "order by id": lambda: of_an_order("orders/{id}"),
        "order by client id": lambda: of_an_order(by_client_id),
        "fills of an order": lambda: of_an_order("fills?order_id={id}"),
        "open orders of a broker": lambda: of_a_broker("orders?status=OPEN"),
        "orders of a broker": lambda: of_a_broker("orders"),
        "fills of a broker": lambda: of_a_broker("fills"),
        "balance": lambda: of_a_broker("balance"),
        "book": lambda: of_an_instrument("instruments/{symbol}/book"),
        "trades of an instrument": lambda: of_an_instrument("instruments/{symbol}/trades"),
        "ticker": lambda: of_an_instrument("instruments/{symbol}/ticker"),
    }


def _measure_read(history: int, what: str, draw: Callable[[], tuple[str, str]]) -> Row:
    from django.test import Client

    client, pace = Client(SERVER_NAME=_HOST), measure_pace()
    seconds, database_seconds = [], []
    statements: list[Statement] = []
    for number in range(-_WARM_UP, _REQUESTS):
        path, key = draw()
        with recorded() as ran:
            began = time.perf_counter()
            answer = client.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {key}"})
            took = time.perf_counter() - began
        assert answer.status_code == 200, f"{path}: {answer.content[:500]!r}"
        if number == 0:
            statements = [(sql, params) for sql, params, _ in ran]
        if number >= 0:
            seconds.append(took)
            database_seconds.append(sum(one.seconds for one in ran))
    p50, here = median(seconds) * 1000, time_here(_TARGET_MS, pace)
    in_database = median(database_seconds) * 1000
    scanned = sorted({name for statement in statements for name in scanned_whole(statement)})
    told = f"p50 {p50:.2f} ms, {in_database:.2f} ms of it in the database"
    told += f"; reads the whole of {', '.join(scanned)}" if scanned else ""
    tell_progress(f"{what}: {told}")
    return Row(
        row="P8",
        what=f"{what}, {history:,} orders in the tables",
        figure=told,
        value=p50,
        pace=pace,
        target=f"< {_TARGET_MS:.0f} ms, no table read whole",
        target_here=f"< {here:.1f} ms, no table read whole",
        is_met=p50 < here and not scanned,
        higher_is_better=False,
        details={"p99_ms": sorted(seconds)[int(0.99 * _REQUESTS)] * 1000,
                 "plans": [explain(statement) for statement in statements]},
    )  # fmt: skip


class Ran(NamedTuple):
    """A statement that was run, and how long that took."""

    sql: str
    params: Any
    seconds: float


@contextmanager
def recorded() -> Iterator[list[Ran]]:
    """Note what is selected meanwhile."""
    from django.db import connection

    statements: list[Ran] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        began = time.perf_counter()
        result = execute(sql, params, many, context)
        if sql.lstrip().startswith(("SELECT", "WITH")):
            statements.append(Ran(sql, params, time.perf_counter() - began))
        return result

    with connection.execute_wrapper(note):
        yield statements


def explain(statement: Statement) -> Any:
    """The plan of a statement, as PostgreSQL's JSON."""
    from django.db import connection

    sql, params = statement
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        [(found,)] = cursor.fetchall()
    plan = json.loads(found) if isinstance(found, str) else found
    return plan[0]["Plan"]


def scanned_whole(statement: Statement) -> set[str]:
    """The growing tables that a statement reads from end to end."""
    return set(_scanned(explain(statement)))


def _scanned(plan: dict[str, Any]) -> Iterator[str]:
    """Sequential scans, and index scans that begin and end nowhere."""
    node, is_bounded = plan["Node Type"], "Index Cond" in plan
    if node == "Seq Scan" or (node in ("Index Scan", "Index Only Scan") and not is_bounded):
        if plan["Relation Name"] in GROWING:
            yield plan["Relation Name"]
    elif node == "Bitmap Index Scan" and not is_bounded:
        yield plan["Index Name"]
    for part in plan.get("Plans", ()):
        yield from _scanned(part)
