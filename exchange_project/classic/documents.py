"""Answers of the classic dialect: whole cents, `bid` and `ask`."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from common.api.declarations import Document, Instant, one_of
from common.api.renderers import format_instant, instant_or_none
from exchange_project.classic.cents import mean_in_cents, to_cents, to_whole
from orders.types import Book, BookLevel, OrderFill, OrderState, PriceSummary

# The words of this dialect, and the venue's.
SIDES = {"bid": "BUY", "ask": "SELL"}
ORDER_TYPES = {"limit": "LIMIT", "market": "MARKET"}
_SIDE_NAMES = {meaning: word for word, meaning in SIDES.items()}
_TYPE_NAMES = {meaning: word for word, meaning in ORDER_TYPES.items()}

SideChoice = Annotated[str, one_of("ClassicSide", SIDES)]
OrderTypeChoice = Annotated[str, one_of("ClassicOrderType", ORDER_TYPES)]
StatusChoice = Annotated[str, one_of("ClassicOrderStatus", ["open", "closed"])]
Cents = Annotated[int, Meta(description="Whole cents.")]


class ClassicTrade(Document, frozen=True):
    """A trade of the order that it is shown with."""

    trade_id: UUID
    price: Cents
    quantity: int
    counterparty_broker: Annotated[str, Meta(description="The name of the other side's broker.")]
    executed_at: Instant


class ClassicOrderAnswer(Document, frozen=True):
    """An order and its trades."""

    id: UUID
    side: SideChoice
    order_type: OrderTypeChoice
    symbol: str
    price: Annotated[Cents | None, Meta(description="Null for a market order.")]
    quantity: int
    remaining_quantity: int
    status: StatusChoice
    valid_until: Instant | None
    created_at: Instant
    trades: list[ClassicTrade]


class ClassicPlaced(Document, frozen=True):
    """An order that was taken."""

    order_id: UUID


class ClassicRegistered(Document, frozen=True):
    """A new broker and its key."""

    broker_id: UUID
    api_key: Annotated[str, Meta(description="Shown once.")]


class ClassicPrice(Document, frozen=True):
    """The last price, and the moving average of the last trades."""

    symbol: str
    last_price: Cents
    average_price: Annotated[int, Meta(description="Whole cents, rounded down.")]
    trades_in_average: int


class ClassicLevel(Document, frozen=True):
    """All open orders of one price."""

    price: Cents
    total_quantity: int
    order_count: int


class ClassicBook(Document, frozen=True):
    """Both sides of a book, best price first."""

    symbol: str
    depth: int
    asks: list[ClassicLevel]
    bids: list[ClassicLevel]


class ClassicBalance(Document, frozen=True):
    """What a broker sold minus what it bought on the book."""

    broker_id: UUID
    broker_name: str
    balance: Cents


class ClassicTradeCount(Document, frozen=True):
    """How many trades there are."""

    count: int


class ClassicReset(Document, frozen=True):
    """The answer after the venue was emptied."""

    status: Annotated[str, Meta(description="`ok`")]


class ClassicErrorField(Document, frozen=True):
    """What is wrong with one field."""

    loc: Annotated[list[str], Meta(description="`body`, `query` or `path`, and the field.")]
    msg: str
    type: Annotated[str, Meta(description="A stable code.")]


class ClassicError(Document, frozen=True):
    """A refusal. For what fails validation `detail` is a list, else a text."""

    detail: str | list[ClassicErrorField]
    order_id: Annotated[
        UUID | None, Meta(description="Of the order, where it has an id all the same.")
    ] = None


def order_document(order: OrderState) -> ClassicOrderAnswer:
    """The answer of `GET /orders/{id}`."""
    terms = order.terms
    price = terms.limit_price
    return ClassicOrderAnswer(
        id=order.id,
        side=_SIDE_NAMES[terms.side],
        order_type=_TYPE_NAMES[terms.order_type],
        symbol=order.symbol,
        price=None if price is None else to_cents(price),
        quantity=to_whole(terms.quantity),
        remaining_quantity=to_whole(order.remaining_quantity),
        status="open" if order.is_open else "closed",
        valid_until=instant_or_none(terms.valid_until),
        created_at=format_instant(order.created_at),
        trades=[_trade(fill) for fill in order.fills],
    )


def book_document(symbol: str, depth: int, book: Book | None) -> ClassicBook:
    """The answer of `GET /stocks/{symbol}/book`; empty without a book."""
    return ClassicBook(
        symbol=symbol,
        depth=depth,
        asks=[_level(level) for level in book.asks] if book else [],
        bids=[_level(level) for level in book.bids] if book else [],
    )


def price_document(symbol: str, summary: PriceSummary) -> ClassicPrice:
    """The answer of `GET /stocks/{symbol}/price`."""
    return ClassicPrice(
        symbol=symbol,
        last_price=to_cents(summary.last_price),
        average_price=mean_in_cents(summary.average_price),
        trades_in_average=summary.count,
    )


def _trade(fill: OrderFill) -> ClassicTrade:
    return ClassicTrade(
        trade_id=fill.trade_id,
        price=to_cents(fill.price),
        quantity=to_whole(fill.quantity),
        counterparty_broker=fill.counterparty_broker,
        executed_at=format_instant(fill.executed_at),
    )


def _level(level: BookLevel) -> ClassicLevel:
    return ClassicLevel(to_cents(level.price), to_whole(level.quantity), level.order_count)
