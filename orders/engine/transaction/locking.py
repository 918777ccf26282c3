"""Opens the transaction of a batch: the fence, and every row that the batch can touch, locked.

One order everywhere: trading accounts by id, then ledger accounts by id. Those of clients whose ids
are not known are locked by owner and asset; such as are missing are made before the transaction.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from brokers.types import HOUSE_BROKER_ID
from common.postgres_arrays import bigints, uuids
from common.postgres_pipeline import Reply, StatementPipeline
from ledger import bulk
from ledger.batch import LedgerRow
from margin.bulk import owners_statement
from orders.calculations import refused_reason
from orders.engine.core.batch import BatchContext
from orders.engine.core.lock_plan import LockPlan
from orders.engine.core.positions import Owner
from orders.engine.core.state import ShardState
from orders.engine.transaction import instruments

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
# The versions of instruments, and the brokers that want webhooks.
_FACTS = f"""
SELECT v.id, v.version, NULL, NULL FROM ({instruments.VERSIONS}) AS v (id, version)
 UNION ALL
SELECT NULL, NULL, uuid_send(broker_id), payload_format FROM brokers_webhookendpoint
 WHERE is_active
"""
_ORDER_KEYS = """
SELECT k.account_id, k.client_order_id, uuid_send(k.order_id)
  FROM unnest(%s::bigint[], %s::text[]) AS u (account_id, client_order_id)
  JOIN orders_orderkey k USING (account_id, client_order_id)
"""
_REQUEST_KEYS = """
SELECT uuid_send(key), uuid_send(fingerprint), uuid_send(order_id) FROM orders_requestkey
 WHERE key = ANY(%s::uuid[])
