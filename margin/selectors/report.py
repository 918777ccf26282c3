"""The margin report: what every account's collateral carries, in one statement over all positions.

Sums are formed in PostgreSQL, with the rounding of `margin.calculations` (each margin up to 10^-8);
what is judged of an account is judged by `margin.types.MarginState`. A collateral in one quote
asset is a line; the venue's own accounts are none. There is no position without a mark: the engine
takes no order before the first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from brokers.types import HOUSE_BROKER_ID
from common.money import steps_of, to_units8
from margin.calculations import liquidation_price
from margin.types import Exposure, MarginState, PerpetualTerms

_CHUNK = 2_000

# The mark that holds of each perpetual; what is given by a query in `moves` stands in for it.
MARKS = """
marks AS MATERIALIZED (
    SELECT i.id AS instrument_id, i.quote_asset_id, i.tick_size, i.lot_size, m.price,
           i.initial_margin_rate AS initial_rate, i.maintenance_margin_rate AS maintenance_rate,
           i.state = 'CONTINUOUS' AS is_trading,
           m.as_of >= now() - make_interval(secs => i.mark_stale_seconds) AS is_fresh
      FROM marketdata_instrument i
     CROSS JOIN LATERAL (
           SELECT price, as_of FROM marketdata_markprice
            WHERE instrument_id = i.id ORDER BY id DESC LIMIT 1) m
     WHERE i.kind = 'PERPETUAL')
"""
# What each account has and owes by quote asset. `sole_*` say something where there is one position.
BURDENS = f"""
{MARKS},
burdens AS (
    SELECT p.account_id, k.quote_asset_id AS asset_id,
           count(*) FILTER (WHERE p.quantity <> 0) AS position_count,
           sum(p.quantity * k.price - p.cost_basis) AS unrealized_pnl,
           sum(ceil(greatest(abs(p.quantity + p.open_buy), abs(p.quantity - p.open_sell))
                    * k.price * k.initial_rate * 100000000)) * 0.00000001 AS initial_margin,
           sum(ceil(abs(p.quantity) * k.price * k.maintenance_rate * 100000000)) * 0.00000001
               AS maintenance_margin,
           sum(p.loss_reserve) AS loss_reserve,
           min(k.instrument_id) FILTER (WHERE p.quantity <> 0) AS sole_instrument_id,
           sum(p.quantity) AS sole_quantity
      FROM margin_position p JOIN marks k USING (instrument_id)
     WHERE p.quantity <> 0 OR p.open_buy > 0 OR p.open_sell > 0
     GROUP BY p.account_id, k.quote_asset_id),
accounts AS (
    SELECT b.*, coalesce(l.posted_balance, 0) AS collateral,
           coalesce(l.posted_balance, 0) + b.unrealized_pnl AS equity
      FROM burdens b
      LEFT JOIN ledger_ledgeraccount l
        ON l.trading_account_id = b.account_id AND l.asset_id = b.asset_id AND l.kind = 'MARGIN')
"""
# They carry the venue's own risk and are never liquidated.
HOUSE_ACCOUNTS = "SELECT id FROM brokers_tradingaccount WHERE broker_id = %(house)s"
# The lines of a page are chosen first, so that names are looked up for them alone.
_LINES = f"""
WITH {BURDENS},
judged AS (
    SELECT a.*, a.maintenance_margin > 0 AND a.equity <= 0 AS is_bankrupt,
           CASE WHEN a.equity > 0 THEN a.maintenance_margin / a.equity END AS margin_ratio,
           CASE WHEN a.equity > 0 THEN a.initial_margin / a.equity END AS utilization
      FROM accounts a),
chosen AS (
    SELECT j.*{{totals}} FROM judged j WHERE {{conditions}} {{cut}})
SELECT j.account_id, t.document_number, t.broker_id, r.name, s.code, s.scale,
       coalesce(f.is_frozen, false), j.position_count,
       j.collateral, j.unrealized_pnl, j.initial_margin, j.maintenance_margin, j.loss_reserve,
       i.symbol, k.tick_size, k.lot_size, k.maintenance_rate, k.price, j.sole_quantity
       {{total_names}}
  FROM chosen j
  JOIN brokers_tradingaccount t ON t.id = j.account_id
  JOIN brokers_broker r ON r.id = t.broker_id
  JOIN marketdata_asset s ON s.id = j.asset_id
  LEFT JOIN margin_marginaccount f ON f.account_id = j.account_id AND f.asset_id = j.asset_id
  LEFT JOIN marks k ON k.instrument_id = j.sole_instrument_id AND j.position_count = 1
  LEFT JOIN marketdata_instrument i ON i.id = k.instrument_id
 {{order}}
"""
_TOTALS = """,
       count(*) OVER () AS account_total,
       count(*) FILTER (WHERE j.is_bankrupt) OVER () AS bankrupt_total,
       count(*) FILTER (WHERE j.equity < j.maintenance_margin) OVER () AS liquidated_total,
       count(*) FILTER (WHERE j.maintenance_margin > 0
                          AND j.maintenance_margin >= j.equity * %(call_ratio)s) OVER ()
           AS at_risk_total
