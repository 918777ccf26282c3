"""P5: transfers of the ledger, all triggers on, beside a bare pgbench of the same row writes.

Both run in turn on one server with real durability: twenty connections that make one transfer each
time between any of 1,000 wallets; the same between 10; and batches of 500. pgbench's script locks
two wallets in the order of ids, inserts entry, postings and transfer, updates both balances and
commits: no rules, no keys, no Python. At the end balances and postings must agree.
"""

import os
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.report import Row, tell_progress

CONNECTIONS = 20
WALLETS, HOT_WALLETS = 1_000, 10
BATCH = 500
_SHARE_OF_BARE = 0.7
_FUNDS = 10**9

# One transfer's row writes and nothing else; amounts are of the wallets' only currency.
_SCRIPT = """
\\set low random(1, {wallets} - 1)
\\set high random(:low + 1, {wallets})
BEGIN;
SELECT posted_balance, version FROM ledger_ledgeraccount
 WHERE id IN ({first_id} + :low, {first_id} + :high) ORDER BY id FOR NO KEY UPDATE;
SELECT gen_random_uuid() AS id \\gset
INSERT INTO ledger_journalentry (id, kind, source_kind, source_id, actor, memo, occurred_at)
VALUES (:id::uuid, 'TRANSFER', 'transfer', :id::uuid, 'pgbench', '', now());
INSERT INTO ledger_posting
       (entry_id, ledger_account_id, asset_id, amount, balance_after, account_version)
SELECT :id::uuid, a.id, a.asset_id, d.amount, a.posted_balance + d.amount, a.version + 1
  FROM ledger_ledgeraccount a
  JOIN (VALUES ({first_id} + :low, -1), ({first_id} + :high, 1)) AS d (id, amount) USING (id);
UPDATE ledger_ledgeraccount SET posted_balance = posted_balance - 1, version = version + 1
 WHERE id = {first_id} + :low;
UPDATE ledger_ledgeraccount SET posted_balance = posted_balance + 1, version = version + 1
 WHERE id = {first_id} + :high;
INSERT INTO ledger_transfer (id, source_id, destination_id, asset_id, amount, posted_amount, status,
                             actor, created_at, finished_at)
VALUES (:id::uuid, {first_id} + :low, {first_id} + :high, {asset_id}, 1, 1, 'COMPLETED', 'pgbench',
        now(), now());
COMMIT;
"""


class Wallets:
    """Funded wallets of one broker, with ids in a row."""

    def __init__(self, count: int) -> None:
        from django.db import connection

        from brokers.models import Broker, TradingAccount
        from ledger import bulk
        from ledger.services import deposit
        from marketdata.models import Asset

        asset = Asset.objects.create(code="USD", kind="FIAT", scale=4)
        broker = Broker.objects.create(name="Bench")
        accounts = TradingAccount.objects.bulk_create(
            TradingAccount(broker=broker, document_number=str(n), funding="PREFUNDED")
            for n in range(count)
        )
        with connection.cursor() as cursor:
            keys = [(account.id, asset.id, "CASH") for account in accounts]
            self.ids = sorted(bulk.ensure_client_accounts(cursor, keys).values())
        for account in accounts:
            deposit(
                account_id=account.id,
                asset="USD",
                amount=Decimal(_FUNDS),
                source_id=UUID(int=account.id),
                actor="bench",
            )
        assert self.ids == list(range(self.ids[0], self.ids[0] + count))
        self.broker_id, self.asset_id = broker.id, asset.id

    def script(self, wallets: int) -> str:
        """The bare script over the first `wallets` of them."""
        first = self.ids[0] - 1
        return _SCRIPT.format(wallets=wallets, first_id=first, asset_id=self.asset_id)

    def order(self, draw: random.Random, wallets: int) -> Any:
        """A transfer of 1 between two of the first `wallets`."""
        from common.ids import new_uuid
        from ledger.services.transfers.orders import TransferOrder

        source, destination = draw.sample(range(wallets), 2)
        return TransferOrder(
            id=new_uuid(),
            broker_id=self.broker_id,
            account_id=None,
            actor="bench",
            source_id=self.ids[source],
            destination_id=self.ids[destination],
            amount=Decimal(1),
        )


