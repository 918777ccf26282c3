"""Orders as they stand. Only the engine judges whether one has expired; reads show that."""

from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet
from msgspec import Meta

from brokers.types import Principal
from common.api.declarations import Moment, Request, RowId, Symbol
from common.errors import NotFound
from orders.choices import ClientOrderId, OrderStatusChoice, SideChoice
from orders.errors import OrderOfAnother
from orders.models import Order, OrderKey
from orders.selectors import statements
from orders.types import OrderFill, OrderState, OrderTerms, reason_of

_OPEN = Order.OPEN_STATUSES


class OrderFilter(Request, frozen=True):
    """Which orders a list shows; None: all."""

    account_id: RowId | None = None
    symbol: Annotated[Symbol | None, Meta(description="In any case.")] = None
    side: SideChoice | None = None
    status: OrderStatusChoice | None = None
    client_order_id: ClientOrderId | None = None
    since: Annotated[Moment | None, Meta(description="Created at that time or later.")] = None
    until: Annotated[Moment | None, Meta(description="Created before that time.")] = None


class OwnedOrder(NamedTuple):
    """What a cancel needs to know of an order."""

    order_id: UUID
    broker_id: UUID
    shard: int


def get_order(*, principal: Principal, order_id: UUID) -> OrderState:
    """An order of the principal's with its fills.

    Raises:
        NotFound: there is no such order.
        OrderOfAnother: it belongs to another broker, or to another account than the key's.
    """
    return _get_order(order_id, principal)


def get_stored_order(order_id: UUID) -> OrderState:
    """Any order with its fills.

    Raises:
        NotFound: there is no such order.
    """
    return _get_order(order_id, None)


def find_order_by_client_id(
    *, principal: Principal, account_id: int, client_order_id: str
) -> OrderState | None:
    """The order that an account of the principal's placed under its own id, with its fills."""
    order = find_order_by_key(account_id=account_id, client_order_id=client_order_id)
    if order is not None:
        check_own_order(principal=principal, order=order)
    return order


def find_order_by_key(*, account_id: int, client_order_id: str) -> OrderState | None:
    """The order that claimed `client_order_id` of an account, with its fills."""
    claims = OrderKey.objects.filter(account_id=account_id, client_order_id=client_order_id)
    order_id = claims.values_list("order_id", flat=True).first()
    return None if order_id is None else get_stored_order(order_id)


def check_own_order(*, principal: Principal, order: OrderState) -> None:
    """See that the principal may look at an order.

    Raises:
        OrderOfAnother: it belongs to another broker, or to another account than the key's.
    """
    check_owner(principal, order.broker_id, order.terms.account_id)


def check_owner(principal: Principal, broker_id: UUID, account_id: int) -> None:
    """See that an order of this broker and account is the principal's.

    Raises:
        OrderOfAnother: it is not.
    """
    is_bound_elsewhere = principal.account_id not in (None, account_id)
    if broker_id != principal.broker_id or is_bound_elsewhere:
        raise OrderOfAnother


def _get_order(order_id: UUID, principal: Principal | None) -> OrderState:
    """An order, of the principal's if there is one.

    The owner is checked before the fills are read, so that the order of another takes as long as an
    order that there is not.
    """
    with connection.cursor() as cursor:
        row = cursor.execute(statements.ORDER, [order_id]).fetchone()
        if row is None:
            raise NotFound("There is no such order")
        if principal is not None:
            check_owner(principal, *statements.owner_of(row))
        fills = []
        if statements.has_fills(row):
            fills = cursor.execute(statements.FILLS, [order_id]).fetchall()
    return statements.read_order(row, fills)


def list_orders(*, principal: Principal, filters: OrderFilter) -> "QuerySet[Order]":
    """The principal's orders by these filters, with their instruments; `as_state` shows one."""
    orders = Order.objects.select_related("instrument").filter(_of(principal))
    return orders.filter(_matching(filters))


def list_open_orders(
    *, principal: Principal, symbol: str | None, account_id: int | None
) -> list[OwnedOrder]:
    """What a mass cancel is about, oldest first."""
    orders = Order.objects.filter(_of(principal), status__in=_OPEN)
    orders = orders.filter(_matching(OrderFilter(symbol=symbol, account_id=account_id)))
    return _owned(orders)


def list_owned_orders(order_ids: Iterable[UUID]) -> list[OwnedOrder]:
    """Those of these orders that there are, oldest first."""
    return _owned(Order.objects.filter(id__in=order_ids))


def find_shard_of_order(order_id: UUID) -> int | None:
    """The shard of a stored order's instrument."""
    return Order.objects.filter(id=order_id).values_list("instrument__shard", flat=True).first()


def as_state(order: Order, *, fills: tuple[OrderFill, ...] = ()) -> OrderState:
    """A stored order (with its instrument) as it stands."""
    terms = OrderTerms(
        account_id=order.account_id,
        instrument_id=order.instrument_id,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        limit_price=order.limit_price,
        quantity=order.quantity,
        valid_until=order.valid_until,
    )
    return OrderState(
        id=order.id,
        broker_id=order.broker_id,
        terms=terms,
        symbol=order.instrument.symbol,
        client_order_id=order.client_order_id,
        status=order.status,
        reason=reason_of(order.status, order.reason),
        filled_quantity=order.filled_quantity,
        notional=order.maker_notional + order.taker_notional,
        fee=order.maker_fee + order.taker_fee,
        created_at=order.created_at,
        updated_at=order.updated_at,
        fills=fills,
        venue=order.venue,
    )


def _owned(orders: "QuerySet[Order]") -> list[OwnedOrder]:
    rows = orders.order_by("id").values_list("id", "broker_id", "instrument__shard")
    return [OwnedOrder(*row) for row in rows]


def _of(principal: Principal) -> Q:
    if principal.account_id is not None:
        return Q(account_id=principal.account_id)
    return Q(broker_id=principal.broker_id)


def _matching(filters: OrderFilter) -> Q:
    plain: dict[str, Any] = {
        "instrument__symbol": filters.symbol,
        "side": filters.side,
        "status": filters.status,
        "account_id": filters.account_id,
        "client_order_id": filters.client_order_id,
        "created_at__gte": filters.since,
        "created_at__lt": filters.until,
    }
    return Q(**{name: value for name, value in plain.items() if value is not None})