"""
_TOTAL_NAMES = ", j.account_total, j.bankrupt_total, j.liquidated_total, j.at_risk_total"
# What the report can be sorted by: expressions, which all run in the chosen direction.
_SORTS = {
    "risk": ("j.is_bankrupt", "j.margin_ratio"),
    "utilization": ("j.is_bankrupt", "j.utilization"),
    "equity": ("j.equity",),
    "collateral": ("j.collateral",),
    "unrealized_pnl": ("j.unrealized_pnl",),
    "initial_margin": ("j.initial_margin",),
    "maintenance_margin": ("j.maintenance_margin",),
    "account": ("j.account_id",),
}
SORTS = tuple(_SORTS)


class RiskLevel(StrEnum):
    """How near an account is to losing its positions, the worst first."""

    BANKRUPT = "BANKRUPT"
    LIQUIDATE = "LIQUIDATE"
    CALL = "CALL"
    SAFE = "SAFE"


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Which lines of the report are wanted; None, empty or False: all.

    `search` is an account's id or the beginning of its document number. An account of the venue is
    shown only where it is asked for by its id.
    """

    asset: str | None = None
    broker_id: UUID | None = None
    account_id: int | None = None
    search: str = ""
    is_at_risk: bool = False


@dataclass(frozen=True, slots=True)
class SolePosition:
    """The one position of an account that has just one; `mark` is the mark price."""

    symbol: str
    quantity: Decimal
    mark: Decimal
    tick_size: Decimal
    lot_size: Decimal
    maintenance_rate: Decimal


@dataclass(frozen=True, slots=True)
class AccountMargin:
    """A line of the report: an account's collateral in one quote asset. Units in `margin.types`."""

    account_id: int
    document_number: str
    broker_id: UUID
    broker: str
    asset: str
    scale: int
    is_frozen: bool
    position_count: int
    state: MarginState
    sole: SolePosition | None

    @property
    def level(self) -> RiskLevel:
        """How near the account is to liquidation."""
        return risk_level(self.state)

    @property
    def liquidation_price(self) -> Fraction | None:
        """The mark price at which it is liquidated, in the quote asset; None with several
        positions, since then there is one for each."""
        if self.sole is None:
            return None
        exposure = exposure_of(
            tick_size=self.sole.tick_size,
            lot_size=self.sole.lot_size,
            maintenance_rate=self.sole.maintenance_rate,
            mark=self.sole.mark,
            quantity=self.sole.quantity,
        )
        ticks = liquidation_price(self.state, exposure)
        return None if ticks is None else ticks * Fraction(self.sole.tick_size)


@dataclass(frozen=True, slots=True)
class MarginReport:
    """A page of lines, and how many there are of each kind under the filter."""

    lines: list[AccountMargin]
    account_count: int = 0
    bankrupt_count: int = 0
    liquidation_count: int = 0
    at_risk_count: int = 0
    page: int = 1
    page_count: int = 1


def call_ratio() -> Decimal:
    """The margin ratio from which on an account is asked for more collateral."""
    return min(settings.MARGIN_CALL_LEVELS)


def risk_level(state: MarginState) -> RiskLevel:
    """Where an account stands: bankrupt, below its maintenance margin, near it, or neither."""
    if state.is_bankrupt:
        return RiskLevel.BANKRUPT
    if state.must_be_liquidated:
        return RiskLevel.LIQUIDATE
    ratio = state.margin_ratio
    is_near = ratio is not None and ratio > 0 and ratio >= Fraction(call_ratio())
    return RiskLevel.CALL if is_near else RiskLevel.SAFE


def exposure_of(
    *,
    tick_size: Decimal,
    lot_size: Decimal,
    maintenance_rate: Decimal,
    mark: Decimal,
    quantity: Decimal,
    initial_rate: Decimal = Decimal(1),
    cost_basis: Decimal = Decimal(0),
    open_buy: Decimal = Decimal(0),
    open_sell: Decimal = Decimal(0),
    loss_reserve: Decimal = Decimal(0),
) -> Exposure:
    """A stored position in the units of `margin.types`; amounts are whole lots and ticks."""
    factor = to_units8(tick_size * lot_size)
    terms = PerpetualTerms(
        factor=factor,
        money_unit=1,
        initial_rate=to_units8(initial_rate),
        maintenance_rate=to_units8(maintenance_rate),
    )
    return Exposure(
        terms=terms,
        mark=_steps(mark, tick_size),
        quantity=_steps(quantity, lot_size),
        cost_basis=to_units8(cost_basis),
        open_buy=_steps(open_buy, lot_size),
        open_sell=_steps(open_sell, lot_size),
        loss_reserve=to_units8(loss_reserve),
    )


