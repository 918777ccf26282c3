"""Rebuilds the engine's memory from the database: a start, and the repair after a failed batch.

A batch that failed on its way is repaired by reading its books anew (`rebuild`), one that was run
to its end but could not be stored by reading the orders that it changed (`take_back`).
"""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import psycopg

from common.instants import to_microseconds
from common.money import to_units8
from common.postgres_arrays import integers, words
from margin.bulk import read_positions, read_positions_of
from margin.types import PositionRow
from orders.engine.core.batch import BatchChanges
from orders.engine.core.instruments import InstrumentRules, LiveMark
from orders.engine.core.positions import LivePosition
from orders.engine.core.state import LiveOrder, ShardState
from orders.engine.transaction import instruments
from orders.matching.types import OrderType, Side, TimeInForce

# A million orders are to be read in seconds, so nothing is made of a column on the way that is not
# needed: ids and instants come as their bytes, amounts as text, and those that are mostly zero as
# NULL. Only integers hold any amount: one may be larger than a bigint of units.
_COLUMNS = """
SELECT uuid_send(o.id), o.account_id, uuid_send(o.broker_id), o.instrument_id, o.client_order_id,
       o.side, o.time_in_force, o.limit_price::text, o.quantity::text,
       nullif(o.filled_quantity, 0)::text, timestamptz_send(o.valid_until),
       timestamptz_send(o.created_at), o.status, nullif(o.hold_amount, 0)::text,
       o.maker_fee_rate::text, o.taker_fee_rate::text, nullif(o.maker_notional, 0)::text,
       nullif(o.taker_notional, 0)::text, nullif(o.maker_fee, 0)::text,
       nullif(o.taker_fee, 0)::text, o.sequence, nullif(o.margin_reserve, 0)::text
  FROM orders_order o
 WHERE o.status IN ('OPEN', 'PARTIALLY_FILLED')
"""
# By book, as the index of open orders has them: nothing is sorted.
_OPEN_ORDERS = (
    _COLUMNS + " AND o.instrument_id = ANY(%s::bigint[]) ORDER BY o.instrument_id, o.sequence"
)
_SOME_ORDERS = _COLUMNS + " AND o.id = ANY(%s::uuid[])"
# No row is locked here, and a slow machine may take its time with what it has fetched.
_MAY_IDLE = "SET LOCAL idle_in_transaction_session_timeout = '60s'"
# The last trade of each instrument between two accounts, at the end of an index range; where only
# self-trades are found among the last ten thousand there is no last price.
_LAST_PRICES = """
SELECT i.id, t.price
  FROM unnest(%s::bigint[]) AS i (id)
 CROSS JOIN LATERAL (
       SELECT price FROM (
              SELECT id, price, buy_account_id, sell_account_id FROM orders_trade
               WHERE instrument_id = i.id AND venue = 'BOOK' ORDER BY id DESC LIMIT 10000) AS newest
        WHERE buy_account_id <> sell_account_id ORDER BY id DESC LIMIT 1) AS t
"""
_MARKS = """
SELECT i.id, m.price, (extract(epoch FROM m.as_of) * 1000000)::bigint
  FROM unnest(%s::bigint[]) AS i (id)
 CROSS JOIN LATERAL (SELECT price, as_of FROM marketdata_markprice
                      WHERE instrument_id = i.id ORDER BY id DESC LIMIT 1) AS m
"""
# As many as fit into a socket's buffer: PostgreSQL goes on as soon as it has sent them.
_FETCH = "FETCH 500 FROM ahead"
_FETCHES_AHEAD = 2
# PostgreSQL counts microseconds from 2000.
_POSTGRES_EPOCH = to_microseconds(datetime(2000, 1, 1, tzinfo=UTC))
_SIDES = dict(Side.__members__)
_TIMES_IN_FORCE = dict(TimeInForce.__members__)

