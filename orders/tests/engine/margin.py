"""A perpetual for the engine's tests: who trades it with what collateral, and what must hold."""

from decimal import Decimal as D
from typing import Any

import msgspec
from django.db import connection
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.services.house import get_insurance_account_id
from common.ids import new_uuid
from ledger.models import LedgerAccount
from ledger.services import deposit, post_entry
from ledger.types import AccountKind, EntryKind, Line, VenueAccount
from margin.models import Position
from marketdata.models import Asset, Instrument
from orders.commands import DealPerpetual, LiquidateAccount, SetMarkPrice
from orders.matching.types import Side, TimeInForce
from orders.tests.engine.harness import REPLY_TO, Harness, make_account
from orders.tests.engine.invariants import check_all

_PERPETUAL: dict[str, Any] = {
    "kind": "PERPETUAL",
    "tick_size": D("0.01"),
    "lot_size": D("0.0001"),
    "price_rule": "MAKER",
    "price_band_rate": D("0.5"),
    "initial_margin_rate": D("0.2"),
    "maintenance_margin_rate": D("0.1"),
    "mark_jump_limit_rate": D("0.2"),
    "mark_stale_seconds": 600,
    "liquidation_fee_rate": D("0"),
    "liquidation_buffer_rate": D("0"),
    "funding_interval_seconds": 28_800,
    "funding_interest_rate": D("0.0001"),
    "funding_cap_rate": D("0.0075"),
}
_POSITIONS_OF_ORDERS = """
SELECT p.account_id, p.instrument_id
  FROM margin_position p
  LEFT JOIN orders_order o ON o.account_id = p.account_id AND o.instrument_id = p.instrument_id
   AND o.status IN ('OPEN', 'PARTIALLY_FILLED')
 GROUP BY p.id
HAVING p.open_buy <> coalesce(
           sum(o.quantity - o.filled_quantity) FILTER (WHERE o.side = 'BUY'), 0)
    OR p.open_sell <> coalesce(
           sum(o.quantity - o.filled_quantity) FILTER (WHERE o.side = 'SELL'), 0)
    OR p.loss_reserve <> coalesce(sum(o.margin_reserve), 0)
"""
_OPEN_WITHOUT_CLOSE = """
SELECT instrument_id, sum(quantity) FROM margin_position
 GROUP BY instrument_id HAVING sum(quantity) <> 0
"""
_COST_AGAINST_CLEARING = """
SELECT a.id, coalesce(b.total, 0), coalesce(p.total, 0)
  FROM marketdata_asset a
  LEFT JOIN (SELECT asset_id, sum(posted_balance) AS total FROM ledger_ledgeraccount
              WHERE kind = 'CLEARING' GROUP BY asset_id) b ON b.asset_id = a.id
  LEFT JOIN (SELECT i.quote_asset_id, sum(m.cost_basis) AS total
               FROM margin_position m JOIN marketdata_instrument i ON i.id = m.instrument_id
              GROUP BY i.quote_asset_id) p ON p.quote_asset_id = a.id
 WHERE coalesce(b.total, 0) + coalesce(p.total, 0) <> 0
"""


def make_perpetual(symbol: str = "BTC-PERP", **fields: Any) -> Instrument:
    """A perpetual in USDT (tick 0.01, lot 0.0001, no fees, 20 % and 10 %)."""
    usdt, _ = Asset.objects.get_or_create(code="USDT", defaults={"kind": "CRYPTO", "scale": 6})
    base, _ = Asset.objects.get_or_create(
        code=symbol.split("-")[0], defaults={"kind": "CRYPTO", "scale": 8}
    )
    return Instrument.objects.create(
        symbol=symbol, base_asset=base, quote_asset=usdt, **(_PERPETUAL | fields)
    )


def make_trader(collateral: str = "0", name: str = "Trader") -> TradingAccount:
    """A prefunded account with collateral in USDT."""
    account = make_account("PREFUNDED", name=name)
    if D(collateral):
        add_collateral(account, collateral)
    return account


def add_collateral(account: TradingAccount, amount: str) -> None:
    deposit(
        account_id=account.id,
        asset="USDT",
        amount=D(amount),
        source_id=new_uuid(),
        actor="test",
        kind=AccountKind.MARGIN,
    )


def collateral_of(account: TradingAccount) -> D:
    row = LedgerAccount.objects.filter(trading_account=account, kind="MARGIN").first()
    return D(0) if row is None else row.posted_balance


