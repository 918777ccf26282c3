"""Who is to be liquidated now, and who was. Nothing is locked: the engine looks again."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Prefetch, Q, QuerySet

from brokers.types import HOUSE_BROKER_ID
from common.database import allow_long_statements
from margin.errors import LiquidationNotFound
from margin.models import Liquidation, LiquidationStep
from margin.selectors.report import HOUSE_ACCOUNTS, MARKS

_STATEMENT_SECONDS = 30
_ID_DIGITS = 18

# Equity and maintenance margin of each collateral that has positions or is below zero, without the
# venue's own. Perpetuals that share a quote asset share a shard.
_NEAR = f"""
WITH {MARKS},
sums AS (
    SELECT p.account_id, k.quote_asset_id AS asset_id,
           sum(p.quantity * k.price - p.cost_basis) AS unrealized_pnl,
           sum(ceil(abs(p.quantity) * k.price * k.maintenance_rate * 100000000)) * 0.00000001
               AS maintenance_margin,
           bool_and(k.is_fresh AND k.is_trading) AS is_judged
      FROM margin_position p JOIN marks k USING (instrument_id)
     WHERE p.quantity <> 0
     GROUP BY p.account_id, k.quote_asset_id),
collaterals AS (
    SELECT trading_account_id AS account_id, asset_id, posted_balance
      FROM ledger_ledgeraccount WHERE kind = 'MARGIN'),
margins AS (
    SELECT account_id, asset_id, coalesce(b.maintenance_margin, 0) AS maintenance_margin,
           coalesce(c.posted_balance, 0) + coalesce(b.unrealized_pnl, 0) AS equity,
           coalesce(b.is_judged, true) AS is_judged
      FROM sums b FULL JOIN collaterals c USING (account_id, asset_id)
     WHERE (b.account_id IS NOT NULL OR c.posted_balance < 0)
       AND account_id NOT IN ({HOUSE_ACCOUNTS}))
SELECT m.account_id, m.asset_id, s.shard, m.equity, m.maintenance_margin, m.is_judged
  FROM margins m
  JOIN (SELECT quote_asset_id AS asset_id, min(shard) AS shard
          FROM marketdata_instrument WHERE kind = 'PERPETUAL' GROUP BY quote_asset_id) s
 USING (asset_id)
 WHERE m.equity < m.maintenance_margin
    OR m.maintenance_margin > 0 AND m.maintenance_margin >= m.equity * %(ratio)s
 ORDER BY m.equity - m.maintenance_margin, m.account_id
"""


@dataclass(frozen=True, slots=True)
class NearAccount:
    """A collateral near its end: money in the quote asset, and the shard whose engine decides.

    `is_judged`: all its positions have fresh marks, in instruments that trade.
    """

    account_id: int
    asset_id: int
    shard: int
    equity: Decimal
    maintenance_margin: Decimal
    is_judged: bool

    @property
    def must_be_liquidated(self) -> bool:
        """Equity is below the maintenance margin, strictly, and marks say so that count."""
        return self.is_judged and self.equity < self.maintenance_margin


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which rows of a history are wanted; None or empty: all. `since` is inclusive, `until` is not.

    `search` is an account's id or the beginning of its document number.
    """

    broker_id: UUID | None = None
    account_id: int | None = None
    asset: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str = ""

    def condition(self, moment: str) -> Q:
        """What rows with `account`, `asset` and an instant of that name must meet."""
        wanted: dict[str, Any] = {
            "account__broker_id": self.broker_id,
            "account_id": self.account_id,
            "asset__code": self.asset,
            f"{moment}__gte": self.since,
            f"{moment}__lt": self.until,
        }
        condition = Q(**{name: value for name, value in wanted.items() if value is not None})
        if self.search:
            named = Q(account__document_number__startswith=self.search)
            if self.search.isdecimal() and len(self.search) <= _ID_DIGITS:
                named |= Q(account_id=int(self.search))
            condition &= named
        return condition


def list_near_accounts(*, ratio: Decimal) -> list[NearAccount]:
    """Whose maintenance margin / equity is at least `ratio`; who lacks most comes first.

    With them who has less than nothing, be it without positions: that is a bad debt. The venue's
    own accounts are left out.
    """
    given: dict[str, Any] = {"house": HOUSE_BROKER_ID, "ratio": ratio}
    with transaction.atomic(), connection.cursor() as cursor:
        allow_long_statements(_STATEMENT_SECONDS)
        cursor.execute(_NEAR, given)
        return [NearAccount(*row) for row in cursor.fetchall()]


def list_accounts_to_liquidate() -> list[NearAccount]:
    """Whose equity is below the maintenance margin, strictly; who lacks most comes first.

    Left out are the venue's own accounts, and those with a position whose mark is stale or whose
    instrument does not trade.
    """
    return [one for one in list_near_accounts(ratio=Decimal(1)) if one.must_be_liquidated]


def list_liquidations(
    filters: HistoryFilter, *, outcome: str | None = None
) -> QuerySet[Liquidation]:
    """Liquidations with account, broker and asset, by no order: ids are ordered by time."""
    rows = Liquidation.objects.select_related("account__broker", "asset")
    if outcome is not None:
        rows = rows.filter(outcome=outcome)
    return rows.filter(filters.condition("executed_at"))


def get_liquidation(liquidation_id: UUID) -> Liquidation:
    """A liquidation with its steps, in their order; of whosever account: the caller decides.

    Raises:
        LiquidationNotFound: there is none.
    """
    steps = LiquidationStep.objects.select_related("instrument").order_by("number")
    rows = list_liquidations(HistoryFilter()).prefetch_related(Prefetch("steps", queryset=steps))
    found = rows.filter(id=liquidation_id).first()
    if found is None:
        raise LiquidationNotFound()
    return found
