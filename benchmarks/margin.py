"""P6: the sweep after all marks have moved: who is to be liquidated, who is called for collateral.

100,000 accounts with positions in two perpetuals, long and short in turn, and as many more that are
flat by now. All marks fall step by step, so that each sweep finds more, and rise again, so that
calls are resolved. Timed are both set-based statements, with the events for the brokers, but not
the commands to the engine. The slowest sweep counts. Each must find exactly whom a plain sum finds.
"""

import time
from decimal import Decimal
from typing import Any

from benchmarks.report import Row, measure_pace, tell_progress
from benchmarks.targets import time_here

ACCOUNTS = 100_000
_TARGET_SECONDS = 2.0
# What the marks are, as a share of the prices at which all positions were entered.
_MOVES = ("1", "0.98", "0.96", "0.94", "0.92", "0.94", "0.97", "1", "1.03")
_MOVES_QUICK = ("1", "0.98", "1.01")
# (symbol, price, quantity of a position)
_PERPETUALS = (("BTC-PERP", Decimal(50_000), "0.1"), ("ETH-PERP", Decimal(2_500), "1"))

_ACCOUNTS = """
INSERT INTO brokers_tradingaccount
       (broker_id, document_number, funding, status, created_at, updated_at)
SELECT %s, n::text, 'PREFUNDED', 'ACTIVE', now(), now() FROM generate_series(1, %s) AS n
"""
# From a tenth of what the positions are worth up to well above it.
_COLLATERAL = """
INSERT INTO ledger_ledgeraccount (trading_account_id, asset_id, kind, posted_balance)
SELECT id, %s, kind, CASE kind WHEN 'CASH' THEN 0 ELSE 800 + id %% 12000 END
  FROM brokers_tradingaccount CROSS JOIN (VALUES ('CASH'), ('MARGIN')) AS k (kind)
"""
_POSITIONS = """
INSERT INTO margin_position
       (account_id, instrument_id, quantity, cost_basis, open_buy, open_sell, loss_reserve,
        realized_pnl, version, updated_at)
SELECT id, %(instrument)s, quantity, quantity * %(price)s, 0, 0, 0, 0, 1, now()
  FROM (SELECT id, CASE WHEN id - %(first)s >= %(accounts)s THEN 0
                        WHEN id %% 2 = 0 THEN %(quantity)s::numeric
                        ELSE -%(quantity)s::numeric END AS quantity
          FROM brokers_tradingaccount) q
"""
_MARKS = """
INSERT INTO marketdata_markprice
       (instrument_id, price, source, as_of, posted_at, actor, is_forced)
SELECT instrument_id, price * %s::numeric, 'POSTED', now(), now(), 'bench', true
  FROM unnest(%s::bigint[], %s::numeric[]) AS u (instrument_id, price)
"""
# By a plain sum: who is below, and how many calls are missing or open without need.
_PLAIN = """
WITH sums AS (
    SELECT p.account_id,
           l.posted_balance + sum(p.quantity * u.price * %(share)s::numeric - p.cost_basis)
               AS equity,
           sum(abs(p.quantity) * u.price * %(share)s::numeric) * 0.1 AS margin
      FROM margin_position p
      JOIN unnest(%(ids)s::bigint[], %(prices)s::numeric[]) AS u (instrument_id, price)
     USING (instrument_id)
      JOIN ledger_ledgeraccount l
        ON l.trading_account_id = p.account_id AND l.kind = 'MARGIN'
     WHERE p.quantity <> 0
     GROUP BY p.account_id, l.posted_balance)
SELECT count(DISTINCT s.account_id) FILTER (WHERE s.equity < s.margin),
       count(*) FILTER (WHERE s.margin >= s.equity * v.level AND c.id IS NULL),
       count(*) FILTER (WHERE s.margin < s.equity * (v.level - 0.05) AND c.id IS NOT NULL)
  FROM sums s CROSS JOIN unnest(ARRAY[0.8, 0.9]) AS v (level)
  LEFT JOIN margin_margincall c
    ON c.account_id = s.account_id AND c.level = v.level AND c.resolved_at IS NULL
"""