def position_of(account: TradingAccount, instrument: Instrument) -> tuple[D, D, D, D, D]:
    """Quantity, cost, open buys, open sells, loss reserve; zeros where there is none."""
    row = Position.objects.filter(account=account, instrument=instrument).first()
    if row is None:
        return D(0), D(0), D(0), D(0), D(0)
    return row.quantity, row.cost_basis, row.open_buy, row.open_sell, row.loss_reserve


def mark_command(harness: Harness, price: int, **fields: Any) -> SetMarkPrice:
    """A mark of `price` whole units of the quote asset, of now."""
    values: dict[str, Any] = {
        "command_id": new_uuid().bytes,
        "reply_to": REPLY_TO,
        "instrument_id": harness.instrument.id,
        "price_ticks": price * 100,
        "source": "POSTED",
        "as_of": harness.clock(),
        "actor": "test",
        "is_forced": True,
    }
    return SetMarkPrice(**(values | fields))


def set_mark(harness: Harness, price: int, **fields: Any) -> Any:
    """Post a mark in a batch of its own; the outcome."""
    return harness.carry_out(mark_command(harness, price, **fields))[0]


def deal_command(
    harness: Harness,
    dealer: TradingAccount,
    account: TradingAccount,
    side: Side,
    lots: int,
    price: int | None = None,
    **fields: Any,
) -> DealPerpetual:
    """An order that the dealer's account fills at the mark; `price` in cents."""
    values: dict[str, Any] = {"time_in_force": TimeInForce.IOC}
    order = harness.place_command(account, side, lots, price, **(values | fields))
    return DealPerpetual(
        **msgspec.structs.asdict(order),
        dealer_account_id=dealer.id,
        dealer_broker_id=dealer.broker_id.bytes,
    )


def deal(harness: Harness, *args: Any, **fields: Any) -> Any:
    """Deal against the dealer's account in a batch of its own; the outcome."""
    return harness.carry_out(deal_command(harness, *args, **fields))[0]


def age_marks(seconds: int) -> None:
    """As if all marks had been posted so long before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE marketdata_markprice SET as_of = %s - make_interval(secs => %s)",
            [timezone.now(), seconds],
        )


def check_with_margin(harness: Harness) -> None:
    """The books, the orders, the ledger and the positions agree."""
    check_all(harness.engine)
    check_margin_tables()


def check_margin_tables() -> None:
    """Positions sum to zero, cost is what clearing owes, and open sums are those of orders."""
    queries = {
        "positions that do not sum to zero": _OPEN_WITHOUT_CLOSE,
        "cost that clearing does not owe": _COST_AGAINST_CLEARING,
        "open sums that are not those of open orders": _POSITIONS_OF_ORDERS,
    }
    with connection.cursor() as cursor:
        for what, query in queries.items():
            cursor.execute(query)
            assert cursor.fetchall() == [], what


# --- liquidation --------------------------------------------------------------------------------


def feed_fund(amount: str) -> None:
    """Bring USDT into the insurance fund of the engine's shard."""
    usdt = Asset.objects.get(code="USDT")
    post_entry(
        kind=EntryKind.DEPOSIT,
        source_kind="test",
        source_id=new_uuid(),
        lines=[
            Line(VenueAccount(AccountKind.TRANSIT, usdt.id), -D(amount)),
            Line(VenueAccount(AccountKind.INSURANCE, usdt.id, 0), D(amount)),
        ],
        actor="test",
    )


def fund_balance() -> D:
    row = LedgerAccount.objects.filter(kind="INSURANCE", asset__code="USDT").first()
    return D(0) if row is None else row.posted_balance


def liquidate_command(account: TradingAccount, **fields: Any) -> LiquidateAccount:
    """The sweep's command for the account's collateral in USDT."""
    values: dict[str, Any] = {
        "command_id": new_uuid().bytes,
        "reply_to": REPLY_TO,
        "account_id": account.id,
        "asset_id": Asset.objects.get(code="USDT").id,
        "fund_account_id": get_insurance_account_id(),
        "actor": "test",
    }
    return LiquidateAccount(**(values | fields))


def liquidate(harness: Harness, account: TradingAccount, **fields: Any) -> str:
    """Liquidate in a batch of its own; the result."""
    return harness.carry_out(liquidate_command(account, **fields))[0].result