# Instrument, side and price: a queue of a book.
Queue = tuple[int, Side, int]


def load_shard(connection: psycopg.Connection[Any], state: ShardState) -> None:
    """Fill an empty state: instruments, open orders in their priority, last prices, positions."""
    instruments.load_all(connection, state)
    load_orders(connection, state, set(state.instruments))
    _load_positions(connection, state, set(state.instruments))


def rebuild(
    connection: psycopg.Connection[Any], state: ShardState, instrument_ids: set[int]
) -> None:
    """Throw away what is known of some instruments and load it again, as the database has it.

    Books, last prices, and of perpetuals positions and marks.
    """
    instruments.load_some(connection, state, instrument_ids)
    known = instrument_ids & state.instruments.keys()
    state.forget_orders(known)
    load_orders(connection, state, known)
    state.positions.forget(known)
    _load_positions(connection, state, known)


def load_orders(
    connection: psycopg.Connection[Any], state: ShardState, instrument_ids: set[int]
) -> None:
    """Rest the open orders of some instruments in their empty books, and know their last prices."""
    for rows in _read_ahead(connection, _OPEN_ORDERS, integers(instrument_ids)):
        for row in rows:
            order = _live_order(row, state.instruments[row[3]])
            state.live_orders[row[0]] = order
            state.matcher.restore(row[3], order)
    _load_last_prices(connection, state, instrument_ids)


