"""Orders, fills, trades and books as documents of `/api/v1/`."""

from decimal import Decimal
from typing import Annotated, Any, TypeVar
from uuid import UUID

from msgspec import Meta

from common.api.declarations import Amount, Document, Instant, page_of
from common.api.renderers import format_instant, instant_or_none
from common.money import plain, plain_or_none
from marketdata.types import Mark
from orders.choices import (
    CancelOutcomeChoice,
    CancelResultChoice,
    LiquidityRoleChoice,
    OrderStatusChoice,
    OrderTypeChoice,
    SideChoice,
    TimeInForceChoice,
    VenueChoice,
)
from orders.models import Fill, Trade
from orders.types import Book, BookLevel, OrderFill, OrderState, Result


class OrderFillDocument(Document, frozen=True):
    """A fill of the order that it is shown with."""

    trade_id: UUID
    price: Amount
    quantity: Amount
    fee: Annotated[Amount, Meta(description="In the quote asset.")]
    liquidity_role: LiquidityRoleChoice
    executed_at: Instant


class OrderRow(Document, frozen=True):
    """An order in a list, without its fills."""

    id: UUID
    account_id: int
    symbol: str
    client_order_id: Annotated[str | None, Meta(description="The sender's own id.")]
    venue: VenueChoice
    side: SideChoice
    order_type: OrderTypeChoice
    time_in_force: TimeInForceChoice
    limit_price: Annotated[Amount | None, Meta(description="Null for a market order.")]
    quantity: Amount
    filled_quantity: Amount
    remaining_quantity: Annotated[
        Amount, Meta(description="What is not filled. Of a closed order it never will be.")
    ]
    average_fill_price: Annotated[
        Amount | None,
        Meta(description="Mean price by quantity, at 8 decimals; null without fills."),
    ]
    notional: Annotated[Amount, Meta(description="Of all fills, in the quote asset.")]
    fee: Annotated[Amount, Meta(description="Of all fills, in the quote asset.")]
    valid_until: Annotated[Instant | None, Meta(description="When a GTD order expires.")]
    status: OrderStatusChoice
    reason: Annotated[
        str | None, Meta(description="The code of why it was canceled, rejected or expired.")
    ]
    created_at: Instant
    updated_at: Instant


class OrderDocument(OrderRow, frozen=True):
    """An order with its fills."""

    fills: Annotated[list[OrderFillDocument], Meta(description="Oldest first.")]
    refusal_facts: Annotated[
        dict[str, str | int] | None,
        Meta(description="Of a refused order: what it was about, as `required` and `available`."),
    ]


class CanceledOrder(Document, frozen=True):
    """The result of a cancel, and the order as it stands."""

    result: CancelResultChoice
    order: OrderDocument


class CancelAllResult(Document, frozen=True):
    """The result of the cancel of one order."""

    order_id: UUID
    result: Annotated[CancelOutcomeChoice | None, Meta(description="Null: not known yet.")]


class CanceledAll(Document, frozen=True):
    """The result of a mass cancel."""

    canceled: Annotated[int, Meta(description="How many orders were canceled.")]
    results: Annotated[list[CancelAllResult], Meta(description="One for each open order.")]


class OrderTested(Document, frozen=True):
    """The answer to an order whose shape is right."""

    is_valid: bool


class FillDocument(Document, frozen=True):
    """A fill in a list."""

    trade_id: UUID
    order_id: Annotated[
        UUID | None, Meta(description="Null for a liquidation that was not traded on the book.")
    ]
    account_id: int
    symbol: str
    venue: VenueChoice
    side: SideChoice
    price: Amount
    quantity: Amount
    notional: Annotated[Amount, Meta(description="Price × quantity, in the quote asset.")]
    fee: Annotated[Amount, Meta(description="In the quote asset.")]
    liquidity_role: LiquidityRoleChoice
    executed_at: Instant


class PublicTrade(Document, frozen=True):
    """A trade on the book as the public sees it."""

    id: UUID
    price: Amount
    quantity: Amount
    notional: Annotated[Amount, Meta(description="Price × quantity, in the quote asset.")]
    taker_side: SideChoice
    executed_at: Instant


class Level(Document, frozen=True):
    """All open orders of one price."""

    price: Amount
    quantity: Amount
    order_count: int


class BookDocument(Document, frozen=True):
    """Both sides of a book."""

    symbol: str
    depth: Annotated[int, Meta(description="How many levels of each side are shown at most.")]
    bids: Annotated[list[Level], Meta(description="Best price first.")]
    asks: Annotated[list[Level], Meta(description="Best price first.")]


class Ticker(Document, frozen=True):
    """Last price, mark price and the top of a book."""

    symbol: str
    last_price: Annotated[Amount | None, Meta(description="Of the last trade on the book.")]
    mark_price: Annotated[Amount | None, Meta(description="Of a perpetual that has one.")]
    best_bid: Amount | None
    best_bid_quantity: Amount | None
    best_ask: Amount | None
    best_ask_quantity: Amount | None
    mid_price: Annotated[Amount | None, Meta(description="Null unless the book has both sides.")]
    spread: Annotated[Amount | None, Meta(description="Null unless the book has both sides.")]


