"""Opens the transaction of a batch: the fence, and every row that the batch can touch, locked.

One order everywhere: trading accounts by id, then ledger accounts by id. Ledger accounts that are
missing are made before the transaction.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

import psycopg

from brokers.types import HOUSE_BROKER_ID
from common.postgres_arrays import bigints, uuids
from common.postgres_pipeline import Reply, StatementPipeline
from ledger import bulk
from ledger.bulk import LedgerRow
from margin.bulk import owners_statement
from orders.calculations import refused_reason
from orders.engine import instruments
from orders.engine.batch import BatchContext
from orders.engine.needs import Needs
from orders.engine.positions import Owner
from orders.engine.state import ShardState

_FEES, _CLEARING, _MARGIN, _INSURANCE = "FEES", "CLEARING", "MARGIN", "INSURANCE"

_PREFUNDED = "PREFUNDED"

_FENCE = """
SELECT 1 FROM orders_engineshard WHERE shard = %s AND epoch = %s AND last_id = %s
   FOR NO KEY UPDATE
"""
_LOCK_ACCOUNTS = """
SELECT a.id, a.status, b.status
  FROM brokers_tradingaccount a JOIN brokers_broker b ON b.id = a.broker_id
 WHERE a.id = ANY(%s::bigint[]) ORDER BY a.id FOR NO KEY UPDATE OF a
"""
# Ids as bytes: a UUID object for each would cost more than the query.
_KNOWN_ORDERS = "SELECT uuid_send(id) FROM orders_order WHERE id = ANY(%s::uuid[])"
_KNOWN_COMMANDS = (
    "SELECT uuid_send(id), result FROM orders_enginecommand WHERE id = ANY(%s::uuid[])"
)
_CLOSED_ORDERS = """
SELECT uuid_send(id), uuid_send(broker_id), account_id FROM orders_order WHERE id = ANY(%s::uuid[])
"""
_WEBHOOK_BROKERS = (
    "SELECT DISTINCT uuid_send(broker_id) FROM brokers_webhookendpoint WHERE is_active"
)
_ORDER_KEYS = """
SELECT k.account_id, k.client_order_id, uuid_send(k.order_id)
  FROM unnest(%s::bigint[], %s::text[]) AS u (account_id, client_order_id)
  JOIN orders_orderkey k USING (account_id, client_order_id)
