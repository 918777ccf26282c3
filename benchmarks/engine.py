"""P3: the engine alone drains a queue of orders, funds checked, full double entry.

Every account is PREFUNDED: each order is checked against its balance and holds what it may cost.
The orders are valid for a day and their window is long, since they wait in the queue.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.flow import BROKERS, CANCELS_PER_ORDER, SYMBOLS, Flow
from benchmarks.processor_time import cpu_seconds
from benchmarks.report import measure_pace

ACCOUNTS_PER_BROKER = 4
DAY_MICROS = 86_400_000_000


def make_venue(accounts_per_broker: int) -> tuple[list[int], list[tuple[int, bytes]]]:
    """450 equities and funded accounts: ids of instruments, (account, broker) ids."""
    from django.db import connection

    from brokers.models import Broker, TradingAccount
    from ledger import bulk
    from marketdata.models import Asset, Instrument

    usd = Asset.objects.create(code="USD", kind="FIAT", scale=4)
    shares = Asset.objects.bulk_create(
        Asset(code=f"SYM{i}", kind="SECURITY", scale=0) for i in range(SYMBOLS)
    )
    instruments = Instrument.objects.bulk_create(
        Instrument(
            symbol=share.code,
            kind="EQUITY",
            base_asset=share,
            quote_asset=usd,
            tick_size="0.01",
            lot_size=1,
            price_rule="SELLER",
            maker_fee_rate="0.0002",
            taker_fee_rate="0.0005",
        )
        for share in shares
    )
    brokers = Broker.objects.bulk_create(Broker(name=f"Broker {i}") for i in range(BROKERS))
    accounts = TradingAccount.objects.bulk_create(
        TradingAccount(broker=broker, document_number=str(n), funding="PREFUNDED")
        for broker in brokers
        for n in range(accounts_per_broker)
    )
    with connection.cursor() as cursor:
        keys = [(a.id, usd.id, "CASH") for a in accounts]
        keys += [(a.id, share.id, "SECURITY") for a in accounts for share in shares]
        for start in range(0, len(keys), 10_000):
            bulk.ensure_client_accounts(cursor, keys[start : start + 10_000])
        _fund(cursor)
        cursor.execute("ANALYZE")
    return [i.id for i in instruments], [(a.id, a.broker_id.bytes) for a in accounts]


def _fund(cursor: Any) -> None:
    """Give everybody plenty, out of the transit accounts, as one entry an asset."""
    cursor.execute("SET statement_timeout = 0")
    cursor.execute(
        "INSERT INTO ledger_ledgeraccount (kind, asset_id)"
        " SELECT 'TRANSIT', id FROM marketdata_asset"
    )
    cursor.execute(
        """
        WITH entry AS (
            INSERT INTO ledger_journalentry
                   (id, kind, source_kind, source_id, actor, occurred_at)
            SELECT gen_random_uuid(), 'DEPOSIT', 'bench', gen_random_uuid(), 'bench', now()
            RETURNING id
        ), line AS (
            UPDATE ledger_ledgeraccount a SET posted_balance = d.amount, version = 1
              FROM (SELECT id, CASE WHEN trading_account_id IS NOT NULL THEN 1000000000
                               ELSE -1000000000 * (count(*) OVER (PARTITION BY asset_id) - 1) END
                      FROM ledger_ledgeraccount) AS d (id, amount)
             WHERE a.id = d.id RETURNING a.id, a.asset_id, a.posted_balance
        )
        INSERT INTO ledger_posting
               (entry_id, ledger_account_id, asset_id, amount, balance_after, account_version)
        SELECT entry.id, line.id, asset_id, posted_balance, posted_balance, 1 FROM line, entry
        """
    )


def commands(
    count: int, instruments: list[int], accounts: list[tuple[int, bytes]], flow: Flow
) -> Iterator[Any]:
    """`count` orders of the mix and the cancels that come with them."""
    from common.ids import new_uuid
    from orders.commands import CancelOrder, PlaceOrder

    draw = flow.random
    valid_until = time.time_ns() // 1000 + DAY_MICROS
    placed: list[tuple[bytes, bytes]] = []
    for _ in range(count):
        symbol, is_buy, price, quantity = flow.order()
        account_id, broker_id = draw.choice(accounts)
        order_id = new_uuid().bytes
        yield PlaceOrder(
            order_id,
            "bench",
            account_id,
            broker_id,
            instruments[symbol],
            1 if is_buy else 2,
            2 if price is None else 1,
            3 if price is None else 2,
            price,
            quantity,
            None if price is None else valid_until,
            None,
            10_000_000,
        )
        if price is not None:
            placed.append((order_id, broker_id))
        if placed and draw.random() < CANCELS_PER_ORDER:
            recent = placed[-min(len(placed), 5_000) :]
            target, owner = draw.choice(recent)
            yield CancelOrder(new_uuid().bytes, "bench", target, owner, None)


def queue(items: Iterator[Any]) -> int:
    """Put commands in the stream of shard 0; how many."""
    from common.valkey import get_client
    from orders.commands import encode
    from orders.streams import COMMAND_FIELD, command_stream

    client, stream, count = get_client(), command_stream(0), 0
    pipeline = client.pipeline(transaction=False)
    for item in items:
        pipeline.xadd(stream, {COMMAND_FIELD: encode(item)})
        count += 1
        if count % 2_000 == 0:
            pipeline.execute()
    pipeline.execute()
    return count


def drain(profile: bool) -> dict[str, Any]:
    """Drain the queue: seconds, batches, and the processor time of the engine and its backend."""
    from common.database import database_dsn
    from common.valkey import get_client
    from orders.engine.process.runner import Engine
    from orders.streams import command_stream

    engine = Engine(database_dsn(), 0)
    engine.lead()
    backend = engine.backend_pid
    own_before, backend_before = time.process_time(), cpu_seconds(backend)
    profiler = cProfile.Profile()
    batches = 0
    began = time.perf_counter()
    if profile:
        profiler.enable()
    while get_client().xlen(command_stream(0)):
        engine.turn()
        batches += 1
    profiler.disable()
    seconds = time.perf_counter() - began
    own, postgres = time.process_time() - own_before, cpu_seconds(backend) - backend_before
    engine.close()
    if profile:
        print_statements()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
    return {"seconds": seconds, "batches": batches, "engine_cpu": own, "postgres_cpu": postgres}


def print_statements() -> None:
    """Where PostgreSQL spent its time, by statement."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT calls, round(total_exec_time), rows, wal_bytes, left(query, 60)"
            " FROM pg_stat_statements WHERE query ~ 'orders_|ledger_|brokers_|COMMIT'"
            " ORDER BY total_exec_time DESC LIMIT 25"
        )
        for line in cursor.fetchall():
            print(*line)


