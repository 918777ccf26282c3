"""Writes what a batch did, set-based, and commits it with the checkpoint: one round trip.

Each table gets one statement of array parameters, whatever the size of the batch. The caller's
session has sequential, hash and merge joins switched off, so that every join of `unnest` with a
big table goes through the primary key.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from brokers.bulk import queue_webhook_events
from ledger import bulk
from orders.engine.batch import BatchChanges
from orders.engine.loading import FenceLost
from orders.engine.sql import array, plain_array
from orders.engine.state import LiveOrder, ShardState
from orders.matching.types import OrderType, Side, TimeInForce

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Names by value of the enum: an index is cheaper than a member's `name`, or its hash.
_SIDES = ("", *(member.name for member in Side))
_TYPES = ("", *(member.name for member in OrderType))
_TIMES = ("", *(member.name for member in TimeInForce))

_INSERT_ORDERS = """
INSERT INTO orders_order
       (id, account_id, broker_id, instrument_id, client_order_id, side, order_type, time_in_force,
        limit_price, quantity, filled_quantity, valid_until, status, reason, hold_amount,
        maker_fee_rate, taker_fee_rate, maker_notional, taker_notional, maker_fee, taker_fee,
        sequence, created_at, updated_at)
SELECT u.id, u.account_id, u.broker_id, u.instrument_id, u.client_order_id, u.side, u.order_type,
       u.time_in_force, u.limit_price * 0.00000001, u.quantity * 0.00000001,
       u.filled_quantity * 0.00000001,
       -- In two steps: an interval is multiplied as a float, which holds 53 bits.
       'epoch'::timestamptz + u.valid_until / 1000000 * interval '1 s'
           + u.valid_until %% 1000000 * interval '1 us',
       u.status, coalesce(u.reason, ''), u.hold_amount * 0.00000001, u.maker_fee_rate * 0.00000001,
       u.taker_fee_rate * 0.00000001, u.maker_notional * 0.00000001, u.taker_notional * 0.00000001,
       u.maker_fee * 0.00000001, u.taker_fee * 0.00000001, u.sequence, %s::timestamptz,
       %s::timestamptz
  FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::bigint[], %s::text[], %s::text[],
              %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[],
              %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
              %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[])
       AS u (id, account_id, broker_id, instrument_id, client_order_id, side, order_type,
             time_in_force, limit_price, quantity, filled_quantity, valid_until, status, reason,
             hold_amount, maker_fee_rate, taker_fee_rate, maker_notional, taker_notional, maker_fee,
             taker_fee, sequence)
"""
_UPDATE_ORDERS = """
UPDATE orders_order AS o
   SET filled_quantity = u.filled_quantity * 0.00000001, status = u.status,
       reason = coalesce(u.reason, ''), hold_amount = u.hold_amount * 0.00000001,
       maker_notional = u.maker_notional * 0.00000001, maker_fee = u.maker_fee * 0.00000001,
       updated_at = %s::timestamptz
  FROM unnest(%s::uuid[], %s::numeric[], %s::text[], %s::text[], %s::numeric[], %s::numeric[],
              %s::numeric[])
       AS u (id, filled_quantity, status, reason, hold_amount, maker_notional, maker_fee)
 WHERE o.id = u.id
"""
_INSERT_KEYS = """
INSERT INTO orders_orderkey (account_id, client_order_id, order_id)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::uuid[])
"""
_INSERT_TRADES = """
INSERT INTO orders_trade
       (id, instrument_id, venue, price, quantity, notional, buy_order_id, sell_order_id,
        buy_account_id, sell_account_id, buy_fee, sell_fee, taker_side, sequence, executed_at)
