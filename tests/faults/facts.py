"""What is so in the end: read from the venue's database and its API, compared with what was told.

All but the ledger check are reads of this process's own, past the venue's code.
"""

from collections.abc import Sequence
from typing import Any

import psycopg

from embedded.trial import TrialVenue
from tests.faults.traders import Caller, ClassicTrader, KeyedTrader, Trader

_BOOK_DEPTH = 50
_BOOK = """
SELECT (o.limit_price * 100)::bigint, sum(o.quantity - o.filled_quantity)::bigint, count(*)
  FROM orders_order o JOIN marketdata_instrument i ON i.id = o.instrument_id
 WHERE i.symbol = %s AND o.side = %s AND o.status IN ('OPEN', 'PARTIALLY_FILLED')
 GROUP BY 1 ORDER BY 1
"""


def ask(venue: TrialVenue, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Rows of a query on the venue's database."""
    with psycopg.connect(venue.database_url, autocommit=True) as connection:
        return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]


def leader(venue: TrialVenue) -> tuple[int, int]:
    """Process id and epoch of the engine that beat last."""
    [(holder, epoch)] = ask(
        venue, "SELECT holder, epoch FROM orders_engineheartbeat WHERE shard = 0"
    )
    return int(holder.split()[-1]), epoch


def wait_until_quiet(venue: TrialVenue, caller: Caller) -> None:
    """Wait until the venue is healthy and nothing waits in the engine's queue."""

    def is_quiet() -> bool:
        return venue.is_healthy() and caller.get("/health").document["queue_lag"] == 0

    assert venue.supervisor.wait_until(is_quiet, seconds=60), venue.tell()


def assert_nothing_lost(
    venue: TrialVenue, caller: Caller, traders: Sequence[Trader], symbols: Sequence[str]
) -> None:
    """Compare what the traders were told with what is stored, and what is stored with itself."""
    findings = [finding for trader in traders for finding in trader.memory.findings]
    assert findings == [], venue.tell()
    for trader in traders:
        _assert_acknowledged_are_stored(venue, trader)
        if isinstance(trader, KeyedTrader):
            _assert_one_order_a_key(venue, trader)
        elif isinstance(trader, ClassicTrader):
            _assert_none_doubled(venue, trader)
    venue.manage("check_ledger")
    for symbol in symbols:
        assert shown_book(caller, symbol) == stored_book(venue, symbol)


def stored_book(venue: TrialVenue, symbol: str) -> dict[str, list[tuple[int, int, int]]]:
    """(price, total quantity, orders) of the open orders in the database, best first."""
    bids = [tuple(row) for row in ask(venue, _BOOK, [symbol, "BUY"])]
    asks = [tuple(row) for row in ask(venue, _BOOK, [symbol, "SELL"])]
    return {"bids": bids[::-1][:_BOOK_DEPTH], "asks": asks[:_BOOK_DEPTH]}  # type: ignore[dict-item]


def shown_book(caller: Caller, symbol: str) -> dict[str, list[tuple[int, int, int]]]:
    """The same of `GET /stocks/{symbol}/book`, which the engine publishes from its memory."""
    shown = caller.get(f"/stocks/{symbol}/book?depth={_BOOK_DEPTH}").document
    return {
        half: [
            (level["price"], level["total_quantity"], level["order_count"]) for level in shown[half]
        ]
        for half in ("bids", "asks")
    }


def _assert_acknowledged_are_stored(venue: TrialVenue, trader: Trader) -> None:
    told = trader.memory
    ids = sorted(set(told.acknowledged))
    stored = dict(
        ask(venue, "SELECT id::text, status FROM orders_order WHERE id = ANY(%s::uuid[])", [ids])
    )
    assert len(ids) == len(told.acknowledged), "an id was told twice"
    assert stored.keys() == set(ids), f"{trader.name} lost {len(ids) - len(stored)} orders"
    still_open = {i for i in told.canceled if stored[i] in ("OPEN", "PARTIALLY_FILLED")}
    assert still_open == set(), f"{trader.name}: canceled, and open"


def _assert_none_doubled(venue: TrialVenue, trader: ClassicTrader) -> None:
    [(stored,)] = ask(
        venue,
        "SELECT count(*) FROM orders_order o JOIN brokers_tradingaccount a ON a.id = o.account_id"
        " WHERE a.document_number = %s",
        [trader.document_number],
    )
    assert len(trader.memory.acknowledged) <= stored <= trader.memory.sent


def _assert_one_order_a_key(venue: TrialVenue, trader: KeyedTrader) -> None:
    # One that came too late was refused and may be sent again: it does not count.
    rows = ask(
        venue,
        "SELECT client_order_id, id::text FROM orders_order"
        " WHERE client_order_id LIKE %s AND reason <> 'deadline_exceeded'",
        [f"{trader.name}-%"],
    )
    stored = dict(rows)
    assert len(rows) == len(stored), "a client_order_id has two orders"
    assert {key: stored.get(key) for key in trader.orders} == trader.orders