def get_margin_report(
    *,
    filters: ReportFilter | None = None,
    sort: str = "risk",
    is_descending: bool = True,
    page: int = 1,
    page_size: int = 50,
) -> MarginReport:
    """A page of the report, by default who is nearest to liquidation first, the bankrupt before.

    A page past the end is the last one. `sort` is one of `SORTS`.
    """
    wanted = filters or ReportFilter()
    rows = _fetch_page(wanted, sort, is_descending, page, page_size)
    if not rows and page > 1:
        # Whoever looks at the last page loses it when accounts close: show them what there is.
        first = get_margin_report(
            filters=wanted, sort=sort, is_descending=is_descending, page_size=page_size
        )
        if first.page_count == 1:
            return first
        page = first.page_count
        rows = _fetch_page(wanted, sort, is_descending, page, page_size)
    if not rows:
        return MarginReport([])
    accounts, bankrupt, liquidated, at_risk = rows[0][-4:]
    page_count = -(-accounts // page_size)
    lines = [_line(row) for row in rows]
    return MarginReport(lines, accounts, bankrupt, liquidated, at_risk, page, page_count)


def stream_margin_report(
    *,
    filters: ReportFilter | None = None,
    sort: str = "risk",
    is_descending: bool = True,
) -> Iterator[AccountMargin]:
    """All lines of the report, read by and by from one moment's view of the tables."""
    wanted = filters or ReportFilter()
    statement = _statement(wanted, sort, is_descending, is_page=False)
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, _parameters(wanted))
        while rows := cursor.fetchmany(_CHUNK):
            yield from map(_line, rows)


def find_account_margins(account_id: int) -> list[AccountMargin]:
    """The lines of one account, one for each quote asset in which it has positions or orders."""
    only = ReportFilter(account_id=account_id)
    return get_margin_report(filters=only, sort="account", page_size=100).lines


def _fetch_page(
    wanted: ReportFilter, sort: str, is_descending: bool, page: int, page_size: int
) -> Sequence[Any]:
    statement = _statement(wanted, sort, is_descending, is_page=True)
    limits = {"limit": page_size, "offset": (page - 1) * page_size}
    with connection.cursor() as cursor:
        cursor.execute(statement, _parameters(wanted) | limits)
        return cursor.fetchall()


def _statement(wanted: ReportFilter, sort: str, is_descending: bool, *, is_page: bool) -> str:
    direction = "DESC NULLS LAST" if is_descending else "ASC NULLS FIRST"
    expressions = ", ".join(f"{expression} {direction}" for expression in _SORTS[sort])
    order = f"ORDER BY {expressions}, j.equity, j.account_id, j.asset_id"
    return _LINES.format(
        conditions=_conditions(wanted),
        order=order,
        cut=f"{order} LIMIT %(limit)s OFFSET %(offset)s" if is_page else "",
        totals=_TOTALS if is_page else "",
        total_names=_TOTAL_NAMES if is_page else "",
    )


def _conditions(wanted: ReportFilter) -> str:
    conditions = ["true"]
    if wanted.asset:
        conditions.append("j.asset_id = (SELECT id FROM marketdata_asset WHERE code = %(asset)s)")
    if wanted.broker_id:
        conditions.append(
            "j.account_id IN (SELECT id FROM brokers_tradingaccount"
            " WHERE broker_id = %(broker_id)s)"
        )
    if wanted.account_id is not None:
        conditions.append("j.account_id = %(account_id)s")
    else:
        conditions.append(f"j.account_id NOT IN ({HOUSE_ACCOUNTS})")
    if wanted.search:
        conditions.append(
            "j.account_id IN (SELECT id FROM brokers_tradingaccount"
            " WHERE id::text = %(search)s OR starts_with(document_number, %(search)s))"
        )
    if wanted.is_at_risk:
        conditions.append(
            "j.maintenance_margin > 0 AND j.maintenance_margin >= j.equity * %(call_ratio)s"
        )
    return " AND ".join(conditions)


def _parameters(wanted: ReportFilter) -> dict[str, Any]:
    return {
        "asset": wanted.asset,
        "broker_id": wanted.broker_id,
        "account_id": wanted.account_id,
        "search": wanted.search,
        "call_ratio": call_ratio(),
        "house": HOUSE_BROKER_ID,
    }


def _line(row: Sequence[Any]) -> AccountMargin:
    account_id, document, broker_id, broker, asset, scale, is_frozen, count = row[:8]
    symbol, tick, lot, rate, mark, quantity = row[13:19]
    sole = None if symbol is None else SolePosition(symbol, quantity, mark, tick, lot, rate)
    state = MarginState(*map(to_units8, row[8:13]))
    return AccountMargin(
        account_id, document, broker_id, broker, asset, scale, is_frozen, count, state, sole
    )


def _steps(value: Decimal, step: Decimal) -> int:
    steps = steps_of(value, step)
    assert steps is not None, "the engine stores whole lots and ticks"
    return steps
