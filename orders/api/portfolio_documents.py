"""Deals, cash, positions and portfolios as documents of `/api/v1/`."""

from decimal import Decimal
from typing import Annotated, Any, TypeVar
from uuid import UUID

from django.conf import settings
from msgspec import Meta

from common.api.declarations import Amount, Document, Instant
from common.api.renderers import format_instant
from common.money import DECIMAL_PLACES, plain, plain_or_none, round_half_up
from ledger.selectors import list_balances
from ledger.types import AccountKind, Balance
from orders.choices import OrderStatusChoice, SideChoice
from orders.selectors.holdings import Holding
from orders.selectors.portfolio import Portfolio, ValuedHolding
from orders.types import Deal

_ZERO = Decimal(0)


class DealDocument(Document, frozen=True):
    """A trade with the venue at the market price, and the balances right after it."""

    trade_id: UUID
    order_id: UUID
    client_order_id: Annotated[str | None, Meta(description="The sender's own id.")]
    account_id: int
    symbol: str
    side: SideChoice
    status: OrderStatusChoice
    reason: Annotated[str | None, Meta(description="The code of why a part was canceled.")]
    quantity: Amount
    price: Annotated[Amount, Meta(description="The market price.")]
    notional: Annotated[Amount, Meta(description="Price × quantity, in the quote asset.")]
    fee: Annotated[Amount, Meta(description="In the quote asset.")]
    price_source: Annotated[str, Meta(description="The service that the price came from.")]
    price_as_of: Instant
    price_age_seconds: Annotated[int, Meta(description="How old the price was when it was used.")]
    is_price_simulated: bool
    cash_balance: Annotated[Amount, Meta(description="Of the quote asset, right after the trade.")]
    holding: Annotated[Amount, Meta(description="Of the base asset, right after the trade.")]
    executed_at: Instant


class CashRow(Document, frozen=True):
    """A balance of one asset."""

    asset: str
    kind: Annotated[str, Meta(description="The kind of the ledger account.")]
    balance: Annotated[Amount, Meta(description="What is posted.")]
    held_amount: Annotated[Amount, Meta(description="Set aside for what is open.")]
    available_balance: Annotated[Amount, Meta(description="What is posted and not held.")]


class CashBalance(Document, frozen=True):
    """The cash of an account in the venue's currency, and all of its cash by currency."""

    account_id: int
    asset: Annotated[str, Meta(description="The venue's currency.")]
    balance: Annotated[Amount, Meta(description="What is posted.")]
    held_amount: Annotated[Amount, Meta(description="Set aside for what is open.")]
    available_balance: Annotated[Amount, Meta(description="What is posted and not held.")]
    balances: list[CashRow]


class NetBalance(Document, frozen=True):
    """What a broker sold minus what it bought on the book."""

    broker_id: UUID
    broker_name: str
    asset: Annotated[str, Meta(description="The venue's currency.")]
    balance: Amount


class HoldingDocument(Document, frozen=True):
    """What an account holds of an asset."""

    symbol: str
    asset: str
    quote_asset: str
    quantity: Amount
    held_quantity: Annotated[Amount, Meta(description="Set aside for what is open.")]
    available_quantity: Amount
    average_price: Annotated[
        Amount | None, Meta(description="Paid on average; null where nothing was bought.")
    ]


class HoldingsDocument(Document, frozen=True):
    """What an account holds, without market prices."""

    account_id: int
    positions: list[HoldingDocument]


class ValuedHoldingDocument(HoldingDocument, frozen=True):
    """A holding at its market price, in its quote asset; null what has no price."""

    market_price: Amount | None
    price_source: Annotated[str | None, Meta(description="The service that the price came from.")]
    price_as_of: Instant | None
    price_age_seconds: int | None
    is_price_simulated: bool | None
    is_price_stale: bool | None
    price_error: Annotated[str | None, Meta(description="The code of why there is no price.")]
    market_value: Amount | None
    cost: Annotated[Amount | None, Meta(description="Quantity × average price.")]
    profit: Amount | None
    profit_rate: Annotated[Amount | None, Meta(description="Profit divided by cost.")]
    allocation_percent: Annotated[
        Amount | None,
        Meta(description="Of the total value; null where it has no value there."),
    ]
    realized_profit: Annotated[
        Amount | None,
        Meta(description="Of all sales so far, before fees; null where it is not known now."),
    ]


class RealizedProfitRow(Document, frozen=True):
    """What trades in an instrument have realized so far, before fees; of flat positions too."""

    symbol: str
    quote_asset: str
    amount: Annotated[Amount, Meta(description="In the quote asset.")]


class LeftOutRow(Document, frozen=True):
    """What the totals do not count."""

    asset: Annotated[str, Meta(description="The asset; of a perpetual its symbol.")]
    kind: Annotated[str, Meta(description="HOLDING, POSITION, or the kind of the ledger account.")]
    amount: Amount
    reason: Annotated[str, Meta(description="The code of why it has no value.")]


