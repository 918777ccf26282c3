"""Simulated traders of the demo, with too much leverage on the perpetual that moves.

Each deals with the venue's dealer when it has no position: with the market's last move or against
it. Then it waits, for a profit or for its liquidation, and starts over with its stake. So the risk
desk has positions, margin calls and liquidations to show. Nothing here touches accounts of people.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal

from django.conf import settings
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.types import Principal
from common.errors import ExchangeError
from common.ids import new_uuid
from exchange_project.demo.data import MARKET_ASSET, MARKET_BROKER, MARKET_STAKE, MARKET_SYMBOL
from ledger.selectors import find_balance
from ledger.services import deposit
from ledger.types import AccountKind
from margin.models import FreezeChange, MarginAccount, Position
from margin.selectors.report import find_account_margins
from margin.services.freezing import unfreeze_margin_account
from marketdata.models import MarkPrice
from marketdata.selectors import find_instrument_spec, find_mark
from marketdata.types import InstrumentSpec
from orders.services.perpetuals import deal_perpetual

logger = logging.getLogger(__name__)

# Position / collateral of each trader in turn; MARKET_SYMBOL's initial margin allows 200.
_LEVERAGES = (170, 140, 110, 80)
_TREND = timedelta(minutes=10)
# Equity / collateral at which a profit is taken.
_PROFIT = Decimal("1.5")
_ACTOR = "demo"
# How the actors begin that freeze whom a liquidation has left nothing.
_ENGINES = "engine "


@dataclass(frozen=True, slots=True)
class _Trader:
    """One of the traders: its account, and what it makes of a move."""

    account_id: int
    principal: Principal
    leverage: int
    follows_trend: bool


def trade_demo_market() -> int:
    """Let each trader decide once; returns how many deals were made. Not inside a transaction."""
    instrument = find_instrument_spec(MARKET_SYMBOL)
    if not (settings.DEMO and settings.DEMO_MARKET) or instrument is None:
        return 0
    return sum(_decide_or_wait(trader, instrument) for trader in _traders())


def list_market_accounts() -> list[int]:
    """Ids of the traders' accounts."""
    return [trader.account_id for trader in _traders()]


def _traders() -> Iterator[_Trader]:
    accounts = TradingAccount.objects.filter(
        broker__name=MARKET_BROKER, broker__is_self_registered=False
    )
    rows = accounts.order_by("document_number").values_list("id", "broker_id")
    for number, (account_id, broker_id) in enumerate(rows):
        yield _Trader(
            account_id=account_id,
            principal=Principal(
                key_id=None,
                broker_id=broker_id,
                broker_name=MARKET_BROKER,
                account_id=account_id,
                scopes=frozenset({"trade"}),
            ),
            leverage=_LEVERAGES[number % len(_LEVERAGES)],
            follows_trend=number % 2 == 0,
        )


def _decide_or_wait(trader: _Trader, instrument: InstrumentSpec) -> bool:
    """Decide; where the venue refuses or is busy, wait for the next run."""
    try:
        return _decide(trader, instrument)
    except ExchangeError as error:
        logger.info("account %d does not deal: %s", trader.account_id, error)
        return False


def _decide(trader: _Trader, instrument: InstrumentSpec) -> bool:
    """Open a position, close one that gained enough, or hold it; True where there was a deal."""
    position = Position.objects.filter(account_id=trader.account_id, instrument_id=instrument.id)
    quantity = position.values_list("quantity", flat=True).first() or Decimal(0)
    if not quantity:
        return _open(trader, instrument)
    margins = find_account_margins(trader.account_id)
    state = next(one.state for one in margins if one.asset == MARKET_ASSET)
    if state.equity < state.collateral * _PROFIT:
        return False
    _deal(trader, instrument, "SELL" if quantity > 0 else "BUY", abs(quantity))
    return True


def _open(trader: _Trader, instrument: InstrumentSpec) -> bool:
    """Open a position on the stake, which is paid in again where it was lost."""
    mark = find_mark(instrument.id)
    if mark is None or mark.is_stale(timezone.now(), instrument.mark_stale_seconds):
        return False
    balance = find_balance(trader.account_id, MARKET_ASSET, AccountKind.MARGIN)
    collateral = Decimal(0) if balance is None else balance.posted_balance
    if collateral < MARKET_STAKE / 2:
        deposit(
            account_id=trader.account_id,
            asset=MARKET_ASSET,
            amount=MARKET_STAKE,
            source_id=new_uuid(),
            actor=_ACTOR,
            memo="Demo market",
            kind=AccountKind.MARGIN,
        )
        collateral += MARKET_STAKE
        _unfreeze_liquidated(trader)
    lots = collateral * trader.leverage / mark.price / instrument.lot_size
    quantity = lots.to_integral_value(ROUND_FLOOR) * instrument.lot_size
    is_long = _is_rising(instrument, mark.price) == trader.follows_trend
    _deal(trader, instrument, "BUY" if is_long else "SELL", quantity)
    return True


def _unfreeze_liquidated(trader: _Trader) -> None:
    """Let a trader go on whom a liquidation has left nothing; whom staff froze stays frozen."""
    is_frozen = MarginAccount.objects.filter(
        account_id=trader.account_id, asset__code=MARKET_ASSET, is_frozen=True
    )
    changes = FreezeChange.objects.filter(account_id=trader.account_id)
    last = changes.order_by("-id").values_list("actor", flat=True).first() or ""
    if is_frozen.exists() and last.startswith(_ENGINES):
        unfreeze_margin_account(
            account_id=trader.account_id,
            asset=MARKET_ASSET,
            reason="The demo's trader starts over",
            actor=_ACTOR,
        )


def _is_rising(instrument: InstrumentSpec, price: Decimal) -> bool:
    """Whether the mark is above the one of some minutes ago."""
    earlier = MarkPrice.objects.filter(
        instrument_id=instrument.id, posted_at__gte=timezone.now() - _TREND
    )
    first = earlier.order_by("posted_at").values_list("price", flat=True).first()
    return first is None or price >= first


def _deal(trader: _Trader, instrument: InstrumentSpec, side: str, quantity: Decimal) -> None:
    deal_perpetual(
        principal=trader.principal,
        account_id=trader.account_id,
        instrument=instrument,
        side=side,
        quantity=quantity,
        limit_price=None,
        client_order_id=None,
    )
