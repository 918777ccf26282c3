"""The trial balance: for each asset, what the accounts of each kind have, which comes to zero."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from itertools import groupby
from typing import Any

from django.db import OperationalError, connection, transaction

from common.database import allow_long_statements, is_canceled
from common.money import EXACT
from ledger.errors import ReportTooSlow
from ledger.types import AccountKind

STATEMENT_SECONDS = 30

_KIND_ORDER = list(AccountKind)

_SUMS = """
SELECT s.code, s.scale, a.kind, count(*),
       coalesce(sum(a.balance) FILTER (WHERE a.balance < 0), 0),
       coalesce(sum(a.balance) FILTER (WHERE a.balance > 0), 0)
  FROM ({balances}) AS a JOIN marketdata_asset s ON s.id = a.asset_id
 WHERE %(asset)s::text IS NULL OR s.code = %(asset)s
 GROUP BY s.code, s.scale, a.kind
"""

_NOW = _SUMS.format(
    balances="SELECT asset_id, kind, posted_balance AS balance FROM ledger_ledgeraccount"
    " WHERE version > 0"
)

_AT = _SUMS.format(
    balances="""
    SELECT l.asset_id, l.kind, sum(p.amount) AS balance
      FROM ledger_posting p
      JOIN ledger_journalentry e ON e.id = p.entry_id
      JOIN ledger_ledgeraccount l ON l.id = p.ledger_account_id
     WHERE e.posted_at < %(at)s AND (%(asset)s::text IS NULL OR p.asset_id =
           (SELECT id FROM marketdata_asset WHERE code = %(asset)s))
     GROUP BY l.id"""
)


@dataclass(frozen=True, slots=True)
class BalanceSum:
    """What the accounts of one kind, or of an asset, have: `debit` is the sum of those below zero,
    `credit` of those above. Only accounts that were posted to count."""

    kind: str
    account_count: int
    debit: Decimal
    credit: Decimal

    @property
    def net(self) -> Decimal:
        return EXACT.add(self.debit, self.credit)


@dataclass(frozen=True, slots=True)
class AssetBalance:
    """The lines of one asset in the order of the kinds; their total is zero in a sound ledger."""

    asset: str
    scale: int
    lines: tuple[BalanceSum, ...]
    total: BalanceSum

    @property
    def is_balanced(self) -> bool:
        return self.total.net == 0


def get_trial_balance(
    *, asset: str | None = None, at: datetime | None = None
) -> list[AssetBalance]:
    """The trial balance by asset code: as of now from the balances or, slowly, as of an instant
    (exclusive) from every posting before it.

    Raises:
        ReportTooSlow: it would take more than half a minute.
    """
    given = {"asset": asset and asset.upper(), "at": at}
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            allow_long_statements(STATEMENT_SECONDS)
            cursor.execute(_NOW if at is None else _AT, given)
            rows = cursor.fetchall()
    except OperationalError as error:
        if is_canceled(error):
            raise ReportTooSlow(seconds_max=STATEMENT_SECONDS) from error
        raise
    in_order = sorted(rows, key=lambda row: (row[0], _KIND_ORDER.index(row[2])))
    groups = groupby(in_order, key=lambda row: (row[0], row[1]))
    return [_asset_balance(code, scale, group) for (code, scale), group in groups]


def _asset_balance(code: str, scale: int, rows: Iterable[Sequence[Any]]) -> AssetBalance:
    lines = tuple(BalanceSum(*row[2:]) for row in rows)
    total = BalanceSum(
        "TOTAL",
        sum(line.account_count for line in lines),
        reduce(EXACT.add, (line.debit for line in lines)),
        reduce(EXACT.add, (line.credit for line in lines)),
    )
    return AssetBalance(code, scale, lines, total)