"""


class FenceLost(Exception):
    """Another engine leads this shard, or the checkpoint is not ours: exit."""


class LedgerAccountsMissing(Exception):
    """Clients have no ledger accounts yet in what they deal in: make them before BEGIN."""


class _Cursor:
    """A cursor whose statements are prepared, each a round trip of its own."""

    def __init__(self, statements: StatementPipeline) -> None:
        self._statements = statements
        self._reply: Reply | None = None

    def execute(self, query: str, params: Any = (), /) -> None:
        with self._statements.round_trip():
            self._reply = self._statements.execute(query, params)

    def fetchall(self) -> list[Any]:
        assert self._reply is not None, "nothing was executed"
        return self._reply.fetchall()


def ensure_venue_accounts(statements: StatementPipeline, state: ShardState, plan: LockPlan) -> None:
    """Before BEGIN: know the ids of fee accounts, and of collateral; make those that are missing.

    The disk is not waited for: the COMMIT of the batch flushes what came before it.
    """
    if has_venue_accounts(state, plan):
        return
    cursor = _Cursor(statements)
    fees = [
        (_FEES, asset_id, state.shard)
        for asset_id in plan.fee_assets
        if asset_id not in state.fee_ledger_ids
    ]
    if fees:
        made = bulk.ensure_venue_accounts(cursor, fees, is_flushed=False)
        for (_kind, asset_id, _shard), row_id in made.items():
            state.fee_ledger_ids[asset_id] = row_id
    if plan.margin_rows:
        _ensure_margin_accounts(cursor, state, plan)


def make_client_accounts(statements: StatementPipeline, state: ShardState, plan: LockPlan) -> None:
    """Before BEGIN: make the clients' ledger accounts that are missing, and know their ids.

    Another session may be waited for, that is making the same account.
    """
    missing = _unknown_rows(state, plan)
    made = bulk.ensure_client_accounts(_Cursor(statements), missing, is_flushed=False)
    for (account_id, asset_id, _kind), row_id in made.items():
        state.client_ledger_ids[account_id, asset_id] = row_id


def has_venue_accounts(state: ShardState, plan: LockPlan) -> bool:
    """Whether the ids of fee accounts and of collateral are known."""
    return (
        plan.fee_assets <= state.fee_ledger_ids.keys()
        and plan.margin_rows <= state.margin_ledger_ids.keys()
        and plan.clearing_assets <= state.clearing_ledger_ids.keys()
    )


def _unknown_rows(state: ShardState, plan: LockPlan) -> list[bulk.ClientKey]:
    known = state.client_ledger_ids
    return [(*pair, kind) for pair, kind in plan.rows.items() if pair not in known]


def _ensure_margin_accounts(cursor: _Cursor, state: ShardState, plan: LockPlan) -> None:
    """Know the ids of collateral and clearing accounts; make those that are missing."""
    funds = {asset_id: (_id, asset_id) for _id, asset_id in plan.funds}
    unknown = [
        (_INSURANCE, asset_id, state.shard)
        for asset_id, owner in funds.items()
        if owner not in state.margin_ledger_ids
    ]
    if unknown:
        found = bulk.ensure_venue_accounts(cursor, unknown, is_flushed=False)
        for (_kind, asset_id, _shard), row_id in found.items():
            state.margin_ledger_ids[funds[asset_id]] = row_id
    missing = [
        (account_id, asset_id, _MARGIN)
        for account_id, asset_id in plan.margin_rows - state.margin_ledger_ids.keys()
    ]
    if missing:
        made = bulk.ensure_client_accounts(cursor, missing, is_flushed=False)
        for (account_id, asset_id, _kind), row_id in made.items():
            state.margin_ledger_ids[account_id, asset_id] = row_id
    clearing = [
        (_CLEARING, asset_id, state.shard)
        for asset_id in plan.clearing_assets - state.clearing_ledger_ids.keys()
    ]
    if clearing:
        found = bulk.ensure_venue_accounts(cursor, clearing, is_flushed=False)
        for (_kind, asset_id, _shard), row_id in found.items():
            state.clearing_ledger_ids[asset_id] = row_id


class LockRequest:
    """BEGIN, the fence, and everything that a plan names, locked and read: one round trip.

    It is sent when it is made; `receive` waits for it.
    """

    def __init__(
        self,
        statements: StatementPipeline,
        state: ShardState,
        plan: LockPlan,
        *,
        last_id: str,
        looks_up: bool,
        accounts_made: bool = False,
    ) -> None:
        """`last_id`: the checkpoint that the batch follows.

        `accounts_made`: ledger accounts that are missing now cannot be made, since there is no such
        trading account.

        `looks_up`: whether to ask for closed orders that came before. A batch without any need
        not, and one with one cannot be stored.
        """
        self._statements = statements
        self._state = state
        self._last_id = last_id
        self._accounts_made = accounts_made
        self._keys = _row_keys(state, plan)
        self._unknown = _unknown_rows(state, plan)
        self._replies: dict[str, Reply] = {}
        for name, query, params in self._queries(plan, looks_up):
            self._replies[name] = statements.execute(query, params)
        statements.sync()

    def receive(self) -> BatchContext:
        """Wait for the locks; what was read under them.

        Raises:
            FenceLost: the shard has another leader.
            LedgerAccountsMissing: roll back, and make them.
            psycopg.Error: a lock was not granted, or the connection is lost.
        """
        self._statements.wait()
        if self._replies["fence"].fetchone() is None:
            state = self._state
            raise FenceLost(f"shard {state.shard} is not at epoch {state.epoch}, {self._last_id}")
        context = BatchContext()
        for account_id, account_status, broker_status in self._rows("accounts"):
            context.accounts[account_id] = refused_reason(
                account_status=account_status, broker_status=broker_status
            )
        if self._unknown:
            _take_rows(context, self._read_owned_rows(), self._keys)
        elif "rows" in self._replies:
            _take_rows(context, bulk.read_rows(self._replies["rows"]), self._keys)
        _take_owners(context, self._rows("owners"))
        context.known_orders = {order_id for (order_id,) in self._rows("orders")}
        context.known_commands = dict(self._rows("commands"))
        for order_id, broker_id, account_id in self._rows("closed"):
            context.closed_orders[order_id] = (broker_id, account_id)
        for account_id, client_order_id, order_id in self._rows("keys"):
            context.order_keys[account_id, client_order_id] = order_id
        for key, fingerprint, order_id in self._rows("request_keys"):
            context.request_keys[key] = (fingerprint, order_id)
        for instrument_id, version, broker_id, payload_format in self._rows("facts"):
            if broker_id is not None:
                context.webhook_brokers.setdefault(broker_id, set()).add(payload_format)
            else:
                context.instrument_versions[instrument_id] = version
        return context

    def _queries(self, plan: LockPlan, looks_up: bool) -> list[tuple[str, str, list[Any]]]:
        """Name, text and parameters of the statements, packed before the first is sent."""
        state = self._state
        queries: list[tuple[str, str, list[Any]]] = [
            ("begin", "BEGIN", []),
            ("fence", _FENCE, [state.shard, state.epoch, self._last_id]),
        ]
        if plan.accounts:
            queries.append(("accounts", _LOCK_ACCOUNTS, [bigints(sorted(plan.accounts))]))
        locked_ids = [row_id for keys in self._keys for row_id in keys]
        if self._unknown:
            queries.append(("rows", *bulk.lock_owned_statement(locked_ids, self._unknown)))
        elif locked_ids:
            queries.append(("rows", *bulk.lock_statement(locked_ids)))
        if plan.margin_takers:
            queries.append(("owners", *owners_statement(plan.margin_takers)))
        if plan.accounts or plan.instruments:
            queries.append(("facts", _FACTS, [bigints(plan.instruments)]))
        if plan.closed_orders:
            queries.append(("closed", _CLOSED_ORDERS, [uuids(plan.closed_orders)]))
        if plan.keys:
            account_ids, client_ids = zip(*plan.keys, strict=True)
            queries.append(("keys", _ORDER_KEYS, [bigints(account_ids), list(client_ids)]))
        if plan.request_keys:
            queries.append(("request_keys", _REQUEST_KEYS, [uuids(plan.request_keys)]))
        if plan.commands:
            queries.append(("commands", _KNOWN_COMMANDS, [uuids(plan.commands)]))
        if looks_up:
            queries.append(("orders", _KNOWN_ORDERS, [uuids(plan.orders)]))
        return queries

    def _read_owned_rows(self) -> list[LedgerRow]:
        """The locked rows; those that were locked by their owners are known from now on."""
        rows = bulk.read_owned_rows(self._replies["rows"])
        owned = {(owner, row.asset_id): row.id for owner, row in rows}
        for account_id, asset_id, _kind in self._unknown:
            pair = (account_id, asset_id)
            if pair in owned:
                self._state.client_ledger_ids[pair] = owned[pair]
                self._keys.clients[owned[pair]] = pair
            elif not self._accounts_made:
                raise LedgerAccountsMissing
        return [row for _owner, row in rows]

    def _rows(self, name: str) -> list[Any]:
        reply = self._replies.get(name)
        return [] if reply is None else reply.fetchall()


class _RowKeys(NamedTuple):
    """What the rows to lock are of, by their ids: see `BatchContext`."""

    clients: dict[int, tuple[int, int]]
    fees: dict[int, int]
    margins: dict[int, Owner]
    clearing: dict[int, int]


def _row_keys(state: ShardState, plan: LockPlan) -> _RowKeys:
    clients, margins = state.client_ledger_ids, state.margin_ledger_ids
    return _RowKeys(
        {clients[pair]: pair for pair in plan.rows if pair in clients},
        {state.fee_ledger_ids[asset_id]: asset_id for asset_id in plan.fee_assets},
        {margins[owner]: owner for owner in plan.margin_rows if owner in margins},
        {state.clearing_ledger_ids[asset_id]: asset_id for asset_id in plan.clearing_assets},
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
