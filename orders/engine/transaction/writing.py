"""Writes what a batch did, set-based, and commits it with the checkpoint.

Each table gets one statement of array parameters, whatever the size of the batch. The caller's
session has sequential, hash and merge joins switched off, so that every join of the arrays with a
big table goes through the primary key.
"""

import json
from collections.abc import Iterable
from typing import Any

from brokers.bulk import WebhookEvent, queue_webhook_events
from common.instants import from_microseconds
from common.money import from_units8, plain
from common.postgres_arrays import amounts, bigints, integers, uuids, words
from common.postgres_pipeline import StatementPipeline, all_or_error
from ledger import bulk
from margin.bulk import store_positions
from margin.bulk_funding import insert_fundings
from margin.bulk_liquidations import freeze_collateral, insert_liquidations
from margin.types import PositionRow
from marketdata.bulk import insert_marks
from orders.engine.core.batch import BatchChanges, TradeRow
from orders.engine.core.positions import LivePosition
from orders.engine.core.state import LiveOrder, ShardState
from orders.matching.types import OrderType, Side, TimeInForce
from orders.models import Order
from orders.types import Reason

_BOOK = "BOOK"
_NO_ID = bytes(16)


def _numbers(names: Iterable[str]) -> dict[str, int]:
    """Names travel as numbers from 1 on, as those of the enums, and are looked up in SQL."""
    return {name: number for number, name in enumerate(names, start=1)}


_STATUSES = _numbers(Order.Status.values)
_REASONS = {"": 0} | _numbers(Reason)

_INSERT_ORDERS = f"""
INSERT INTO orders_order
       (id, account_id, broker_id, instrument_id, client_order_id, side, order_type, time_in_force,
        limit_price, quantity, filled_quantity, valid_until, status, reason, hold_amount,
        margin_reserve, venue, maker_fee_rate, taker_fee_rate, maker_notional, taker_notional,
        maker_fee, taker_fee, sequence, created_at, updated_at)
SELECT (%(ids)s)[i], (%(accounts)s)[i], (%(brokers)s)[i], (%(instruments)s)[i],
       (%(client_ids)s::text[])[i], ('{words(Side.__members__)}'::text[])[(%(sides)s)[i]],
       ('{words(OrderType.__members__)}'::text[])[(%(types)s)[i]],
       ('{words(TimeInForce.__members__)}'::text[])[(%(times)s)[i]],
       nullif((%(prices)s)[i], 0) * 0.00000001, (%(quantities)s)[i] * 0.00000001,
       (%(filled)s)[i] * 0.00000001,
       -- In two steps: an interval is multiplied as a float, which holds 53 bits.
       'epoch'::timestamptz + nullif((%(untils)s)[i], 0) / 1000000 * interval '1 s'
           + (%(untils)s)[i] %% 1000000 * interval '1 us',
       ('{words(_STATUSES)}'::text[])[(%(statuses)s)[i]],
       coalesce(('{words(Reason)}'::text[])[(%(reasons)s)[i]], ''),
       (%(holds)s)[i] * 0.00000001, coalesce((%(reserves)s)[i], 0) * 0.00000001, %(venue)s,
       (%(maker_rates)s)[i] * 0.00000001, (%(taker_rates)s)[i] * 0.00000001,
       (%(maker_notionals)s)[i] * 0.00000001, (%(taker_notionals)s)[i] * 0.00000001,
       (%(maker_fees)s)[i] * 0.00000001, (%(taker_fees)s)[i] * 0.00000001, (%(sequences)s)[i],
       %(now)s::timestamptz, %(now)s::timestamptz
  FROM generate_series(1, %(count)s) AS i
"""
_UPDATE_ORDERS = all_or_error(
    f"""
UPDATE orders_order AS o
   SET filled_quantity = (%(filled)s)[i] * 0.00000001,
       status = ('{words(_STATUSES)}'::text[])[(%(statuses)s)[i]],
       reason = coalesce(('{words(Reason)}'::text[])[(%(reasons)s)[i]], ''),
       hold_amount = (%(holds)s)[i] * 0.00000001,
       margin_reserve = coalesce((%(reserves)s)[i], 0) * 0.00000001,
       maker_notional = (%(maker_notionals)s)[i] * 0.00000001,
       maker_fee = (%(maker_fees)s)[i] * 0.00000001, updated_at = %(now)s::timestamptz
  FROM generate_series(1, %(count)s) AS i
 WHERE o.id = (%(ids)s)[i]
""",
    "%(count)s",
)
_INSERT_KEYS = """
INSERT INTO orders_orderkey (account_id, client_order_id, order_id)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::uuid[])
"""
_INSERT_REQUEST_KEYS = """
INSERT INTO orders_requestkey (key, fingerprint, order_id, created_at)
SELECT u.key, u.fingerprint, u.order_id, %s::timestamptz
  FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS u (key, fingerprint, order_id)
"""
_INSERT_REFUSALS = """
INSERT INTO orders_orderrefusal (order_id, facts)
SELECT u.order_id, u.facts::jsonb FROM unnest(%s::uuid[], %s::text[]) AS u (order_id, facts)
"""
_INSERT_DEAL_RESULTS = """
INSERT INTO orders_dealresult (trade_id, cash_balance, holding)
SELECT (%s)[i], (%s)[i] * 0.00000001, (%s)[i] * 0.00000001 FROM generate_series(1, %s) AS i
"""
_INSERT_TRADES = """
INSERT INTO orders_trade
       (id, instrument_id, venue, price, quantity, notional, buy_order_id, sell_order_id,
        buy_account_id, sell_account_id, buy_fee, sell_fee, taker_side, sequence, executed_at)
SELECT (%(ids)s)[i], (%(instruments)s)[i], %(venue)s, (%(prices)s)[i] * 0.00000001,
       (%(quantities)s)[i] * 0.00000001, (%(notionals)s)[i] * 0.00000001,
       nullif((%(buys)s)[i], '00000000-0000-0000-0000-000000000000'),
       nullif((%(sells)s)[i], '00000000-0000-0000-0000-000000000000'),
       (%(buyers)s)[i], (%(sellers)s)[i], (%(buy_fees)s)[i] * 0.00000001,
       (%(sell_fees)s)[i] * 0.00000001, ('{BUY,SELL}'::text[])[(%(taker_sides)s)[i]],
       (%(sequences)s)[i], %(now)s::timestamptz
  FROM generate_series(1, %(count)s) AS i
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
# The fence has locked the row: it is there.
_CHECKPOINT = all_or_error(
    """