class PortfolioDocument(Document, frozen=True):
    """Holdings at market prices, cash, collateral, and the totals in the venue's currency."""

    account_id: int
    currency: Annotated[str, Meta(description="The venue's, in which the totals are.")]
    cash: Annotated[Amount, Meta(description="In the venue's currency.")]
    other_cash: Annotated[Amount, Meta(description="What the cash in other currencies is worth.")]
    collateral: Annotated[
        Amount, Meta(description="Collateral, with the profit of open positions in perpetuals.")
    ]
    market_value: Annotated[Amount, Meta(description="What the holdings are worth.")]
    total_value: Annotated[
        Amount, Meta(description="Cash, other cash, collateral and market value.")
    ]
    profit: Annotated[Amount, Meta(description="Of the holdings whose average price is known.")]
    profit_rate: Annotated[Amount | None, Meta(description="Profit divided by cost.")]
    unrealized_profit: Annotated[Amount, Meta(description="Of open positions in perpetuals.")]
    realized_profits: list[RealizedProfitRow]
    is_complete: Annotated[bool, Meta(description="Whether the totals leave nothing out.")]
    left_out: list[LeftOutRow]
    holdings: list[ValuedHoldingDocument]
    balances: list[CashRow]


AnyHolding = TypeVar("AnyHolding", bound=HoldingDocument)


def deal_document(deal: Deal) -> DealDocument:
    """A deal with where its price came from, and the balances right after it."""
    order = deal.order
    return DealDocument(
        trade_id=deal.trade_id,
        order_id=order.id,
        client_order_id=order.client_order_id,
        account_id=order.terms.account_id,
        symbol=order.symbol,
        side=order.terms.side,
        status=order.status,
        reason=order.reason or None,
        quantity=plain(deal.quantity),
        price=plain(deal.price),
        notional=plain(deal.notional),
        fee=plain(deal.fee),
        price_source=deal.price_source,
        price_as_of=format_instant(deal.price_as_of),
        price_age_seconds=deal.price_age_seconds,
        is_price_simulated=deal.is_price_simulated,
        cash_balance=plain(deal.cash_balance),
        holding=plain(deal.holding),
        executed_at=format_instant(deal.executed_at),
    )


def cash_document(account_id: int) -> CashBalance:
    """Cash in the venue's currency (nothing booked yet is zero), and all cash by currency."""
    cash = [one for one in list_balances(account_id) if one.kind == AccountKind.CASH]
    own = next((one for one in cash if one.asset == settings.VENUE_CURRENCY), None)
    return CashBalance(
        account_id=account_id,
        asset=settings.VENUE_CURRENCY,
        balance=plain(own.posted_balance if own else _ZERO),
        held_amount=plain(own.held_amount if own else _ZERO),
        available_balance=plain(own.available_balance if own else _ZERO),
        balances=[_cash_row(one) for one in cash],
    )


def net_document(broker_id: UUID, broker_name: str, net: Decimal) -> NetBalance:
    """What a broker sold minus what it bought on the book."""
    return NetBalance(broker_id, broker_name, settings.VENUE_CURRENCY, plain(net))


def position_document(holding: Holding) -> HoldingDocument:
    """A holding without its market price; `average_price` is at 8 decimals, halves up."""
    return _holding(HoldingDocument, holding)


def portfolio_document(account_id: int, portfolio: Portfolio) -> PortfolioDocument:
    """Holdings, cash, and the totals in the venue's currency."""
    return PortfolioDocument(
        account_id=account_id,
        currency=settings.VENUE_CURRENCY,
        cash=plain(portfolio.cash),
        other_cash=plain(portfolio.other_cash),
        collateral=plain(portfolio.collateral),
        market_value=plain(portfolio.market_value),
        total_value=plain(portfolio.total_value),
        profit=plain(portfolio.profit),
        profit_rate=plain_or_none(portfolio.profit_rate),
        unrealized_profit=plain(portfolio.unrealized_profit),
        realized_profits=[
            RealizedProfitRow(one.symbol, one.quote_asset, plain(one.amount))
            for one in portfolio.realized_profits
        ],
        is_complete=portfolio.is_complete,
        left_out=[
            LeftOutRow(one.asset, one.kind, plain(one.amount), one.reason)
            for one in portfolio.left_out
        ],
        holdings=[_valued_document(one) for one in portfolio.holdings],
        balances=[_cash_row(one) for one in portfolio.balances],
    )


def _holding(kind: type[AnyHolding], holding: Holding, **more: Any) -> AnyHolding:
    average = holding.average_price
    return kind(
        symbol=holding.symbol,
        asset=holding.asset,
        quote_asset=holding.quote_asset,
        quantity=plain(holding.quantity),
        held_quantity=plain(holding.held_quantity),
        available_quantity=plain(holding.quantity - holding.held_quantity),
        average_price=None if average is None else plain(round_half_up(average, DECIMAL_PLACES)),
        **more,
    )


def _valued_document(valued: ValuedHolding) -> ValuedHoldingDocument:
    price, realized = valued.price, valued.holding.realized_profit
    return _holding(
        ValuedHoldingDocument,
        valued.holding,
        market_price=plain(price.price) if price else None,
        price_source=price.source if price else None,
        price_as_of=format_instant(price.as_of) if price else None,
        price_age_seconds=price.age_seconds if price else None,
        is_price_simulated=price.is_simulated if price else None,
        is_price_stale=price.is_stale if price else None,
        price_error=valued.price_error,
        market_value=plain_or_none(valued.market_value),
        cost=plain_or_none(valued.cost),
        profit=plain_or_none(valued.profit),
        profit_rate=plain_or_none(valued.profit_rate),
        allocation_percent=plain_or_none(valued.allocation_percent),
        realized_profit=None
        if realized is None
        else plain(round_half_up(realized, DECIMAL_PLACES)),
    )


def _cash_row(balance: Balance) -> CashRow:
    return CashRow(
        asset=balance.asset,
        kind=balance.kind,
        balance=plain(balance.posted_balance),
        held_amount=plain(balance.held_amount),
        available_balance=plain(balance.available_balance),
    )
