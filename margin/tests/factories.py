"""Perpetuals, marks and positions for tests of what only reads them.

Positions are the engine's to make; where a test is about their sums, they are written as they are.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from brokers.models import Broker, TradingAccount
from common.ids import derived_uuid, new_uuid
from common.instants import to_microseconds
from ledger.services import deposit
from ledger.types import AccountKind
from margin.models import (
    Funding,
    FundingPayment,
    Liquidation,
    LiquidationStep,
    Position,
    PremiumSample,
)
from marketdata.models import Asset, Instrument, MarkPrice

_TERMS: dict[str, Any] = {
    "kind": "PERPETUAL",
    "tick_size": Decimal("0.01"),
    "lot_size": Decimal("0.0001"),
    "price_rule": "MAKER",
    "price_band_rate": Decimal("0.5"),
    "initial_margin_rate": Decimal("0.2"),
    "maintenance_margin_rate": Decimal("0.1"),
    "mark_jump_limit_rate": Decimal("0.2"),
    "mark_stale_seconds": 600,
    "liquidation_fee_rate": Decimal("0"),
    "liquidation_buffer_rate": Decimal("0"),
    "funding_interval_seconds": 28_800,
    "funding_interest_rate": Decimal("0.0001"),
    "funding_cap_rate": Decimal("0.0075"),
}


def make_asset(code: str, scale: int = 6) -> Asset:
    made, _ = Asset.objects.get_or_create(code=code, defaults={"kind": "CRYPTO", "scale": scale})
    return made


def make_perpetual(
    symbol: str = "BTC-PERP", mark: str = "50000", quote: str = "USDT", **fields: Any
) -> Instrument:
    """A perpetual with a mark (tick 0.01, lot 0.0001, 20 % and 10 %)."""
    instrument = Instrument.objects.create(
        symbol=symbol,
        base_asset=make_asset(symbol.split("-")[0], 8),
        quote_asset=make_asset(quote),
        **(_TERMS | fields),
    )
    set_mark(instrument, mark)
    return instrument


def set_mark(instrument: Instrument, price: str, *, age: Any = None) -> MarkPrice:
    """Another mark from now on, or of some time ago."""
    now = timezone.now()
    return MarkPrice.objects.create(
        instrument=instrument,
        price=Decimal(price),
        source="POSTED",
        as_of=now - age if age else now,
        posted_at=now,
        actor="test",
    )


def make_margin_account(
    collateral: str = "0",
    *,
    document: str = "1",
    broker: str = "Broker",
    quote: str = "USDT",
) -> TradingAccount:
    """A prefunded account with collateral; brokers of one name are one."""
    firm, _ = Broker.objects.get_or_create(name=broker)
    account = TradingAccount.objects.create(
        broker=firm, document_number=document, funding="PREFUNDED"
    )
    make_asset(quote)
    if Decimal(collateral):
        deposit(
            account_id=account.id,
            asset=quote,
            amount=Decimal(collateral),
            source_id=new_uuid(),
            actor="test",
            kind=AccountKind.MARGIN,
        )
    return account


def make_position(
    account: TradingAccount, instrument: Instrument, quantity: str, entry: str = "0", **fields: Any
) -> Position:
    """A position that was entered at a price; `fields` are its open orders and the like."""
    size = Decimal(quantity)
    return Position.objects.create(
        account=account,
        instrument=instrument,
        quantity=size,
        cost_basis=size * Decimal(entry),
        version=1,
        updated_at=timezone.now(),
        **{name: Decimal(value) for name, value in fields.items()},
    )


def make_liquidation(
    account: TradingAccount, *, instrument: Instrument | None = None, **fields: Any
) -> Liquidation:
    """A liquidation in the history: 0.1 long, 400 against 500, taken over; with three steps."""
    zero = Decimal(0)
    values: dict[str, Any] = {
        "outcome": Liquidation.Outcome.RESTORED,
        "collateral_before": Decimal(400),
        "collateral_after": Decimal(10),
        "equity_before": Decimal(400),
        "equity_after": Decimal(10),
        "maintenance_margin_before": Decimal(500),
        "maintenance_margin_after": zero,
        "fee": Decimal("2.5"),
        "fund_result": Decimal("387.5"),
        "bad_debt": zero,
        "executed_at": timezone.now(),
    }
    made = Liquidation.objects.create(
        id=new_uuid(), account=account, asset=make_asset("USDT"), **(values | fields)
    )
    before = {"equity_before": Decimal(400), "maintenance_margin_before": Decimal(500)}
    unchanged = before | {"equity_after": Decimal(400), "maintenance_margin_after": Decimal(500)}
    after = {"equity_after": Decimal(10), "maintenance_margin_after": zero}
    closed = {
        "instrument": instrument,
        "quantity": Decimal("-0.1"),
        "price": Decimal("46100"),
        "mark_price": Decimal(50_000),
    }
    LiquidationStep.objects.bulk_create(
        LiquidationStep(liquidation=made, number=number, kind=kind, **values)
        for number, kind, values in (
            (1, "FREEZE", unchanged),
            (2, "TAKEOVER", before | after | closed),
            (
                3,
                "UNFREEZE",
                after | {"equity_before": Decimal(10), "maintenance_margin_before": zero},
            ),
        )
    )
    return made


def make_premium_sample(instrument: Instrument, at: datetime, premium: str) -> PremiumSample:
    """The sample of one minute."""
    return PremiumSample.objects.create(
        instrument=instrument,
        at=at,
        premium_rate=Decimal(premium),
        impact_bid=Decimal(1),
        impact_ask=Decimal(1),
        index_price=Decimal(1),
    )


def make_funding(
    instrument: Instrument,
    due_at: datetime,
    payments: Mapping[TradingAccount, str] | None = None,
    *,
    rate: str = "0.0001",
) -> Funding:
    """A funding as the engine fixes it, of a position of 1 each; what nobody gets remains."""
    amounts = {account: Decimal(amount) for account, amount in (payments or {}).items()}
    paid = -sum((amount for amount in amounts.values() if amount < 0), Decimal(0))
    received = sum((amount for amount in amounts.values() if amount > 0), Decimal(0))
    now = timezone.now()
    funding = Funding.objects.create(
        id=derived_uuid(to_microseconds(due_at) // 1000, 0xFFF, instrument.id),
        instrument=instrument,
        due_at=due_at,
        rate=Decimal(rate),
        sample_count=1,
        mark_price=Decimal(50_000),
        paid=paid,
        received=received,
        remainder=paid - received,
        fixed_at=now,
        booked_at=None if amounts else now,
    )
    for account, amount in amounts.items():
        quantity = Decimal(1) if amount < 0 else Decimal(-1)
        FundingPayment.objects.create(
            funding=funding, account=account, quantity=quantity, amount=amount, entry_id=new_uuid()
        )
    return funding
