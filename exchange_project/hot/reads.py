"""The reads of the hot lane: the selectors' statements, on connections of the event loop."""

from decimal import Decimal
from uuid import UUID

from django.conf import settings

from brokers.types import Principal
from common.errors import NotFound
from exchange_project.hot.database import fetch
from exchange_project.hot.threads import run_in_thread
from marketdata.types import InstrumentSpec
from orders.selectors import statements
from orders.selectors.books import get_book as get_book_blocking
from orders.selectors.orders import check_owner
from orders.types import Book, OrderState, PriceSummary


async def get_order(principal: Principal, order_id: UUID) -> OrderState:
    """An order of the principal's. Raises as `orders.selectors.orders.get_order`."""
    rows = await fetch(statements.ORDER, order_id)
    if not rows:
        raise NotFound("There is no such order")
    # Before the fills: the order of another takes as long as one that there is not.
    check_owner(principal, *statements.owner_of(rows[0]))
    fills = await fetch(statements.FILLS, order_id) if statements.has_fills(rows[0]) else ()
    return statements.read_order(rows[0], fills)


async def get_prices(instrument_id: int, trades: int) -> PriceSummary | None:
    """As `orders.selectors.trades.get_last_and_average`."""
    return statements.read_prices(await fetch(statements.LAST_PRICES, instrument_id, trades))


async def get_broker_net(broker_id: UUID) -> Decimal:
    """As `orders.selectors.trades.get_broker_net`."""
    rows = await fetch(statements.BROKER_NET, broker_id, settings.VENUE_CURRENCY)
    net: Decimal = rows[0][0]
    return net


async def get_book(instrument: InstrumentSpec, depth: int) -> Book:
    """As `orders.selectors.books.get_book`."""
    return await run_in_thread(lambda: get_book_blocking(instrument, depth))