UPDATE orders_engineshard
   SET last_id = %s, next_sequence = %s, batch_time = %s, starts = 0
 WHERE shard = %s AND epoch = %s AND last_id = %s
""",
    "1",
)


class Writer:
    """Sends what a batch does to PostgreSQL, part by part, while the next part is matched.

    Nothing is waited for. Should any statement fail, those behind it are skipped, COMMIT too.
    """

    def __init__(
        self, statements: StatementPipeline, state: ShardState, changes: BatchChanges
    ) -> None:
        self._statements = statements
        self._state = state
        self._changes = changes
        self._now = from_microseconds(changes.batch_time)
        self._actor = f"engine {state.shard}"
        self._orders_done = self._trades_done = 0

    def write_part(self) -> None:
        """Send the orders, trades and entries that have come since the last part."""
        statements, changes, now = self._statements, self._changes, self._now
        orders = changes.new_orders[self._orders_done :]
        if orders:
            _insert_orders(statements, orders, now, _BOOK, self._has_positions)
            self._orders_done += len(orders)
        if changes.unwritten_changes:
            changed = list(changes.unwritten_changes.values())
            _update_orders(statements, changed, now, self._has_positions)
            changes.unwritten_changes = {}
        trades = changes.trades[self._trades_done :]
        if trades:
            _insert_trades(statements, trades, now, _BOOK)
            self._trades_done += len(trades)
        bulk.write_entries(statements, changes.ledger, actor=self._actor, occurred_at=now)
        statements.flush()

    def finish(self, last_id: str) -> None:
        """Send the last part, the balances, what is small, and the checkpoint; then `commit`."""
        state, changes = self._state, self._changes
        self.write_part()
        self._write_margin()
        bulk.write_balances_or_fail(self._statements, changes.ledger)
        _insert_small(self._statements, state, changes, self._now)
        self._statements.execute(
            _CHECKPOINT,
            [last_id, state.next_sequence, changes.batch_time, state.shard, state.epoch,
             state.last_id],
        )  # fmt: skip
        self._statements.flush()

    def commit(self) -> None:
        """Send COMMIT; whether the batch is committed, the end of the round trip says."""
        self._statements.execute("COMMIT")
        self._statements.sync()

    @property
    def _has_positions(self) -> bool:
        return bool(self._changes.positions)

    def _write_margin(self) -> None:
        """Send what only perpetuals have. The entries of their trades are sent already."""
        statements, changes, now = self._statements, self._changes, self._now
        for venue, orders in changes.other_orders.items():
            _insert_orders(statements, orders, now, venue, False)
        for venue, trades in changes.other_trades.items():
            _insert_trades(statements, trades, now, venue)
        if changes.positions:
            rows = [_position_row(position) for position in changes.positions.values()]
            store_positions(statements, rows, now=now)
        if changes.marks:
            insert_marks(statements, changes.marks, posted_at=now)
        if changes.fundings:
            insert_fundings(statements, changes.fundings, now=now)
        if changes.liquidations:
            insert_liquidations(
                statements, changes.liquidations, changes.liquidation_steps, executed_at=now
            )
        if changes.freezes:
            freeze_collateral(
                statements, list(changes.freezes.values()), actor=self._actor, now=now
            )


def _insert_orders(
    statements: StatementPipeline,
    orders: list[LiveOrder],
    now: Any,
    venue: str,
    has_positions: bool,
) -> None:
    client_ids = [o.client_order_id for o in orders]
    columns = {
        "ids": uuids([o.id_bytes for o in orders]),
        "accounts": bigints([o.account_id for o in orders]),
        "brokers": uuids([o.broker_id for o in orders]),
        "instruments": bigints([o.instrument.instrument_id for o in orders]),
        "client_ids": client_ids if any(client_ids) else [],
        "sides": bigints([o.side for o in orders]),
        "types": bigints([o.order_type for o in orders]),
        "times": bigints([o.time_in_force for o in orders]),
        "prices": amounts([_limit_price(o) for o in orders]),
        "quantities": amounts([o.quantity * o.instrument.lot for o in orders]),
        "untils": bigints([o.valid_until or 0 for o in orders]),
        "maker_rates": bigints([o.maker_rate for o in orders]),
        "taker_rates": bigints([o.taker_rate for o in orders]),
        "taker_notionals": amounts([o.taker_notional for o in orders]),
        "taker_fees": amounts([o.taker_fee for o in orders]),
        "sequences": bigints([o.sequence for o in orders]),
    }
    changing = _changing_columns(orders, now, has_positions)
    statements.execute(_INSERT_ORDERS, columns | changing | {"venue": venue})
    keyed = [o for o in orders if o.client_order_id is not None and o.claims_keys]
    if keyed:
        statements.execute(
            _INSERT_KEYS,
            [
                bigints([o.account_id for o in keyed]),
                [o.client_order_id for o in keyed],
                uuids([o.id_bytes for o in keyed]),
            ],
        )
    for order in orders:
        order.is_new = False


def _update_orders(
    statements: StatementPipeline, orders: list[LiveOrder], now: Any, has_positions: bool
) -> None:
    ids = {"ids": uuids([o.id_bytes for o in orders])}
    statements.execute(_UPDATE_ORDERS, _changing_columns(orders, now, has_positions) | ids)


def _changing_columns(orders: list[LiveOrder], now: Any, has_positions: bool) -> dict[str, Any]:
    """What changes while an order lives. Only orders of perpetuals reserve margin."""
    reserves = [o.reserve_per_lot * o.remaining for o in orders] if has_positions else []
    return {
        "filled": amounts([(o.quantity - o.remaining) * o.instrument.lot for o in orders]),
        "statuses": bigints([_STATUSES[o.status] for o in orders]),
        "reasons": bigints([_REASONS[o.reason] for o in orders]),
        "holds": amounts([o.hold for o in orders]),
        "reserves": amounts(reserves),
        "maker_notionals": amounts([o.maker_notional for o in orders]),
        "maker_fees": amounts([o.maker_fee for o in orders]),
        "now": now,
        "count": len(orders),
    }


def _limit_price(order: LiveOrder) -> int:
    """The limit in units; 0 for a market order, whose bound is not stored."""
    if order.price is None or order.order_type is not OrderType.LIMIT:
        return 0
    return order.price * order.instrument.tick


def _position_row(position: LivePosition) -> PositionRow:
    lot = position.instrument.lot
    return PositionRow(
        account_id=position.account_id,
        instrument_id=position.instrument.instrument_id,
        quantity=position.quantity * lot,
        cost_basis=position.cost_basis,
        open_buy=position.open_buy * lot,
        open_sell=position.open_sell * lot,
        loss_reserve=position.loss_reserve,
        realized_pnl=position.realized_pnl,
        version=position.version,
    )


def _insert_trades(
    statements: StatementPipeline, trades: list[TradeRow], now: Any, venue: str
) -> None:
    statements.execute(
        _INSERT_TRADES,
        {
            "ids": uuids([t.trade_id for t in trades]),
            "instruments": bigints([t.buy.instrument.instrument_id for t in trades]),
            "venue": venue,
            "prices": amounts([t.price * t.buy.instrument.tick for t in trades]),
            "quantities": amounts([t.quantity * t.buy.instrument.lot for t in trades]),
            "notionals": amounts([t.notional for t in trades]),
            "buys": uuids([t.buy.id_bytes or _NO_ID for t in trades]),
            "sells": uuids([t.sell.id_bytes or _NO_ID for t in trades]),
            "buyers": bigints([t.buy.account_id for t in trades]),
            "sellers": bigints([t.sell.account_id for t in trades]),
            "buy_fees": amounts([t.buy_fee for t in trades]),
            "sell_fees": amounts([t.sell_fee for t in trades]),
            "taker_sides": bigints([1 if t.taker_is_buyer else 2 for t in trades]),
            "sequences": bigints([t.sequence for t in trades]),
            "now": now,
            "count": len(trades),
        },
    )


def _insert_small(
    statements: StatementPipeline, state: ShardState, changes: BatchChanges, now: Any
) -> None:
    nets = [(key, amount) for key, amount in changes.broker_nets.items() if amount]
    if nets:
        statements.execute(
            _ADD_NETS,
            [
                state.shard,
                uuids([broker_id for (broker_id, _asset), _amount in nets]),
                bigints([asset_id for (_broker, asset_id), _amount in nets]),
                integers([amount for _key, amount in nets]),
            ],
        )
    if changes.commands:
        statements.execute(
            _INSERT_COMMANDS,
            [
                now,
                uuids([command_id for command_id, _kind, _result in changes.commands]),
                words([kind for _id, kind, _result in changes.commands]),
                words([result for _id, _kind, result in changes.commands]),
            ],
        )
    if changes.request_keys:
        keys, fingerprints, order_ids = zip(*changes.request_keys, strict=True)
        statements.execute(
            _INSERT_REQUEST_KEYS, [now, uuids(keys), uuids(fingerprints), uuids(order_ids)]
        )
    if changes.refusals:
        order_ids, facts = zip(*changes.refusals, strict=True)
        documents = [json.dumps(_as_texts(one)) for one in facts]
        statements.execute(_INSERT_REFUSALS, [uuids(order_ids), documents])
    if changes.deal_results:
        trade_ids, collaterals, holdings = zip(*changes.deal_results, strict=True)
        statements.execute(
            _INSERT_DEAL_RESULTS,
            [uuids(trade_ids), amounts(collaterals), amounts(holdings), len(trade_ids)],
        )
    if changes.webhooks:
        queue_webhook_events(
            statements,
            [
                WebhookEvent(broker_id, event, payload, now, payload_format)
                for broker_id, event, payload, payload_format in changes.webhooks
            ],
        )


def _as_texts(facts: dict[str, int]) -> dict[str, str]:
    """Facts in units as decimals."""
    return {name: plain(from_units8(value)) for name, value in facts.items()}
