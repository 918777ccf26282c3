"""What must hold after every batch, whatever was in it."""

from typing import Any

from django.db import connection

from common.database import database_dsn
from common.valkey import get_client
from marketdata.snapshots import DEPTH, read_snapshots
from orders.engine.core.positions import LivePosition
from orders.engine.core.state import LiveOrder, ShardState
from orders.engine.process import leadership
from orders.engine.process.runner import Engine
from orders.engine.transaction import recovery

_WRONG_BALANCES = """
SELECT a.id, a.posted_balance, coalesce(sum(p.amount), 0)
  FROM ledger_ledgeraccount a LEFT JOIN ledger_posting p ON p.ledger_account_id = a.id
 GROUP BY a.id HAVING a.posted_balance <> coalesce(sum(p.amount), 0)
"""
_ASSETS_NOT_ZERO = """
SELECT asset_id, sum(posted_balance) FROM ledger_ledgeraccount
 GROUP BY asset_id HAVING sum(posted_balance) <> 0
"""
_WRONG_HOLDS = """
SELECT a.id, a.held_amount, coalesce(sum(o.hold_amount), 0)
  FROM ledger_ledgeraccount a
  LEFT JOIN (orders_order o JOIN marketdata_instrument i ON i.id = o.instrument_id)
    ON o.account_id = a.trading_account_id
   AND a.asset_id = CASE o.side WHEN 'BUY' THEN i.quote_asset_id ELSE i.base_asset_id END
   AND o.status IN ('OPEN', 'PARTIALLY_FILLED')
 GROUP BY a.id HAVING a.held_amount <> coalesce(sum(o.hold_amount), 0)
"""
_WRONG_FILLS = """
SELECT o.id, o.filled_quantity, coalesce(sum(f.quantity), 0), o.maker_fee + o.taker_fee,
       coalesce(sum(f.fee), 0), o.maker_notional + o.taker_notional, coalesce(sum(f.notional), 0)
  FROM orders_order o LEFT JOIN orders_fill f ON f.order_id = o.id
 GROUP BY o.id
HAVING o.filled_quantity <> coalesce(sum(f.quantity), 0)
    OR o.maker_fee + o.taker_fee <> coalesce(sum(f.fee), 0)
    OR o.maker_notional + o.taker_notional <> coalesce(sum(f.notional), 0)
"""
_WRONG_ENDS = """
SELECT id, status, hold_amount FROM orders_order
 WHERE status NOT IN ('OPEN', 'PARTIALLY_FILLED') AND hold_amount <> 0
    OR (status = 'FILLED') <> (filled_quantity = quantity)
    OR status = 'OPEN' AND filled_quantity <> 0
    OR status = 'PARTIALLY_FILLED' AND filled_quantity = 0
"""
_NONE_MAY_BE_FOUND = {
    "balances that are not the sum of their postings": _WRONG_BALANCES,
    "assets that do not sum to zero": _ASSETS_NOT_ZERO,
    "held amounts that are not the sum of the open orders' holds": _WRONG_HOLDS,
    "orders whose fills are not their trades": _WRONG_FILLS,
    "statuses that do not fit": _WRONG_ENDS,
}


def check_all(engine: Engine) -> None:
    """The books, the orders and the ledger agree."""
    check_memory(engine.state)
    check_tables()


def check_tables() -> None:
    """Orders, trades, holds and balances agree."""
    with connection.cursor() as cursor:
        for what, query in _NONE_MAY_BE_FOUND.items():
            cursor.execute(query)
            assert cursor.fetchall() == [], what


def check_memory(state: ShardState) -> None:
    """The running books are what a start would build from the database; none is crossed."""
    rebuilt = ShardState(state.shard)
    with leadership.connect(database_dsn()) as own_connection:
        recovery.load_shard(own_connection, rebuilt)
    assert describe(state) == describe(rebuilt)
    for book in state.matcher.books.values():
        bid, ask = book.best_bid, book.best_ask
        assert bid is None or ask is None or bid < ask, "a crossed book"


def describe(state: ShardState) -> dict[str, Any]:
    """All that matters of a state, in the order of priority. Books without orders are left out."""
    return {
        "books": {
            book_id: [_describe_order(order) for order in book.orders()]  # type: ignore[arg-type]
            for book_id, book in state.matcher.books.items()
            if len(book)
        },
        "next_expiry": state.matcher.next_expiry_any(),
        "live": sorted(state.live_orders),
        "last_prices": state.last_prices,
        "positions": sorted(
            _describe_position(position)
            for of_owner in state.positions.by_owner.values()
            for position in of_owner.values()
        ),
        "marks": state.positions.marks,
    }


def _describe_position(position: LivePosition) -> tuple[int, ...]:
    names = [name for name in LivePosition.__slots__ if name != "instrument"]
    return position.instrument.instrument_id, *(getattr(position, name) for name in names)


def _describe_order(order: LiveOrder) -> tuple[Any, ...]:
    names = set(LiveOrder.__slots__) | {
        "order_id", "account_id", "side", "order_type", "time_in_force", "price", "quantity",
        "remaining", "sequence", "valid_until",
    }  # fmt: skip
    names -= {"instrument", "is_new"}
    return (
        order.instrument.instrument_id,
        *((name, getattr(order, name)) for name in sorted(names)),
    )


def check_shown_books(engine: Engine) -> None:
    """Valkey shows every book as it is in memory."""
    state = engine.state
    ids = list(state.instruments)
    for instrument_id, shown in zip(
        ids, read_snapshots(get_client(), [(state.shard, i) for i in ids]), strict=True
    ):
        assert shown is not None
        bids, asks = state.matcher.books[instrument_id].depth(DEPTH)
        assert (shown.bids, shown.asks) == (bids, asks)
        assert shown.last_price == state.last_prices.get(instrument_id)
        assert shown.next_expiry_at == state.matcher.next_expiry(instrument_id)
