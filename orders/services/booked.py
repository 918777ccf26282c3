"""Executions that happened elsewhere and are recorded here, against the external account.

A booked order is PENDING, and holds nothing, until the whole of it is executed; `filled_quantity`
tells how much is. It costs no fee: the place where it was executed has charged its own. No engine
knows it.
"""

from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.types import Principal
from common.database import retry_on_conflict
from ledger.errors import InsufficientFunds
from ledger.locks import lock_trading_account
from ledger.services.requests import check_account_active
from marketdata.models import Instrument
from marketdata.selectors import get_instrument_spec_by_id
from marketdata.services import list_symbol
from marketdata.types import InstrumentSpec
from orders.errors import (
    ClientOrderIdConflict,
    NotBookedOrder,
    OrderNotPending,
    OrderRefused,
    PerpetualOnBookOnly,
    QuantityAboveRemaining,
)
from orders.locks import lock_order
from orders.models import Order, Venue
from orders.selectors.orders import (
    check_own_order,
    find_order_by_key,
    get_stored_order,
)
from orders.services.accounts import resolve_account
from orders.services.recording import (
    Facts,
    fill,
    money_reason,
    new_order,
    store_new_order,
    store_refusal,
    tell_broker,
)
from orders.services.terms import check_quantity, check_terms
from orders.types import OrderState, OrderTerms, PlacedOrder, Reason, Result

_PENDING = Order.Status.PENDING
_REFUSED = (Order.Status.REJECTED, Order.Status.CANCELED)


def book_order(
    *,
    principal: Principal,
    account_id: int,
    symbol: str,
    side: str,
    quantity: Decimal,
    price: Decimal,
    client_order_id: str | None,
) -> PlacedOrder:
    """Make a pending order for an execution elsewhere; it moves nothing until it is executed.

    The same `client_order_id` with the same content gives the first order again, as it stands.

    Raises:
        ValidationFailed, UnknownSymbol: malformed; nothing was stored.
        PerpetualOnBookOnly: it is for a perpetual.
        PermissionDenied, NotFound: not an account of the principal.
        ClientOrderIdConflict: this client_order_id has another order.
        AccountNotActive: it is suspended or closed.
    """
    resolve_account(principal=principal, account_id=account_id, document_number=None)
    instrument = list_symbol(symbol)
    if instrument.kind == Instrument.Kind.PERPETUAL:
        raise PerpetualOnBookOnly(symbol=symbol)
    terms = OrderTerms(
        account_id=account_id,
        instrument_id=instrument.id,
        side=side,
        order_type=Order.Type.LIMIT.value,
        time_in_force=Order.TimeInForce.GTC.value,
        limit_price=price,
        quantity=quantity,
        valid_until=None,
    )
    check_terms(
        instrument=instrument,
        order_type=terms.order_type,
        time_in_force=terms.time_in_force,
        limit_price=price,
        quantity=quantity,
        valid_until=None,
        client_order_id=client_order_id,
    )
    return _store(terms, client_order_id)


@retry_on_conflict
@transaction.atomic
def _store(terms: OrderTerms, client_order_id: str | None) -> PlacedOrder:
    account = lock_trading_account(terms.account_id)
    if client_order_id is not None:
        first = find_order_by_key(account_id=account.id, client_order_id=client_order_id)
        if first is not None:
            if first.terms != terms or first.venue != Venue.EXTERNAL:
                raise ClientOrderIdConflict(order_id=str(first.id))
            return PlacedOrder(first, was_created=False)
    check_account_active(account)
    order = new_order(
        account=account, terms=terms, venue=Venue.EXTERNAL, client_order_id=client_order_id
    )
    store_new_order(order)
    return PlacedOrder(get_stored_order(order.id), was_created=True)