def _read_ahead(
    connection: psycopg.Connection[Any], query: str, ids: str
) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a query, some at a time; PostgreSQL reads the next while these are used."""
    with connection.transaction():
        connection.execute(_MAY_IDLE)
        connection.execute(f"DECLARE ahead NO SCROLL CURSOR FOR {query}", [ids])
        with connection.pipeline():
            coming = deque(connection.execute(_FETCH, binary=True) for _ in range(_FETCHES_AHEAD))
            while rows := coming.popleft().fetchall():
                coming.append(connection.execute(_FETCH, binary=True))
                yield rows
        connection.execute("CLOSE ahead")


def take_back(
    connection: psycopg.Connection[Any], state: ShardState, changes: BatchChanges
) -> None:
    """Undo in memory what a whole batch did that is not in the database; the rest is as it was.

    Reads the orders and positions that it changed, not all of their books: these may be long.
    """
    for order in changes.new_orders:
        if order.is_resting:
            state.matcher.cancel(order.instrument.instrument_id, order.order_id)
            del state.live_orders[order.id_bytes]
    for order in changes.changed_orders.values():
        state.matcher.cancel(order.instrument.instrument_id, order.order_id)
    queues: dict[Queue, list[LiveOrder]] = {}
    ids = words(order_id.hex() for order_id in changes.changed_orders)
    for row in connection.execute(_SOME_ORDERS, [ids], binary=True):
        order = _live_order(row, state.instruments[row[3]])
        assert order.price is not None, "only limit orders rest"
        queues.setdefault((row[3], order.side, order.price), []).append(order)
    for queue, orders in queues.items():
        _put_back(state, queue, orders)
    traded = {trade.buy.instrument.instrument_id for trade in changes.trades}
    for instrument_id in traded:
        state.last_prices.pop(instrument_id, None)
    _load_last_prices(connection, state, traded)
    _take_back_positions(connection, state, changes)


def _take_back_positions(
    connection: psycopg.Connection[Any], state: ShardState, changes: BatchChanges
) -> None:
    for position in changes.positions.values():
        state.positions.drop(position)
    if changes.positions:
        for row in read_positions(connection, list(changes.positions)):
            state.positions.put(_live_position(row, state))
    marked = {mark.instrument_id for mark in changes.marks}
    for instrument_id in marked:
        del state.positions.marks[instrument_id]
    _load_marks(connection, state, marked)


def _put_back(state: ShardState, queue: Queue, orders: list[LiveOrder]) -> None:
    """Rest orders in one queue again, each at the place that its sequence gives it."""
    instrument_id, side, price = queue
    waiting: list[Any] = state.matcher.books[instrument_id].at_price(side, price)
    for order in waiting:
        state.matcher.cancel(instrument_id, order.order_id)
    for order in sorted([*waiting, *orders], key=lambda order: order.sequence):
        state.matcher.restore(instrument_id, order)
        state.live_orders[order.id_bytes] = order


def _load_last_prices(
    connection: psycopg.Connection[Any], state: ShardState, instrument_ids: set[int]
) -> None:
    if instrument_ids:
        for instrument_id, price in connection.execute(_LAST_PRICES, [integers(instrument_ids)]):
            state.last_prices[instrument_id] = (
                to_units8(price) // state.instruments[instrument_id].tick
            )


def _load_positions(
    connection: psycopg.Connection[Any], state: ShardState, instrument_ids: set[int]
) -> None:
    """Know the positions and marks of those instruments that are perpetuals."""
    perpetuals = {i for i in instrument_ids if state.instruments[i].perpetual is not None}
    if perpetuals:
        for row in read_positions_of(connection, perpetuals):
            state.positions.put(_live_position(row, state))
        _load_marks(connection, state, perpetuals)


def _load_marks(
    connection: psycopg.Connection[Any], state: ShardState, instrument_ids: set[int]
) -> None:
    if instrument_ids:
        for instrument_id, price, as_of in connection.execute(_MARKS, [integers(instrument_ids)]):
            tick = state.instruments[instrument_id].tick
            state.positions.marks[instrument_id] = LiveMark(to_units8(price) // tick, as_of)


def _live_position(row: PositionRow, state: ShardState) -> LivePosition:
    rules = state.instruments[row.instrument_id]
    return LivePosition(
        account_id=row.account_id,
        instrument=rules,
        # Exact: they are whole lots.
        quantity=row.quantity // rules.lot,
        cost_basis=row.cost_basis,
        open_buy=row.open_buy // rules.lot,
        open_sell=row.open_sell // rules.lot,
        loss_reserve=row.loss_reserve,
        realized_pnl=row.realized_pnl,
        version=row.version,
    )


def _live_order(row: tuple[Any, ...], rules: InstrumentRules) -> LiveOrder:
    quantity = remaining = _units8(row[8]) // rules.lot
    if row[9] is not None:
        remaining -= _units8(row[9]) // rules.lot
    order = LiveOrder(
        order_id=row[0],
        account_id=row[1],
        broker_id=row[2],
        instrument=rules,
        client_order_id=row[4],
        side=_SIDES[row[5]],
        order_type=OrderType.LIMIT,
        time_in_force=_TIMES_IN_FORCE[row[6]],
        price=_units8(row[7]) // rules.tick,
        quantity=quantity,
        remaining=remaining,
        valid_until=None if row[10] is None else _microseconds(row[10]),
        created_at=_microseconds(row[11]),
        maker_rate=_rate(row[14]),
        taker_rate=_rate(row[15]),
        sequence=row[20],
    )
    order.status = row[12]
    if row[13] is not None:
        order.hold = _units8(row[13])
    if row[9] is not None:
        order.maker_notional, order.taker_notional = _amount(row[16]), _amount(row[17])
        order.maker_fee, order.taker_fee = _amount(row[18]), _amount(row[19])
    if row[21] is not None:
        order.reserve_per_lot = _units8(row[21]) // remaining
    return order


def _units8(text: str) -> int:
    """An amount or rate as PostgreSQL writes it, which is always with eight places."""
    return int(text.replace(".", ""))


def _amount(text: str | None) -> int:
    return 0 if text is None else _units8(text)


# There are few.
_rate = lru_cache(maxsize=1_024)(_units8)


def _microseconds(sent: bytes) -> int:
    return int.from_bytes(sent, signed=True) + _POSTGRES_EPOCH
