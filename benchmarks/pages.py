"""P1-PAGES: hot requests alone, and while others page the back office and download statements.

The venue has a small history, so that lists have pages and statements have lines. The whole traffic
of P1 comes in an open loop at 100 %; what is compared is the p99 of all of its requests.
"""

import hashlib
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from benchmarks.http import describe_unexpected, offer
from benchmarks.http_venue import Bench
from benchmarks.paging import PagingPlan
from benchmarks.report import Row, measure_pace, tell_progress
from embedded import paths
from embedded.trial import TrialVenue, trial_venue

PAGERS, DOWNLOADS = 8, 2
_EMAIL = "bench@example.com"
_ORDERS = 100_000
_STOP_SECONDS = 30
_INSERT_KEY = """
INSERT INTO brokers_apikey (id, broker_id, name, prefix, key_hash, scopes, created_at, updated_at)
SELECT gen_random_uuid(), broker_id, 'bench', %s, %s, '{read}', now(), now()
  FROM brokers_tradingaccount WHERE id = %s
"""
# Those with the longest statements.
_ACCOUNTS = """
SELECT a.trading_account_id FROM ledger_ledgeraccount a
 WHERE a.kind = 'CASH' ORDER BY a.version DESC LIMIT %s
"""


def run(*, quick: bool) -> list[Row]:
    """A row alone, and one with the others."""
    seconds = 5 if quick else 20
    password = secrets.token_urlsafe(16)
    tell_progress("starting a venue with a history")
    with (
        tempfile.TemporaryDirectory() as folder,
        trial_venue(
            environ={"ADMIN_EMAIL": _EMAIL, "ADMIN_PASSWORD": password},
            prepare=(
                ("prepare_venue",),
                ("load_history", f"--orders={_ORDERS}", "--brokers=5", "--accounts=2",
                 "--instruments=50"),
            ),
        ) as venue,
    ):  # fmt: skip
        bench = Bench(venue, Path(folder))
        bench.load(connections=8, seconds=0, prime=True)
        rows = [_measure(bench, "alone", seconds)]
        bench.let_queue_drain()
        with paging(venue, Path(folder), password) as result:
            rows.append(_measure(bench, f"beside {PAGERS} pagers, {DOWNLOADS} downloads", seconds))
        rows[-1] = _with_others(rows[-1], result)
        bench.let_queue_drain()
        failure = bench.what_is_wrong()
    return [replace(row, failure=failure) for row in rows] if failure else rows


def _measure(bench: Bench, what: str, seconds: float) -> Row:
    pace = measure_pace()
    result = offer(bench, 1.0, seconds)
    p99 = result["all"]["p99_ms"]
    is_clean = not (result["unexpected"] or result["lost_connections"])
    return Row(
        row="P1-PAGES",
        what=f"open loop at 100%, {what}",
        figure=f"p50 {result['all']['p50_ms']} ms, p99 {p99} ms{describe_unexpected(result)}",
        value=p99,
        pace=pace,
        is_result=is_clean,
        higher_is_better=False,
        details=result,
    )


def _with_others(row: Row, others: dict[str, Any]) -> Row:
    """The row with what the others got meanwhile."""
    told = f"{others['pages_per_second']} pages/s, {others['csv_megabytes']} MB of CSV"
    strange = {name: n for name, n in others["statuses"].items() if not name.endswith(" 200")}
    if strange:
        told += f", {', '.join(f'{count} × {name}' for name, count in strange.items())}"
    return replace(row, figure=f"{row.figure}; {told}", details={**row.details, "others": others})


@contextmanager
def paging(venue: TrialVenue, folder: Path, password: str) -> Iterator[dict[str, Any]]:
    """Let others page and download meanwhile; the mapping is filled at the end."""
    stop, plan_file, result_file = folder / "stop", folder / "paging.plan", folder / "paging.json"
    plan = PagingPlan(
        port=venue.port,
        email=_EMAIL,
        password=password,
        pagers=PAGERS,
        downloads=_downloads(venue),
        stop=str(stop),
    )
    plan_file.write_bytes(msgspec.json.encode(plan))
    others = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.paging", plan_file, result_file],
        cwd=paths.project_root(),
    )
    result: dict[str, Any] = {}
    try:
        time.sleep(2)  # they log in
        yield result
        stop.touch()
        others.wait(_STOP_SECONDS)
    finally:
        others.kill()
        others.wait()
    result |= msgspec.json.decode(result_file.read_bytes())


def _downloads(venue: TrialVenue) -> list[tuple[str, str]]:
    """Statements as CSV, with keys of their brokers."""
    downloads = []
    with psycopg.connect(venue.database_url) as connection:
        for (account_id,) in connection.execute(_ACCOUNTS, [DOWNLOADS]).fetchall():
            key = f"bk_{secrets.token_urlsafe(32)}"
            digest = hashlib.sha256(key.encode()).hexdigest()
            connection.execute(_INSERT_KEY, [key[:8], digest, account_id])
            downloads.append((f"/api/v1/accounts/{account_id}/statement?format=csv", key))
    return downloads
