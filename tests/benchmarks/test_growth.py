"""P7 and P8 in small: rows and plans on filled tables."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from benchmarks import growth, growth_reads
from brokers.types import Principal
from exchange_project.history.loading import HistoryPlan, load_history
from exchange_project.history.world import Size
from orders.models import Order, Trade
from orders.selectors.orders import list_open_orders
from orders.tests.emptying import empty_tables
from orders.tests.engine.harness import Harness

_PLAN = HistoryPlan(
    orders=30_000, open_orders=2_000, size=Size(brokers=20, accounts_per_broker=3, instruments=25)
)


@pytest.fixture
def loaded(transactional_db: None, valkey: Any) -> Iterator[None]:
    """A venue with a history, and its books published."""
    load_history(_PLAN)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) orders_order, orders_trade, orders_orderkey")
    instrument = Trade.objects.order_by("id")[0].instrument
    Harness(instrument).stop()
    yield
    empty_tables()


def test_no_hot_read_goes_through_a_whole_table(loaded: None) -> None:
    rows = growth_reads.measure(_PLAN.orders)

    assert len(rows) == 10
    assert [row.figure for row in rows if "whole" in row.figure] == []
    assert all(row.details["plans"] for row in rows)
    shown = next(row for row in rows if row.what.startswith("fills of a broker"))
    indexes = {
        node["Index Name"]
        for plan in shown.details["plans"]
        for node in _nodes(plan)
        if "Index Name" in node
    }
    assert {"trade_of_buy_account", "trade_of_sell_account"} <= indexes


def test_a_scan_of_a_whole_table_is_seen(loaded: None) -> None:
    scanned = growth_reads.scanned_whole
    assert scanned(("SELECT * FROM orders_trade WHERE quantity = 3", None)) == {"orders_trade"}
    assert scanned(("SELECT sum(amount) FROM ledger_posting", None)) == {"ledger_posting"}
    # Backwards through a whole index, for want of a better one.
    query = "SELECT * FROM orders_order WHERE reason = %s ORDER BY id DESC LIMIT 5"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        assert scanned((query, ["by_user"])) == {"orders_order"}
    order = Order.objects.order_by("id")[0]
    assert scanned(("SELECT * FROM orders_order WHERE id = %s", [order.id])) == set()
    assert scanned(("SELECT * FROM brokers_broker", None)) == set()


def test_a_mass_cancel_finds_open_orders_by_their_index(loaded: None) -> None:
    broker_id = random.Random(1).choice(Order.objects.values_list("broker_id", flat=True)[:100])
    principal = Principal(
        key_id=None, broker_id=broker_id, broker_name="", account_id=None, scopes=frozenset()
    )
    with growth_reads.recorded() as ran:
        found = list_open_orders(principal=principal, symbol=None, account_id=None)

    expected = Order.objects.filter(broker_id=broker_id, status__in=Order.OPEN_STATUSES)
    assert {one.order_id for one in found} == set(expected.values_list("id", flat=True)) != set()
    [plan] = [growth_reads.explain((sql, params)) for sql, params, _ in ran]
    assert "order_open_of_broker" in {node.get("Index Name") for node in _nodes(plan)}


def test_an_engine_starts_on_all_open_orders(transactional_db: None, valkey: Any) -> None:
    row = growth.measure_start(3_000)
    empty_tables()

    assert row.failure == ""
    assert "CPU: engine" in row.figure
    assert row.is_met is None


@pytest.mark.parametrize(("after", "expected"), [(190.0, "yes"), (250.0, "no")])
def test_growth_is_a_ratio_at_one_pace(after: float, expected: str) -> None:
    def drain(cpu: float, pace: float) -> dict[str, Any]:
        return {
            "engine_cpu_us_per_order": cpu / 2,
            "postgres_cpu_us_per_order": cpu / 2,
            "wall_us_per_order": cpu,
            "pace": pace,
        }

    # The machine was twice as slow afterwards.
    row = growth.cost_row(10, 64, [drain(160.0, 0.095)] * 3, [drain(2 * after, 0.19)] * 3)

    assert row.value == pytest.approx(after / 160)
    assert row.met() == expected
    assert f"CPU {after:.0f} µs after 160" in row.figure


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)
