"""A stretch of the made-up market as text for COPY: orders, keys, trades, and their entries."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from common.money import UNITS8
from exchange_project.history.market import (
    MAKER_RATE,
    TAKER_RATE,
    Events,
    HistoryOrder,
    HistoryTrade,
    Terms,
)
from exchange_project.history.world import ACTOR, ENGINE_SHARD, World
from ledger import bulk
from ledger.batch import LedgerRow

_COPY_ORDERS = """
COPY orders_order
     (id, account_id, broker_id, instrument_id, client_order_id, venue, side, order_type,
      time_in_force, limit_price, quantity, filled_quantity, valid_until, status, reason,
      hold_amount, margin_reserve, maker_fee_rate, taker_fee_rate, maker_notional, taker_notional,
      maker_fee, taker_fee, sequence, created_at, updated_at) FROM STDIN
"""
_COPY_KEYS = "COPY orders_orderkey (account_id, client_order_id, order_id) FROM STDIN"
_COPY_TRADES = """
COPY orders_trade
     (id, instrument_id, venue, price, quantity, notional, buy_order_id, sell_order_id,
      buy_account_id, sell_account_id, buy_fee, sell_fee, taker_side, sequence, executed_at)
FROM STDIN
"""
_ADD_NETS = """
INSERT INTO orders_brokernet AS n (broker_id, shard, asset_id, net_amount)
SELECT u.broker_id, %s, %s, u.amount * 0.00000001
  FROM unnest(%s::uuid[], %s::numeric[]) AS u (broker_id, amount)
    ON CONFLICT (broker_id, shard, asset_id)
    DO UPDATE SET net_amount = n.net_amount + excluded.net_amount
"""
_NULL = r"\N"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is stored in one transaction, all of it made before."""

    order_count: int
    orders: str
    keys: str
    trades: str
    ledger: bulk.PreparedCopy
    nets: Mapping[UUID, int]
    next_sequence: int
    until: int


def prepare_stretch(world: World, events: Events, *, next_sequence: int, until: int) -> Stretch:
    """Book the trades and holds of `events` in memory, and write everything as text."""
    terms = world.terms
    orders, trades = events.orders, events.trades
    nets: dict[UUID, int] = defaultdict(int)
    for trade in trades:
        _book(world, trade, terms.lot)
        nets[world.accounts[trade.buy.account].broker_id] -= trade.notional
        nets[world.accounts[trade.sell.account].broker_id] += trade.notional
    for order in orders:
        if order.hold:
            world.batch.set_hold(_paying_row(world, order), order.hold)
    moments = [_timestamp(trade.executed_at) for trade in trades]
    tick = terms.factor * UNITS8 // terms.lot
    return Stretch(
        len(orders),
        "".join(_order_line(world, order, tick, terms) for order in orders),
        "".join(_key_lines(world, orders)),
        "".join(_trade_line(world, trade, tick, terms) for trade in trades),
        bulk.prepare_copy(world.batch, actor=ACTOR, occurred_at=moments),
        nets,
        next_sequence,
        until,
    )


def store_stretch(cursor: Any, stretch: Stretch, *, asset_id: int) -> None:
    """Send a stretch in the caller's transaction, all triggers on; `cursor` is psycopg's.

    Raises:
        psycopg.IntegrityError: a constraint refused it.
    """
    for statement, text in (
        (_COPY_ORDERS, stretch.orders),
        (_COPY_KEYS, stretch.keys),
        (_COPY_TRADES, stretch.trades),
    ):
        if text:
            with cursor.copy(statement) as copy:
                copy.write(text)
    bulk.copy_batch(cursor, stretch.ledger)
    if stretch.nets:
        brokers, amounts = list(stretch.nets), list(stretch.nets.values())
        cursor.execute(_ADD_NETS, [ENGINE_SHARD, asset_id, brokers, amounts])


def _book(world: World, trade: HistoryTrade, lot: int) -> None:
    """The entry of a trade, as the engine books it."""
    buyer, seller, symbol = trade.buy.account, trade.sell.account, trade.buy.symbol
    quantity = trade.quantity * lot
    lines = [
        (world.cash[buyer], -trade.notional - trade.buy_fee),
        (world.cash[seller], trade.notional - trade.sell_fee),
        (world.shares[buyer][symbol], quantity),
        (world.shares[seller][symbol], -quantity),
        (world.fees, trade.buy_fee + trade.sell_fee),
    ]
    world.batch.post(trade.trade_id, "TRADE", "trade", trade.trade_id, lines)


def _paying_row(world: World, order: HistoryOrder) -> LedgerRow:
    if order.is_buy:
        return world.cash[order.account]
    return world.shares[order.account][order.symbol]


def _order_line(world: World, order: HistoryOrder, tick: int, terms: Terms) -> str:
    account = world.accounts[order.account]
    if order.price is None:
        kind, time_in_force, price = "MARKET", "IOC", _NULL
    else:
        kind, price = "LIMIT", f"{order.price * tick}e-8"
        time_in_force = "GTC" if order.valid_until is None else "GTD"
    until = _NULL if order.valid_until is None else _timestamp(order.valid_until)
    return (
        f"{order.order_id.hex()}\t{account.id}\t{account.broker_id.hex}\t"
        f"{world.instruments[order.symbol].id}\t{order.client_order_id or _NULL}\tBOOK\t"
        f"{'BUY' if order.is_buy else 'SELL'}\t{kind}\t{time_in_force}\t{price}\t"
        f"{order.quantity * terms.lot}e-8\t{order.filled * terms.lot}e-8\t{until}\t{order.status}\t"
        f"{order.reason}\t{order.hold}e-8\t0\t{MAKER_RATE}e-8\t{TAKER_RATE}e-8\t"
        f"{order.maker_notional}e-8\t{order.taker_notional}e-8\t{order.maker_fee}e-8\t"
        f"{order.taker_fee}e-8\t{order.sequence}\t{_timestamp(order.created_at)}\t"
        f"{_timestamp(order.updated_at)}\n"
    )


def _key_lines(world: World, orders: Iterable[HistoryOrder]) -> Iterable[str]:
    for order in orders:
        if order.client_order_id is not None:
            account_id = world.accounts[order.account].id
            yield f"{account_id}\t{order.client_order_id}\t{order.order_id.hex()}\n"


def _trade_line(world: World, trade: HistoryTrade, tick: int, terms: Terms) -> str:
    buy, sell = trade.buy, trade.sell
    return (
        f"{trade.trade_id.hex()}\t{world.instruments[buy.symbol].id}\tBOOK\t{trade.price * tick}e-8"
        f"\t{trade.quantity * terms.lot}e-8\t{trade.notional}e-8\t{buy.order_id.hex()}\t"
        f"{sell.order_id.hex()}\t{world.accounts[buy.account].id}\t"
        f"{world.accounts[sell.account].id}\t{trade.buy_fee}e-8\t{trade.sell_fee}e-8\t"
        f"{'BUY' if trade.taker_is_buyer else 'SELL'}\t{trade.sequence}\t"
        f"{_timestamp(trade.executed_at)}\n"
    )


def _timestamp(microseconds: int) -> str:
    second, rest = divmod(microseconds, 1_000_000)
    return f"{_second(second)}.{rest:06d}+00"


@lru_cache(maxsize=4_096)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S")
