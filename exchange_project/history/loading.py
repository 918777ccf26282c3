"""Loads a made-up history in stretches, each a transaction that leaves the venue consistent.

Nothing is switched off: every constraint and trigger holds for every row. While one stretch is
stored, the next one is made in a thread. An interrupted load leaves a shorter history.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection, transaction

from common.database import allow_long_statements
from exchange_project.history.copying import Stretch, prepare_stretch, store_stretch
from exchange_project.history.errors import EngineTookLead, HistoryRefused
from exchange_project.history.market import Events, Market
from exchange_project.history.world import ENGINE_SHARD, Size, World, make_world
from orders.engine.process import leadership
from orders.models import EngineShard, Order, Trade

# What closes a while after it came is over by now.
_AGE_SECONDS = 60
_STRETCH_ORDERS = 50_000
_STATEMENT_SECONDS = 1_800
# The backend of an engine that has just ended keeps its lead for a moment.
_RELEASE_SECONDS = 2.0
_SECOND = 1_000_000
_FILLED_TABLES = (
    "brokers_broker",
    "brokers_tradingaccount",
    "marketdata_asset",
    "marketdata_instrument",
    "ledger_ledgeraccount",
    "ledger_journalentry",
    "ledger_entrysource",
    "ledger_posting",
    "orders_order",
    "orders_orderkey",
    "orders_trade",
    "orders_brokernet",
)
_CHECKPOINT = """
UPDATE orders_engineshard SET next_sequence = %s, batch_time = greatest(batch_time, %s)
 WHERE shard = %s AND epoch = %s
"""


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """What to load: `orders` in all, of which `open_orders` are open at the end."""

    orders: int
    open_orders: int = 0
    orders_per_second: int = 1_000
    seed: int = 1
    size: Size = field(default_factory=Size)
    stretch_orders: int = _STRETCH_ORDERS


@dataclass(frozen=True, slots=True)
class Loaded:
    """How much is stored so far, and for how long; both without the deposits."""

    orders: int = 0
    trades: int = 0
    postings: int = 0
    seconds: float = 0.0

    def plus(self, stretch: Stretch, seconds: float) -> "Loaded":
        """With one more stretch stored, after so many seconds in all."""
        return Loaded(
            self.orders + stretch.order_count,
            self.trades + stretch.trades.count("\n"),
            self.postings + stretch.ledger.postings.count("\n"),
            seconds,
        )


def load_history(
    plan: HistoryPlan, *, on_progress: Callable[[Loaded], None] = lambda loaded: None
) -> Loaded:
    """Load a history into a venue that has no orders and whose engine does not run.

    Raises:
        HistoryRefused: there are orders, or an engine runs. Nothing was changed.
        EngineTookLead: an engine started meanwhile; what was loaded until then stays.
    """
    assert 0 <= plan.open_orders <= plan.orders, "more orders are open than there are"
    with _no_engine():
        _check_venue()
        loaded = _load(plan, on_progress)
        _analyze()
    return loaded


def _load(plan: HistoryPlan, on_progress: Callable[[Loaded], None]) -> Loaded:
    shard, _ = EngineShard.objects.get_or_create(shard=ENGINE_SHARD)
    step = max(1, _SECOND // plan.orders_per_second)
    began_at = time.time_ns() // 1000 - _AGE_SECONDS * _SECOND - plan.orders * step
    world = make_world(plan.size, at=began_at)
    market = Market(
        world.terms, seed=plan.seed, began_at=began_at, step=step, next_sequence=shard.next_sequence
    )
    stretches = _stretches(world, market, plan)
    began, loaded = time.monotonic(), Loaded()
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, stretches, None)
        while (stretch := coming.result()) is not None:
            coming = maker.submit(next, stretches, None)
            _store(world, stretch, shard.epoch)
            loaded = loaded.plus(stretch, time.monotonic() - began)
            on_progress(loaded)
    return loaded


def _check_venue() -> None:
    """See that there is nothing that a history would contradict.

    Raises:
        HistoryRefused: there are orders or trades.
    """
    if Order.objects.exists() or Trade.objects.exists():
        raise HistoryRefused("This venue has orders. A history is loaded before the first one.")


@contextmanager
def _no_engine() -> Iterator[None]:
    """Hold the lead of the shard, so that no engine starts on half a history.

    Raises:
        HistoryRefused: an engine leads.
    """
    connection.ensure_connection()
    deadline = time.monotonic() + _RELEASE_SECONDS
    while not leadership.try_acquire(connection.connection, ENGINE_SHARD):
        if time.monotonic() > deadline:
            raise HistoryRefused(f"The engine of shard {ENGINE_SHARD} runs. Stop it first.")
        time.sleep(0.05)
    try:
        yield
    finally:
        leadership.release(connection.connection, ENGINE_SHARD)


def _stretches(world: World, market: Market, plan: HistoryPlan) -> Iterator[Stretch]:
    """First what is over, then what stays open."""
    over, still_open = plan.orders - plan.open_orders, plan.open_orders
    while over:
        count = min(over, plan.stretch_orders)
        over -= count
        events = market.trade(count)
        if not over and market.resting_count <= still_open:
            resting = market.leave_resting().orders
            still_open -= len(resting)
            events.orders += resting + market.pass_by(len(resting)).orders
        else:
            market.cancel_resting(events)
        yield _prepare(world, market, events)
    while still_open:
        count = min(still_open, plan.stretch_orders)
        still_open -= count
        yield _prepare(world, market, market.leave_open(count))


def _prepare(world: World, market: Market, events: Events) -> Stretch:
    return prepare_stretch(world, events, next_sequence=market.next_sequence, until=market.now)


def _store(world: World, stretch: Stretch, epoch: int) -> None:
    """One transaction: the rows, the balances, and where an engine goes on from."""
    with transaction.atomic(), connection.cursor() as cursor:
        allow_long_statements(_STATEMENT_SECONDS)
        cursor.execute("SET LOCAL work_mem = '256MB'")
        with connection.wrap_database_errors:
            store_stretch(cursor.cursor, stretch, asset_id=world.currency.id)
        cursor.execute(_CHECKPOINT, [stretch.next_sequence, stretch.until, ENGINE_SHARD, epoch])
        if cursor.rowcount != 1:
            raise EngineTookLead(f"An engine of shard {ENGINE_SHARD} has started meanwhile.")


def _analyze() -> None:
    """Let the planner know how much there is now; an autovacuum of a table is waited for."""
    for table in _FILLED_TABLES:
        with transaction.atomic(), connection.cursor() as cursor:
            allow_long_statements(_STATEMENT_SECONDS)
            cursor.execute("SET LOCAL lock_timeout = 0")
            cursor.execute(f"ANALYZE {table}")
