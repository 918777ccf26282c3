"""Statements of the hottest reads, with how their rows are read: for Django's connections, and for
those of an event loop. `%s` is the one parameter, or the two, that each names.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from orders.types import (
    OrderFill,
    OrderState,
    OrderTerms,
    PriceSummary,
    RefusalFacts,
    reason_of,
)

# By the order's id.
ORDER = """
SELECT o.id, o.broker_id, o.account_id, o.instrument_id, o.side, o.order_type, o.time_in_force,
       o.limit_price, o.quantity, o.valid_until, i.symbol, o.client_order_id, o.status, o.reason,
       o.filled_quantity, o.maker_notional + o.taker_notional, o.maker_fee + o.taker_fee,
       o.created_at, o.updated_at, o.venue, r.facts::text
  FROM orders_order o JOIN marketdata_instrument i ON i.id = o.instrument_id
  LEFT JOIN orders_orderrefusal r ON r.order_id = o.id
 WHERE o.id = %s
"""
# By the order's id, oldest first.
FILLS = """
SELECT f.trade_id, f.price, f.quantity, f.fee, f.liquidity_role, f.executed_at, coalesce(b.name, '')
  FROM orders_fill f
  LEFT JOIN brokers_tradingaccount a ON a.id = f.counter_account_id
  LEFT JOIN brokers_broker b ON b.id = a.broker_id
 WHERE f.order_id = %s ORDER BY f.trade_id
"""
# By the instrument's id and how many, newest first.
LAST_PRICES = """
SELECT price FROM orders_trade
 WHERE instrument_id = %s AND venue = 'BOOK' ORDER BY id DESC LIMIT %s
"""
# By the broker's id and the code of an asset.
BROKER_NET = """
SELECT coalesce(sum(n.net_amount), 0)
  FROM orders_brokernet n JOIN marketdata_asset s ON s.id = n.asset_id
 WHERE n.broker_id = %s AND s.code = %s
"""


def read_order(row: Sequence[Any], fills: Sequence[Sequence[Any]]) -> OrderState:
    """A row of `ORDER`, with those of `FILLS`, as the order stands."""
    return OrderState(
        id=row[0],
        broker_id=row[1],
        terms=OrderTerms(*row[2:10]),
        symbol=row[10],
        client_order_id=row[11],
        status=row[12],
        reason=reason_of(row[12], row[13]),
        filled_quantity=row[14],
        notional=row[15],
        fee=row[16],
        created_at=row[17],
        updated_at=row[18],
        fills=tuple(OrderFill(*fill) for fill in fills),
        venue=row[19],
        refusal_facts={} if row[20] is None else read_facts(json.loads(row[20])),
    )


def read_facts(facts: Mapping[str, str | int]) -> RefusalFacts:
    """The stored facts of a refusal: texts are amounts."""
    return {
        name: Decimal(value) if isinstance(value, str) else value for name, value in facts.items()
    }


def owner_of(row: Sequence[Any]) -> tuple[UUID, int]:
    """Broker and account of a row of `ORDER`."""
    return row[1], row[2]


def has_fills(row: Sequence[Any]) -> bool:
    """Whether a row of `ORDER` needs those of `FILLS`."""
    return bool(row[14])


def read_prices(rows: Sequence[Sequence[Any]]) -> PriceSummary | None:
    """The rows of `LAST_PRICES`: last price and exact sum; None without trades."""
    if not rows:
        return None
    prices = [price for (price,) in rows]
    return PriceSummary(last_price=prices[0], total=sum(prices, Decimal(0)), count=len(prices))
