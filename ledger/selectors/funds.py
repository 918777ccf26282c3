"""A fund of the venue over time, from its postings: all shards' accounts of a kind together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from common.database import allow_long_statements
from ledger.types import AccountKind

_STATEMENT_SECONDS = 30
_POINTS_MAX = 240

_BALANCES = """
SELECT s.code, s.scale, sum(a.posted_balance)
  FROM ledger_ledgeraccount a JOIN marketdata_asset s ON s.id = a.asset_id
 WHERE a.kind = %(kind)s AND a.trading_account_id IS NULL
 GROUP BY s.code, s.scale ORDER BY s.code
"""
# The changes, and as the last row, without an instant, what the balance is after them.
_CHANGES = """
SELECT date_bin(%(step)s, e.posted_at, %(since)s), sum(p.amount)
  FROM ledger_ledgeraccount a
  JOIN marketdata_asset s ON s.id = a.asset_id
  JOIN ledger_posting p ON p.ledger_account_id = a.id
  JOIN ledger_journalentry e ON e.id = p.entry_id
 WHERE a.kind = %(kind)s AND a.trading_account_id IS NULL AND s.code = %(asset)s
   AND e.posted_at >= %(since)s
 GROUP BY 1
 UNION ALL
SELECT NULL, sum(a.posted_balance)
  FROM ledger_ledgeraccount a JOIN marketdata_asset s ON s.id = a.asset_id
 WHERE a.kind = %(kind)s AND a.trading_account_id IS NULL AND s.code = %(asset)s
 ORDER BY 1 NULLS LAST
"""
_LINES = """
SELECT e.posted_at, e.kind, e.memo, p.amount
  FROM ledger_ledgeraccount a
  JOIN marketdata_asset s ON s.id = a.asset_id
 CROSS JOIN LATERAL (
       SELECT * FROM ledger_posting q WHERE q.ledger_account_id = a.id
        ORDER BY q.account_version DESC LIMIT %(limit)s) p
  JOIN ledger_journalentry e ON e.id = p.entry_id
 WHERE a.kind = %(kind)s AND a.trading_account_id IS NULL AND s.code = %(asset)s
 ORDER BY e.posted_at DESC, p.id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class FundBalance:
    """What a fund has in an asset."""

    asset: str
    scale: int
    balance: Decimal


@dataclass(frozen=True, slots=True)
class FundPoint:
    """What a fund had in an asset at an instant."""

    at: datetime
    balance: Decimal


@dataclass(frozen=True, slots=True)
class FundLine:
    """One posting of a fund."""

    posted_at: datetime
    entry_kind: str
    memo: str
    amount: Decimal


def list_fund_balances(kind: AccountKind) -> list[FundBalance]:
    """What the venue's accounts of a kind have, by asset code."""
    return [FundBalance(*row) for row in _fetch(_BALANCES, {"kind": kind})]


def list_fund_points(kind: AccountKind, asset: str, *, period: timedelta) -> list[FundPoint]:
    """The fund's balance over the last `period`: at its begin, after each step that changed it, and
    now. Empty where the fund has no account in the asset."""
    now = timezone.now()
    step = max(timedelta(minutes=1), period / _POINTS_MAX)
    given = {"kind": kind, "asset": asset, "since": now - period, "step": step}
    *changes, (_, balance) = _fetch(_CHANGES, given)
    if balance is None:
        return []
    balance -= sum((change for _, change in changes), Decimal(0))
    points = [FundPoint(now - period, balance)]
    for begin, change in changes:
        balance += change
        points.append(FundPoint(min(begin + step, now), balance))
    return [*points, FundPoint(now, balance)]


def list_fund_lines(kind: AccountKind, asset: str, *, limit: int) -> list[FundLine]:
    """The newest postings of the fund in an asset."""
    rows = _fetch(_LINES, {"kind": kind, "asset": asset, "limit": limit})
    return [FundLine(*row) for row in rows]


def _fetch(statement: str, given: dict[str, Any]) -> Sequence[Any]:
    with transaction.atomic(), connection.cursor() as cursor:
        allow_long_statements(_STATEMENT_SECONDS)
        cursor.execute(statement, given)
        return cursor.fetchall()
