"""Deals with the venue's dealer, as they were answered."""

from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from ledger.selectors.balances import find_balance, get_balances_after
from ledger.types import AccountKind
from margin.models import Position
from marketdata.models import MarkPrice
from orders.models import DealResult, Trade
from orders.selectors.orders import get_stored_order
from orders.types import Deal


def get_deal(order_id: UUID, *, was_created: bool) -> Deal:
    """What an order that was dealt came to, with the balances right after it.

    Raises:
        NotFound: there is no such order.
        Trade.DoesNotExist: it was not dealt.
    """
    order = get_stored_order(order_id)
    trade = Trade.objects.select_related("deal_price", "instrument").get(
        Q(buy_order_id=order_id) | Q(sell_order_id=order_id)
    )
    after = get_balances_after(trade.id, order.terms.account_id)
    return Deal(
        order=order,
        trade_id=trade.id,
        price=trade.price,
        quantity=trade.quantity,
        notional=trade.notional,
        fee=trade.buy_fee + trade.sell_fee,
        executed_at=trade.executed_at,
        price_source=trade.deal_price.source,
        price_as_of=trade.deal_price.as_of,
        price_age_seconds=trade.deal_price.age_seconds,
        is_price_simulated=trade.deal_price.is_simulated,
        cash_balance=after[trade.instrument.quote_asset_id],
        holding=after[trade.instrument.base_asset_id],
        was_created=was_created,
    )


def get_perpetual_deal(order_id: UUID, *, was_created: bool) -> Deal:
    """What an order for a perpetual that was dealt at the mark came to.

    `cash_balance` is the account's collateral, `holding` its position, right after the deal. Of
    deals that were made before these were stored they are as they stand now.

    Raises:
        NotFound: there is no such order.
        Trade.DoesNotExist: it was not dealt.
    """
    order = get_stored_order(order_id)
    trade = Trade.objects.select_related("instrument__quote_asset").get(
        Q(buy_order_id=order_id) | Q(sell_order_id=order_id)
    )
    account_id, instrument = order.terms.account_id, trade.instrument
    marks = MarkPrice.objects.filter(
        instrument=instrument, price=trade.price, posted_at__lte=trade.executed_at
    )
    mark = marks.latest("id")
    cash_balance, holding = _after_deal(trade, account_id)
    return Deal(
        order=order,
        trade_id=trade.id,
        price=trade.price,
        quantity=trade.quantity,
        notional=trade.notional,
        fee=order.fee,
        executed_at=trade.executed_at,
        price_source=f"mark {mark.source.lower()}",
        price_as_of=mark.as_of,
        price_age_seconds=max(0, int((trade.executed_at - mark.as_of).total_seconds())),
        is_price_simulated=False,
        cash_balance=cash_balance,
        holding=holding,
        was_created=was_created,
    )


def _after_deal(trade: Trade, account_id: int) -> tuple[Decimal, Decimal]:
    """Collateral and position."""
    result = DealResult.objects.filter(trade=trade).first()
    if result is not None:
        return result.cash_balance, result.holding
    instrument = trade.instrument
    collateral = find_balance(account_id, instrument.quote_asset.code, AccountKind.MARGIN)
    position = Position.objects.get(account_id=account_id, instrument=instrument)
    cash_balance = Decimal(0) if collateral is None else collateral.posted_balance
    return cash_balance, position.quantity