OrderRowPage = page_of(OrderRow)
FillPage = page_of(FillDocument)
PublicTradePage = page_of(PublicTrade)

AnyOrder = TypeVar("AnyOrder", bound=OrderRow)


def order_document(order: OrderState) -> OrderDocument:
    """An order with its fills."""
    facts = {
        name: plain(value) if isinstance(value, Decimal) else value
        for name, value in order.refusal_facts.items()
    }
    fills = [_order_fill(fill) for fill in order.fills]
    return _order(OrderDocument, order, fills=fills, refusal_facts=facts or None)


def order_row(order: OrderState) -> OrderRow:
    """An order in a list: without its fills."""
    return _order(OrderRow, order)


def cancel_document(result: Result, order: OrderState) -> CanceledOrder:
    """The result of a cancel, and the order as it stands."""
    return CanceledOrder(result=result, order=order_document(order))


def cancel_all_document(results: dict[UUID, Result | None]) -> CanceledAll:
    """The result of a mass cancel, order by order."""
    return CanceledAll(
        canceled=sum(result == Result.CANCELED for result in results.values()),
        results=[CancelAllResult(order_id, result) for order_id, result in results.items()],
    )


def fill_document(fill: Fill) -> FillDocument:
    """A fill in a list."""
    return FillDocument(
        trade_id=fill.trade_id,
        order_id=fill.order_id,
        account_id=fill.account_id,
        symbol=fill.instrument.symbol,
        venue=fill.trade.venue,
        side=fill.side,
        price=plain(fill.price),
        quantity=plain(fill.quantity),
        notional=plain(fill.notional),
        fee=plain(fill.fee),
        liquidity_role=fill.liquidity_role,
        executed_at=format_instant(fill.executed_at),
    )


def trade_document(trade: Trade) -> PublicTrade:
    """A trade as the public sees it."""
    return PublicTrade(
        id=trade.id,
        price=plain(trade.price),
        quantity=plain(trade.quantity),
        notional=plain(trade.notional),
        taker_side=trade.taker_side,
        executed_at=format_instant(trade.executed_at),
    )


def book_document(symbol: str, depth: int, book: Book) -> BookDocument:
    """Both sides of a book, best first."""
    return BookDocument(
        symbol=symbol,
        depth=depth,
        bids=[_level(level) for level in book.bids],
        asks=[_level(level) for level in book.asks],
    )


def ticker_document(
    symbol: str, book: Book, last_price: Decimal | None, mark: Mark | None
) -> Ticker:
    """Last price, mark price and the top of a book; mid_price and spread need both sides."""
    bid = book.bids[0] if book.bids else None
    ask = book.asks[0] if book.asks else None
    return Ticker(
        symbol=symbol,
        last_price=plain_or_none(last_price),
        mark_price=plain(mark.price) if mark else None,
        best_bid=plain(bid.price) if bid else None,
        best_bid_quantity=plain(bid.quantity) if bid else None,
        best_ask=plain(ask.price) if ask else None,
        best_ask_quantity=plain(ask.quantity) if ask else None,
        mid_price=plain((bid.price + ask.price) / 2) if bid and ask else None,
        spread=plain(ask.price - bid.price) if bid and ask else None,
    )


def _order(kind: type[AnyOrder], order: OrderState, **more: Any) -> AnyOrder:
    terms = order.terms
    return kind(
        id=order.id,
        account_id=terms.account_id,
        symbol=order.symbol,
        client_order_id=order.client_order_id,
        venue=order.venue,
        side=terms.side,
        order_type=terms.order_type,
        time_in_force=terms.time_in_force,
        limit_price=plain_or_none(terms.limit_price),
        quantity=plain(terms.quantity),
        filled_quantity=plain(order.filled_quantity),
        remaining_quantity=plain(order.remaining_quantity),
        average_fill_price=plain_or_none(order.average_fill_price),
        notional=plain(order.notional),
        fee=plain(order.fee),
        valid_until=instant_or_none(terms.valid_until),
        status=order.status,
        reason=order.reason or None,
        created_at=format_instant(order.created_at),
        updated_at=format_instant(order.updated_at),
        **more,
    )


def _order_fill(fill: OrderFill) -> OrderFillDocument:
    return OrderFillDocument(
        trade_id=fill.trade_id,
        price=plain(fill.price),
        quantity=plain(fill.quantity),
        fee=plain(fill.fee),
        liquidity_role=fill.liquidity_role,
        executed_at=format_instant(fill.executed_at),
    )


def _level(level: BookLevel) -> Level:
    return Level(plain(level.price), plain(level.quantity), level.order_count)