SELECT u.id, u.instrument_id, 'BOOK', u.price * 0.00000001, u.quantity * 0.00000001,
       u.notional * 0.00000001, u.buy_order_id, u.sell_order_id, u.buy_account_id,
       u.sell_account_id, u.buy_fee * 0.00000001, u.sell_fee * 0.00000001, u.taker_side, u.sequence,
       %s::timestamptz
  FROM unnest(%s::uuid[], %s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::uuid[],
              %s::uuid[], %s::bigint[], %s::bigint[], %s::numeric[], %s::numeric[], %s::text[],
              %s::bigint[])
       AS u (id, instrument_id, price, quantity, notional, buy_order_id, sell_order_id,
             buy_account_id, sell_account_id, buy_fee, sell_fee, taker_side, sequence)
"""
_ADD_NETS = """
INSERT INTO orders_brokernet AS n (broker_id, shard, asset_id, net_amount)
SELECT u.broker_id, %s, u.asset_id, u.amount * 0.00000001
  FROM unnest(%s::uuid[], %s::bigint[], %s::numeric[]) AS u (broker_id, asset_id, amount)
    ON CONFLICT (broker_id, shard, asset_id)
    DO UPDATE SET net_amount = n.net_amount + excluded.net_amount
"""
_INSERT_COMMANDS = """
INSERT INTO orders_enginecommand (id, kind, result, created_at)
SELECT u.id, u.kind, u.result, %s::timestamptz
  FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS u (id, kind, result)
"""
_CHECKPOINT = """
UPDATE orders_engineshard
   SET last_id = %s, next_sequence = %s, batch_time = %s, starts = 0
 WHERE shard = %s AND epoch = %s AND last_id = %s