def run(
    orders_by_batch: Mapping[int, int],
    *,
    profile: bool = False,
    seed: int = 1,
    accounts_per_broker: int = ACCOUNTS_PER_BROKER,
) -> list[dict[str, Any]]:
    """Drain so many orders in batches of each size, one after the other, on one venue.

    Django is set up and the database is empty.
    """
    instruments, accounts = make_venue(accounts_per_broker)
    flow = Flow(seed)
    return [
        drain_orders(commands(orders, instruments, accounts, flow), orders, batch, profile=profile)
        for batch, orders in orders_by_batch.items()
    ]


def drain_orders(
    items: Iterator[Any], orders: int, batch: int, *, profile: bool = False
) -> dict[str, Any]:
    """Queue commands, of which `orders` are new orders, and drain them; figures for each order."""
    from django.conf import settings

    from orders.models import Order, Trade

    settings.ENGINE_BATCH_MAX = batch
    pace = measure_pace()
    trades, stored = Trade.objects.count(), Order.objects.count()
    rejected = Order.objects.filter(status="REJECTED").count()
    queued = queue(items)
    measured = drain(profile)
    seconds = measured["seconds"]
    return {
        "batch": batch,
        "pace": pace,
        "orders": orders,
        "commands": queued,
        "batches": measured["batches"],
        "trades": Trade.objects.count() - trades,
        "stored": Order.objects.count() - stored,
        "rejected": Order.objects.filter(status="REJECTED").count() - rejected,
        "seconds": round(seconds, 2),
        "orders_per_second": round(orders / seconds),
        "wall_us_per_order": round(seconds / orders * 1e6, 1),
        "engine_cpu_us_per_order": round(measured["engine_cpu"] / orders * 1e6, 1),
        "postgres_cpu_us_per_order": round(measured["postgres_cpu"] / orders * 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    from benchmarks.venue import empty_venue

    with empty_venue():
        print(*run({options.batch: options.orders}, profile=options.profile))


if __name__ == "__main__":
    main()
