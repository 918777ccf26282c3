"""A stress test: what would become of all accounts if marks moved. Nothing is stored or locked.

Equity and maintenance margin of an account are straight lines over the move, so each account is
summed up once: (equity, maintenance margin) now, and how much of both moves along. Who passes both
the lowest and the highest move passes all between, and is looked at no further. An account that
is left with less than nothing costs the insurance fund what is missing, since its positions are
taken over at the price at which its equity is zero. What the book would take before is not counted:
the figures are the worst case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from brokers.types import HOUSE_BROKER_ID
from common.database import allow_long_statements
from margin.selectors.report import HOUSE_ACCOUNTS, MARKS

STATEMENT_SECONDS = 30

_ACCOUNTS = f"""
WITH {MARKS},
sums AS MATERIALIZED (
    SELECT b.*, coalesce(l.posted_balance, 0) + b.unrealized_pnl AS equity
      FROM (SELECT p.account_id, k.quote_asset_id AS asset_id,
                   sum(p.quantity * k.price - p.cost_basis) AS unrealized_pnl,
                   sum(ceil(abs(p.quantity) * k.price * k.maintenance_rate * 100000000))
                       * 0.00000001 AS margin,
                   coalesce(sum(p.quantity * k.price) FILTER (WHERE k.instrument_id
                            = ANY(%(moved)s)), 0) AS moved_value,
                   coalesce(sum(abs(p.quantity) * k.price * k.maintenance_rate)
                            FILTER (WHERE k.instrument_id = ANY(%(moved)s)), 0) AS moved_margin
              FROM margin_position p JOIN marks k USING (instrument_id)
             WHERE p.quantity <> 0 AND p.account_id NOT IN ({HOUSE_ACCOUNTS})
             GROUP BY p.account_id, k.quote_asset_id) b
      JOIN marketdata_asset s ON s.id = b.asset_id AND s.code = %(asset)s
      LEFT JOIN ledger_ledgeraccount l
        ON l.trading_account_id = b.account_id AND l.asset_id = b.asset_id AND l.kind = 'MARGIN'),
touched AS (
    SELECT * FROM sums
     WHERE equity + %(lowest)s * moved_value < margin + %(lowest)s * moved_margin
        OR equity + %(highest)s * moved_value < margin + %(highest)s * moved_margin),
stressed AS (
    SELECT c.move, a.account_id, a.equity AS equity_before,
           a.equity + c.move * a.moved_value AS equity,
           a.margin + c.move * a.moved_margin AS margin
      FROM touched a CROSS JOIN unnest(%(moves)s::numeric[]) AS c (move))
"""
_CURVE = f"""
{_ACCOUNTS}
SELECT move, count(*) FILTER (WHERE equity < margin),
       count(*) FILTER (WHERE equity < margin AND equity < 0),
       coalesce(-sum(equity) FILTER (WHERE equity < margin AND equity < 0), 0)
  FROM unnest(%(moves)s::numeric[]) AS m (move) LEFT JOIN stressed USING (move)
 GROUP BY move ORDER BY move
"""
_VICTIMS = f"""
{_ACCOUNTS}
SELECT v.account_id, t.document_number, r.name, v.equity_before, v.equity, v.margin,
       greatest(-v.equity, 0)
  FROM stressed v
  JOIN brokers_tradingaccount t ON t.id = v.account_id
  JOIN brokers_broker r ON r.id = t.broker_id
 WHERE v.equity < v.margin
 ORDER BY v.equity, v.account_id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class StressPoint:
    """What one move of the marks does; `move` is a share (-0.1: ten percent down).

    `loss` is what the insurance fund would pay, in the quote asset.
    """

    move: Decimal
    liquidated_count: int
    bankrupt_count: int
    loss: Decimal


@dataclass(frozen=True, slots=True)
class StressedAccount:
    """An account that would be liquidated, in the quote asset; `loss` is the insurance fund's."""

    account_id: int
    document_number: str
    broker: str
    equity_before: Decimal
    equity: Decimal
    maintenance_margin: Decimal
    loss: Decimal


def get_stress_curve(
    *, asset: str, instrument_ids: Sequence[int], moves: Sequence[Decimal]
) -> list[StressPoint]:
    """What each of `moves` would do to the accounts of a quote asset, by move.

    Only the marks of `instrument_ids` move, the others stay.
    """
    return [StressPoint(*row) for row in _fetch(_CURVE, asset, instrument_ids, moves)]


def list_stressed_accounts(
    *, asset: str, instrument_ids: Sequence[int], move: Decimal, limit: int
) -> list[StressedAccount]:
    """Who would be liquidated by one move, the deepest first."""
    rows = _fetch(_VICTIMS, asset, instrument_ids, [move], limit)
    return [StressedAccount(*row) for row in rows]


def _fetch(
    statement: str,
    asset: str,
    instrument_ids: Sequence[int],
    moves: Sequence[Decimal],
    limit: int | None = None,
) -> list[Any]:
    given: dict[str, Any] = {
        "asset": asset,
        "moved": list(instrument_ids),
        "moves": list(moves),
        "lowest": min(moves),
        "highest": max(moves),
        "house": HOUSE_BROKER_ID,
        "limit": limit,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        allow_long_statements(STATEMENT_SECONDS)
        cursor.execute(statement, given)
        return cursor.fetchall()