"""


def instant(microseconds: int) -> datetime:
    """Microseconds since 1970 as an aware datetime, exact."""
    return _EPOCH + timedelta(microseconds=microseconds)


def _nothing() -> None:
    """What there is to do while PostgreSQL works, by default."""


def commit(
    connection: psycopg.Connection[Any],
    state: ShardState,
    changes: BatchChanges,
    last_id: str,
    *,
    while_writing: Callable[[], None] = _nothing,
    while_committing: Callable[[], None] = _nothing,
) -> None:
    """Write everything and COMMIT; then the checkpoint in memory is moved too.

    The two callables run while PostgreSQL works: what they do costs no time of the batch.

    Raises:
        FenceLost: the checkpoint row was not ours any more.
        psycopg.Error: the transaction was not committed, or the connection was lost.
    """
    now = instant(changes.batch_time)
    with connection.pipeline():
        if changes.new_orders:
            _insert_orders(connection, changes.new_orders, now)
        updated = None
        if changes.changed_orders:
            updated = _update_orders(connection, list(changes.changed_orders.values()), now)
        if changes.trades:
            _insert_trades(connection, changes, now)
        written = bulk.write(
            connection, changes.ledger, actor=f"engine {state.shard}", occurred_at=now
        )
        _insert_small(connection, state, changes, now)
        checkpoint = connection.execute(
            _CHECKPOINT,
            [last_id, state.next_sequence, changes.batch_time, state.shard, state.epoch,
             state.last_id],
        )  # fmt: skip
        while_writing()
    written.check()
    if updated is not None:
        count = len(changes.changed_orders)
        assert updated.rowcount == count, f"{updated.rowcount} of {count} orders updated"
    if checkpoint.rowcount != 1:
        raise FenceLost(f"shard {state.shard} is not at epoch {state.epoch}, {state.last_id}")
    with connection.pipeline():
        connection.execute("COMMIT")
        while_committing()
    state.last_id = last_id
    state.batch_time = changes.batch_time


def _insert_orders(connection: psycopg.Connection[Any], orders: list[LiveOrder], now: Any) -> None:
    columns = [
        plain_array([o.id_bytes.hex() for o in orders]),
        plain_array([o.account_id for o in orders]),
        plain_array([o.broker_id.hex() for o in orders]),
        plain_array([o.instrument.instrument_id for o in orders]),
        [o.client_order_id for o in orders],
        plain_array([_SIDES[o.side] for o in orders]),
        plain_array([_TYPES[o.order_type] for o in orders]),
        plain_array([_TIMES[o.time_in_force] for o in orders]),
        array(
            [
                o.price * o.instrument.tick
                if o.price is not None and o.order_type == OrderType.LIMIT
                else None
                for o in orders
            ]
        ),
        plain_array([o.quantity * o.instrument.lot for o in orders]),
        plain_array([(o.quantity - o.remaining) * o.instrument.lot for o in orders]),
        array([o.valid_until for o in orders]),
        plain_array([o.status for o in orders]),
        plain_array([o.reason or "NULL" for o in orders]),
        plain_array([o.hold for o in orders]),
        plain_array([o.maker_rate for o in orders]),
        plain_array([o.taker_rate for o in orders]),
        plain_array([o.maker_notional for o in orders]),
        plain_array([o.taker_notional for o in orders]),
        plain_array([o.maker_fee for o in orders]),
        plain_array([o.taker_fee for o in orders]),
        plain_array([o.sequence for o in orders]),
    ]
    connection.execute(_INSERT_ORDERS, [now, now, *columns])
    keyed = [o for o in orders if o.claims_key]
    if keyed:
        connection.execute(
            _INSERT_KEYS,
            [
                plain_array([o.account_id for o in keyed]),
                [o.client_order_id for o in keyed],
                plain_array([o.id_bytes.hex() for o in keyed]),
            ],
        )
    for order in orders:
        order.is_new = False


def _update_orders(connection: psycopg.Connection[Any], orders: list[LiveOrder], now: Any) -> Any:
    return connection.execute(
        _UPDATE_ORDERS,
        [
            now,
            plain_array([o.id_bytes.hex() for o in orders]),
            plain_array([(o.quantity - o.remaining) * o.instrument.lot for o in orders]),
            plain_array([o.status for o in orders]),
            plain_array([o.reason or "NULL" for o in orders]),
            plain_array([o.hold for o in orders]),
            plain_array([o.maker_notional for o in orders]),
            plain_array([o.maker_fee for o in orders]),
        ],
    )


def _insert_trades(connection: psycopg.Connection[Any], changes: BatchChanges, now: Any) -> None:
    trades = changes.trades
    connection.execute(
        _INSERT_TRADES,
        [
            now,
            plain_array([t.trade_id.hex() for t in trades]),
            plain_array([t.buy.instrument.instrument_id for t in trades]),
            plain_array([t.price * t.buy.instrument.tick for t in trades]),
            plain_array([t.quantity * t.buy.instrument.lot for t in trades]),
            plain_array([t.notional for t in trades]),
            plain_array([t.buy.id_bytes.hex() for t in trades]),
            plain_array([t.sell.id_bytes.hex() for t in trades]),
            plain_array([t.buy.account_id for t in trades]),
            plain_array([t.sell.account_id for t in trades]),
            plain_array([t.buy_fee for t in trades]),
            plain_array([t.sell_fee for t in trades]),
            plain_array(["BUY" if t.taker_is_buyer else "SELL" for t in trades]),
            plain_array([t.sequence for t in trades]),
        ],
    )


def _insert_small(
    connection: psycopg.Connection[Any], state: ShardState, changes: BatchChanges, now: Any
) -> None:
    nets = [(key, amount) for key, amount in changes.broker_nets.items() if amount]
    if nets:
        connection.execute(
            _ADD_NETS,
            [
                state.shard,
                plain_array([broker_id.hex() for (broker_id, _asset), _amount in nets]),
                plain_array([asset_id for (_broker, asset_id), _amount in nets]),
                plain_array([amount for _key, amount in nets]),
            ],
        )
    if changes.commands:
        connection.execute(
            _INSERT_COMMANDS,
            [
                now,
                plain_array([command_id.hex() for command_id, _kind, _result in changes.commands]),
                plain_array([kind for _id, kind, _result in changes.commands]),
                plain_array([result for _id, _kind, result in changes.commands]),
            ],
        )
    if changes.webhooks:
        queue_webhook_events(
            connection,
            [
                (broker_id, "trade_executed", payload, now)
                for broker_id, payload in changes.webhooks
            ],
        )