def run(seconds: float) -> list[Row]:
    """The rows of P5. Django is set up and the database is empty."""
    wallets = Wallets(WALLETS)
    rows = []
    for what, among in (("one by one", WALLETS), ("contended, 10 wallets", HOT_WALLETS)):
        bare, ours = _in_turn(
            partial(bare_rate, wallets.script(among)),
            partial(single_rate, wallets, among),
            seconds,
        )
        rows.append(_row(f"{what}, {CONNECTIONS} callers", ours, bare))
    bare = bare_rate(wallets.script(WALLETS), seconds / 2)
    rows.append(_row(f"batches of {BATCH}", batch_rate(wallets, seconds), bare))
    failure = what_is_wrong()
    return [_failed(row, failure) for row in rows] if failure else rows


def single_rate(wallets: Wallets, among: int, seconds: float) -> float:
    """Transfers a second of threads that make one each time, as the threads of web do."""
    from django.db import connection

    from ledger.services.transfers.making import make_transfer

    stop = threading.Event()

    def work(seed: int) -> int:
        draw, done = random.Random(seed), 0
        while not stop.is_set():
            outcome = make_transfer(order=wallets.order(draw, among))
            assert outcome.error is None, outcome.error
            done += 1
        connection.close()
        return done

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        began = time.perf_counter()
        workers = [pool.submit(work, seed) for seed in range(CONNECTIONS)]
        time.sleep(seconds)
        stop.set()
        done = sum(worker.result() for worker in workers)
        return done / (time.perf_counter() - began)


def batch_rate(wallets: Wallets, seconds: float) -> float:
    """Transfers a second in batches, one after the other."""
    from ledger.services.transfers.making import make_transfers

    draw, done, began = random.Random(0), 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        outcomes = make_transfers(orders=[wallets.order(draw, WALLETS) for _ in range(BATCH)])
        assert not any(outcome.error for outcome in outcomes)
        done += len(outcomes)
    return done / elapsed


def bare_rate(script: str, seconds: float) -> float:
    """pgbench's transactions a second with this script."""
    from embedded import programs

    folder = programs.find_postgres(open_to_all=os.geteuid() == 0).folder
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "transfer.sql"
        file.write_text(script)
        ended = subprocess.run(
            [folder / "pgbench", "--no-vacuum", "--protocol=prepared", f"--client={CONNECTIONS}",
             "--jobs=2", f"--time={max(1, round(seconds))}", f"--file={file}"],
            env={**os.environ, **_connection_environ()},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if ended.returncode:
        raise RuntimeError(f"pgbench failed: {ended.stderr[-500:]}")
    line = next(line for line in ended.stdout.splitlines() if line.startswith("tps ="))
    return float(line.split()[2])


def what_is_wrong() -> str:
    """Why the figures do not count; empty when balances and postings agree."""
    from common.reconciliation import one_moment, run_checks
    from ledger.reconciliation import CHECKS

    with one_moment():
        results = list(run_checks(CHECKS, shown_max=1))
    return ", ".join(result.name for result in results if result.difference_count)


def _in_turn(
    bare: Callable[[float], float], ours: Callable[[float], float], seconds: float
) -> tuple[float, float]:
    """Both in two halves, turn by turn, since a shared machine changes its speed."""
    rates: list[Sequence[float]] = [(bare(seconds / 2), ours(seconds / 2)) for _ in range(2)]
    return sum(pair[0] for pair in rates) / 2, sum(pair[1] for pair in rates) / 2


def _row(what: str, ours: float, bare: float) -> Row:
    tell_progress(f"transfers {what}: {ours:,.0f}/s, bare pgbench {bare:,.0f}/s")
    return Row(
        row="P5",
        what=f"transfers, {what}",
        figure=f"{ours:,.0f}/s; bare pgbench {bare:,.0f}/s",
        value=ours,
        target=f"≥ {_SHARE_OF_BARE:.0%} of bare pgbench",
        is_met=ours >= _SHARE_OF_BARE * bare,
        details={"ours": ours, "bare": bare},
    )


def _failed(row: Row, failure: str) -> Row:
    return Row(row=row.row, what=row.what, figure=row.figure, value=row.value, failure=failure)


def _connection_environ() -> dict[str, str]:
    """Where Django's connection goes, as libpq's own programs are told."""
    from django.db import connection

    connection.ensure_connection()
    info = connection.connection.info
    return {
        "PGHOST": info.host,
        "PGPORT": str(info.port),
        "PGUSER": info.user,
        "PGPASSWORD": info.password,
        "PGDATABASE": info.dbname,
    }