def execute_order(
    *, principal: Principal, order_id: UUID, quantity: Decimal | None = None
) -> OrderState:
    """Settle a pending order at its price: what remains of it, or a part.

    An order that is executed in full answers as it stands, whoever asks for the whole once more. A
    part is booked each time that it is asked for: callers send an Idempotency-Key.

    Raises:
        NotFound, OrderOfAnother: not an order of the principal.
        NotBookedOrder: it was not made to be booked.
        OrderNotPending: it is canceled, or executed and a part is asked for.
        ValidationFailed, QuantityAboveRemaining: no quantity for this order.
        AccountNotActive, WalletNotActive: the account or a wallet is suspended or closed; the order
            waits.
        OrderRefused: too little cash or holding. The order is closed: REJECTED where nothing of it
            was executed, else CANCELED. Whoever asks again is told the same.
    """
    check_own_order(principal=principal, order=get_stored_order(order_id))
    refusal = _execute(order_id, quantity, principal.actor)
    if refusal is not None:
        raise refusal
    return get_stored_order(order_id)


@retry_on_conflict
@transaction.atomic
def _execute(order_id: UUID, quantity: Decimal | None, actor: str) -> OrderRefused | None:
    """Book an execution, or close the order; what is raised has changed nothing."""
    order = lock_order(order_id)
    if order.venue != Venue.EXTERNAL:
        raise NotBookedOrder(order_id=str(order_id))
    instrument = get_instrument_spec_by_id(order.instrument_id)
    if quantity is not None:
        check_quantity(quantity, instrument)
    if order.status != _PENDING:
        return _first_result(order, quantity)
    remaining = order.quantity - order.filled_quantity
    if quantity is not None and quantity > remaining:
        raise QuantityAboveRemaining(order_id=str(order_id), quantity=quantity, remaining=remaining)
    account = lock_trading_account(order.account_id)
    check_account_active(account)
    return _settle(order, account, instrument, quantity or remaining, actor)


def _settle(
    order: Order,
    account: TradingAccount,
    instrument: InstrumentSpec,
    quantity: Decimal,
    actor: str,
) -> OrderRefused | None:
    assert order.limit_price is not None, "a booked order has its price"
    try:
        trade = fill(
            order,
            account=account,
            instrument=instrument,
            price=order.limit_price,
            quantity=quantity,
            actor=actor,
        )
    except InsufficientFunds as refusal:
        return _close(order, *money_reason(account, instrument, order.side, refusal))
    if order.filled_quantity == order.quantity:
        order.status = Order.Status.FILLED
    order.save(
        update_fields=["filled_quantity", "taker_notional", "taker_fee", "status", "updated_at"]
    )
    trade.save(force_insert=True)
    tell_broker(order, trade, instrument)
    return None


def _first_result(order: Order, quantity: Decimal | None) -> OrderRefused | None:
    """What became of a closed order: None, or the refusal that closed it.

    Raises:
        OrderNotPending: that was not what is asked for now.
    """
    was_canceled = order.reason in ("", Reason.BY_USER, Reason.BY_STAFF)
    was_refused = order.status in _REFUSED and not was_canceled
    if was_refused:
        facts = get_stored_order(order.id).refusal_facts
        return OrderRefused(order.reason, order_id=str(order.id), **facts)
    if order.status != Order.Status.FILLED or quantity not in (None, order.quantity):
        raise OrderNotPending(order_id=str(order.id), order_status=order.status)
    return None


def _close(order: Order, reason: Reason, facts: Facts) -> OrderRefused:
    """Close an order that cannot be paid or delivered."""
    is_untouched = not order.filled_quantity
    order.status = Order.Status.REJECTED if is_untouched else Order.Status.CANCELED
    order.reason = reason
    order.updated_at = timezone.now()
    order.save(update_fields=["status", "reason", "updated_at"])
    store_refusal(order, facts)
    return OrderRefused(reason, order_id=str(order.id), **facts)


@retry_on_conflict
@transaction.atomic
def cancel_booked_order(
    *,
    order_id: UUID,
    broker_id: UUID,
    account_id: int | None,
    reason: Reason = Reason.BY_USER,
) -> Result:
    """Cancel what remains of a pending order of a broker (of one account): says what became of it.

    Raises:
        NotFound: there is no such order.
    """
    order = lock_order(order_id)
    if order.broker_id != broker_id or account_id not in (None, order.account_id):
        return Result.FORBIDDEN
    if order.status != _PENDING:
        return Result.NOT_OPEN
    order.status = Order.Status.CANCELED
    order.reason = reason
    order.updated_at = timezone.now()
    order.save(update_fields=["status", "reason", "updated_at"])
    return Result.CANCELED