class Book:
    """The accounts and their positions, in a database that is empty before."""

    def __init__(self, accounts: int) -> None:
        from django.db import connection

        from brokers.models import WebhookEndpoint
        from brokers.services import register_broker
        from marketdata.models import Asset
        from marketdata.services import create_instrument

        asset = Asset.objects.create(code="USDT", kind="CRYPTO", scale=6)
        broker = register_broker(name="Bench").broker
        WebhookEndpoint.objects.create(broker=broker, url="http://127.0.0.1:9/")
        self.ids: list[int] = []
        self.prices = [price for _, price, _ in _PERPETUALS]
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '5min'")
            cursor.execute(_ACCOUNTS, [broker.id, 2 * accounts])
            cursor.execute(_COLLATERAL, [asset.id])
            cursor.execute("SELECT min(id) FROM brokers_tradingaccount")
            first = cursor.fetchone()[0]
            for symbol, price, quantity in _PERPETUALS:
                base = symbol.partition("-")[0]
                Asset.objects.create(code=base, kind="CRYPTO", scale=8)
                instrument = create_instrument(
                    symbol=symbol,
                    kind="PERPETUAL",
                    base=base,
                    quote="USDT",
                    tick_size=Decimal("0.01"),
                    lot_size=Decimal("0.0001"),
                    price_rule="MAKER",
                    price_band_rate=Decimal("0.5"),
                )
                self.ids.append(instrument.id)
                given: dict[str, Any] = {
                    "instrument": instrument.id,
                    "price": price,
                    "first": first,
                    "accounts": accounts,
                    "quantity": quantity,
                }
                cursor.execute(_POSITIONS, given)
            cursor.execute("ANALYZE")

    def move(self, share: str) -> None:
        """Let all marks be this share of what the positions were entered at."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(_MARKS, [share, self.ids, self.prices])

    def count_plainly(self, share: str) -> tuple[int, int, int]:
        """Who is below the maintenance margin, calls that are missing, and those that are over."""
        from django.db import connection

        given: dict[str, Any] = {"share": share, "ids": self.ids, "prices": self.prices}
        with connection.cursor() as cursor:
            cursor.execute(_PLAIN, given)
            below, missing, needless = cursor.fetchone()
        return below, missing, needless


def run(quick: bool) -> list[Row]:
    """The row of P6. Django is set up and the database is empty."""
    from django.utils import timezone

    from margin.selectors.liquidations import list_near_accounts
    from margin.services.calls import call_from_ratio, update_margin_calls

    pace = measure_pace()
    here = time_here(_TARGET_SECONDS, pace)
    book = Book(ACCOUNTS)
    sweeps: list[dict[str, Any]] = []
    failure = ""
    for share in _MOVES_QUICK if quick else _MOVES:
        book.move(share)
        began = time.perf_counter()
        near = list_near_accounts(ratio=call_from_ratio())
        found_at = time.perf_counter()
        raised = len(update_margin_calls(near=near, now=timezone.now()))
        ended = time.perf_counter()
        found = sum(account.must_be_liquidated for account in near)
        expected = book.count_plainly(share)
        if (found, 0, 0) != expected:
            failure = f"marks at {share}: {found} found, instead of {expected}"
        sweeps.append({"marks": share, "find": found_at - began, "call": ended - found_at,
                       "found": found, "raised": raised})  # fmt: skip
        tell_progress(
            f"marks at {share}: {found:,} to liquidate in {found_at - began:.2f} s, "
            f"{raised:,} calls in {ended - found_at:.2f} s"
        )
    slowest = max(sweeps, key=lambda sweep: sweep["find"] + sweep["call"])
    seconds = slowest["find"] + slowest["call"]
    return [
        Row(
            row="P6",
            what=f"sweep of {ACCOUNTS:,} accounts, all marks moved",
            figure=f"{seconds:.2f} s: find {slowest['find']:.2f} s, calls {slowest['call']:.2f} s",
            value=seconds,
            pace=pace,
            target=f"< {_TARGET_SECONDS:.2g} s",
            target_here=f"< {here:.2g} s",
            is_met=seconds < here,
            higher_is_better=False,
            failure=failure,
            details={"sweeps": sweeps},
        )
    ]