"""


class FenceLost(Exception):
    """Another engine leads this shard, or the checkpoint is not ours: exit."""


def prepare(
    connection: psycopg.Connection[Any],
    state: ShardState,
    needs: Needs,
    *,
    before: Callable[[], None],
) -> None:
    """Before BEGIN: make the ledger accounts that are missing and remember their ids.

    The disk is not waited for: the COMMIT of the batch flushes what came before it. But another
    session may be, that is making the same account: `before` runs first, if any is missing.
    """
    if _are_known(state, needs):
        return
    before()
    missing = [
        (account_id, asset_id, kind)
        for (account_id, asset_id), kind in needs.rows.items()
        if (account_id, asset_id) not in state.client_ledger_ids
    ]
    if missing:
        made = bulk.ensure_client_accounts(connection.cursor(), missing, is_flushed=False)
        for (account_id, asset_id, _kind), row_id in made.items():
            state.client_ledger_ids[account_id, asset_id] = row_id
    fees = [
        (_FEES, asset_id, state.shard)
        for asset_id in needs.fee_assets
        if asset_id not in state.fee_ledger_ids
    ]
    if fees:
        for (_kind, asset_id, _shard), row_id in bulk.ensure_venue_accounts(
            connection.cursor(), fees, is_flushed=False
        ).items():
            state.fee_ledger_ids[asset_id] = row_id
    if needs.margin_rows:
        _prepare_margin(connection, state, needs)


def _are_known(state: ShardState, needs: Needs) -> bool:
    """Whether the ids of all ledger accounts are there."""
    return (
        needs.rows.keys() <= state.client_ledger_ids.keys()
        and needs.fee_assets <= state.fee_ledger_ids.keys()
        and needs.margin_rows <= state.margin_ledger_ids.keys()
        and needs.clearing_assets <= state.clearing_ledger_ids.keys()
    )


def _prepare_margin(connection: psycopg.Connection[Any], state: ShardState, needs: Needs) -> None:
    """Know the ids of collateral and clearing accounts; make those that are missing."""
    funds = {asset_id: (_id, asset_id) for _id, asset_id in needs.funds}
    unknown = [
        (_INSURANCE, asset_id, state.shard)
        for asset_id, owner in funds.items()
        if owner not in state.margin_ledger_ids
    ]
    if unknown:
        found = bulk.ensure_venue_accounts(connection.cursor(), unknown, is_flushed=False)
        for (_kind, asset_id, _shard), row_id in found.items():
            state.margin_ledger_ids[funds[asset_id]] = row_id
    missing = [
        (account_id, asset_id, _MARGIN)
        for account_id, asset_id in needs.margin_rows - state.margin_ledger_ids.keys()
    ]
    if missing:
        made = bulk.ensure_client_accounts(connection.cursor(), missing, is_flushed=False)
        for (account_id, asset_id, _kind), row_id in made.items():
            state.margin_ledger_ids[account_id, asset_id] = row_id
    clearing = [
        (_CLEARING, asset_id, state.shard)
        for asset_id in needs.clearing_assets - state.clearing_ledger_ids.keys()
    ]
    if clearing:
        found = bulk.ensure_venue_accounts(connection.cursor(), clearing, is_flushed=False)
        for (_kind, asset_id, _shard), row_id in found.items():
            state.clearing_ledger_ids[asset_id] = row_id


def begin(
    connection: psycopg.Connection[Any],
    statements: StatementPipeline,
    state: ShardState,
    needs: Needs,
    *,
    meanwhile: Callable[[], None],
) -> BatchContext:
    """BEGIN, check the fence, lock and read what `needs` names: one round trip.

    `meanwhile` runs while PostgreSQL does so.

    Raises:
        FenceLost: the shard has another leader.
    """
    keys_of = _row_keys(state, needs)
    run = statements.execute
    with statements.round_trip():
        run("BEGIN")
        fence = run(_FENCE, [state.shard, state.epoch, state.last_id])
        accounts = _if_any(run, _LOCK_ACCOUNTS, sorted(needs.accounts), bigints)
        rows = None
        locked_ids = [row_id for keys in keys_of for row_id in keys]
        if locked_ids:
            rows = run(*bulk.lock_statement(locked_ids))
        owners = run(*owners_statement(needs.margin_takers)) if needs.margin_takers else None
        brokers = run(_WEBHOOK_BROKERS) if needs.accounts else None
        versions = _if_any(run, instruments.VERSIONS, needs.instruments, bigints)
        orders = _if_any(run, _KNOWN_ORDERS, needs.orders, uuids)
        commands = _if_any(run, _KNOWN_COMMANDS, needs.commands, uuids)
        closed = _if_any(run, _CLOSED_ORDERS, needs.closed_orders, uuids)
        keys = None
        if needs.keys:
            account_ids, client_ids = zip(*needs.keys, strict=True)
            keys = run(_ORDER_KEYS, [bigints(account_ids), list(client_ids)])
        statements.sync()
        meanwhile()
    if fence.fetchone() is None:
        raise FenceLost(f"shard {state.shard} is not at epoch {state.epoch}, {state.last_id}")
    context = BatchContext()
    for account_id, account_status, broker_status in _rows(accounts):
        context.accounts[account_id] = refused_reason(
            account_status=account_status, broker_status=broker_status
        )
    if rows is not None:
        _take_rows(context, bulk.read_rows(rows), keys_of)
    _take_owners(context, _rows(owners))
    context.webhook_brokers = {broker_id for (broker_id,) in _rows(brokers)}
    context.known_orders = {order_id for (order_id,) in _rows(orders)}
    context.known_commands = dict(_rows(commands))
    for order_id, broker_id, account_id in _rows(closed):
        context.closed_orders[order_id] = (broker_id, account_id)
    for account_id, client_order_id, order_id in _rows(keys):
        context.order_keys[account_id, client_order_id] = order_id
    _refresh_rules(connection, state, dict(_rows(versions)))
    return context


class _RowKeys(NamedTuple):
    """What the rows to lock are of, by their ids: see `BatchContext`."""

    clients: dict[int, tuple[int, int]]
    fees: dict[int, int]
    margins: dict[int, Owner]
    clearing: dict[int, int]


def _row_keys(state: ShardState, needs: Needs) -> _RowKeys:
    clients, margins = state.client_ledger_ids, state.margin_ledger_ids
    return _RowKeys(
        {clients[pair]: pair for pair in needs.rows if pair in clients},
        {state.fee_ledger_ids[asset_id]: asset_id for asset_id in needs.fee_assets},
        {margins[owner]: owner for owner in needs.margin_rows if owner in margins},
        {state.clearing_ledger_ids[asset_id]: asset_id for asset_id in needs.clearing_assets},
    )


def _take_rows(context: BatchContext, rows: Iterable[LedgerRow], keys: _RowKeys) -> None:
    for row in rows:
        if row.id in keys.clients:
            context.rows[keys.clients[row.id]] = row
        elif row.id in keys.fees:
            context.fee_rows[keys.fees[row.id]] = row
        elif row.id in keys.margins:
            context.margin_rows[keys.margins[row.id]] = row
        else:
            context.clearing_rows[keys.clearing[row.id]] = row


def _take_owners(context: BatchContext, owners: list[Any]) -> None:
    for account_id, funding, broker_id, frozen_assets in owners:
        if funding == _PREFUNDED:
            context.prefunded.add(account_id)
        if broker_id == HOUSE_BROKER_ID:
            context.house.add(account_id)
        context.brokers[account_id] = broker_id.bytes
        context.frozen.update((account_id, asset_id) for asset_id in frozen_assets)


def _if_any(
    run: Callable[..., Reply], query: str, values: Collection[Any], pack: Callable[..., Any]
) -> Reply | None:
    return run(query, [pack(values)]) if values else None


def _rows(reply: Reply | None) -> list[Any]:
    return reply.fetchall() if reply is not None else []


def _refresh_rules(
    connection: psycopg.Connection[Any], state: ShardState, versions: dict[int, int]
) -> None:
    changed = [i for i, version in versions.items() if state.instruments[i].version != version]
    if changed:
        instruments.load_some(connection, state, changed)
