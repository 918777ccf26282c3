"""Place an order: check its shape, let the engine decide, say how the order stands.

Three steps, so that threads and an event loop can share them: `prepare_order`, the gateway, and
`read_outcome`; `find_repeated` where nothing was sent.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from django.conf import settings

from brokers.types import Principal
from common.errors import ExchangeError, Throttled, ValidationFailed, VenueUnavailable
from common.ids import new_uuid
from common.instants import from_microseconds, to_microseconds
from common.money import from_units8
from common.request_keys import RequestKey
from ledger.errors import IdempotencyKeyReused
from marketdata.types import InstrumentSpec
from orders import gateway
from orders.commands import (
    CLIENT_ORDER_ID_TAKEN,
    REQUEST_KEY_REUSED,
    ROWS_LOCKED,
    AnyOutcome,
    DealPerpetual,
    DuplicateOutcome,
    ErrorOutcome,
    OrderOutcome,
    PlaceOrder,
)
from orders.errors import (
    AccountLocked,
    ClientOrderIdConflict,
    DeadlineExceeded,
    EngineFailed,
    OrderRefused,
)
from orders.gateway.lookup import find_outcomes
from orders.matching.types import OrderType, Side, TimeInForce
from orders.models import Fill, Order, Venue
from orders.selectors.orders import get_stored_order
from orders.services.accounts import resolve_account
from orders.services.terms import check_still_valid, check_terms
from orders.types import OrderFill, OrderState, OrderTerms, PlacedOrder, Reason, RefusalFacts

OrderCommand = TypeVar("OrderCommand", bound=PlaceOrder)

# What it means that an order was not executed; anything else is the engine's failure.
_KEY_ERRORS: dict[str, type[ExchangeError]] = {
    REQUEST_KEY_REUSED: IdempotencyKeyReused,
    CLIENT_ORDER_ID_TAKEN: ClientOrderIdConflict,
    ROWS_LOCKED: AccountLocked,
}
_TAKER = Fill.Role.TAKER.value
# Names as commands have them: a dictionary is several times cheaper than an enum's look-up.
_SIDES = {side.name: int(side) for side in Side}
_TYPES = {order_type.name: int(order_type) for order_type in OrderType}
_TIMES = {time.name: int(time) for time in TimeInForce}
# Why an order was not sent. It may have been before, under its client_order_id: `find_repeated`.
NOT_SENT = (ValidationFailed, VenueUnavailable, Throttled)


@dataclass(frozen=True, slots=True)
class PreparedOrder:
    """A well-formed order and the command that places it; `caller` is whose share it takes."""

    order_id: UUID
    broker_id: UUID
    command: PlaceOrder
    terms: OrderTerms
    instrument: InstrumentSpec
    caller: Hashable = None

    @property
    def has_key(self) -> bool:
        """Whether it may have been placed before, under a key of the sender's."""
        return self.command.client_order_id is not None or self.command.request_key is not None

    def check_still_valid(self) -> None:
        """See that the order has time left. Raises `ValidationFailed`."""
        check_still_valid(self.terms.valid_until)


def place_order(**order: Any) -> PlacedOrder:
    """Place an order and return it as it stands after matching and commit, with its fills.

    Takes what `prepare_order` takes. The same `client_order_id` with the same content gives the
    first order again, also without an engine.

    Raises:
        ValidationFailed: malformed; nothing was stored.
        PermissionDenied, NotFound: not an account of the principal.
        ClientOrderIdConflict: this client_order_id has another order.
        OrderRefused, DeadlineExceeded: stored as REJECTED; the first names reason and facts.
        EngineUnavailable, VenueBusy, TooManyOrdersWaiting, EngineFailed: nothing was stored.
        OutcomeUnknown: sent, outcome not known; carries the order_id.
    """
    return place_prepared(prepare_order(**order))


def place_prepared(prepared: PreparedOrder) -> PlacedOrder:
    """Place an order that was prepared. Returns and raises as `place_order`."""
    try:
        prepared.check_still_valid()
        outcome = gateway.submit(
            prepared.command,
            prepared.instrument.shard,
            timeout=settings.ORDER_WINDOW_SECONDS,
            caller=prepared.caller,
        )
    except NOT_SENT:
        first = find_repeated(prepared) if prepared.has_key else None
        if first is None:
            raise
        return first
    return read_outcome(prepared, outcome)


def prepare_order(
    *,
    principal: Principal,
    account_id: int | None = None,
    document_number: str | None = None,
    instrument: InstrumentSpec,
    side: str,
    order_type: str,
    time_in_force: str,
    limit_price: Decimal | None,
    quantity: Decimal,
    valid_until: datetime | None,
    client_order_id: str | None,
    request_key: RequestKey | None = None,
) -> PreparedOrder:
    """Check an order's shape and find its account.

    The account is named by its id, or by its document at the principal's broker: it is opened, if
    need be, once the order has passed its checks. Units are those of quote and base asset.

    Raises:
        ValidationFailed: malformed; nothing was stored.
        PermissionDenied, NotFound: not an account of the principal.
    """
    ticks, lots = check_terms(
        instrument=instrument,
        order_type=order_type,
        time_in_force=time_in_force,
        limit_price=limit_price,
        quantity=quantity,
        valid_until=valid_until,
        client_order_id=client_order_id,
    )
    if client_order_id is None and request_key is None:
        check_still_valid(valid_until)
    account_id, broker_id = resolve_account(
        principal=principal, account_id=account_id, document_number=document_number
    )
    terms = OrderTerms(
        account_id=account_id,
        instrument_id=instrument.id,
        side=side,
        order_type=order_type,
        time_in_force=time_in_force,
        limit_price=limit_price,
        quantity=quantity,
        valid_until=valid_until,
    )
    order_id = new_uuid(instrument.shard)
    command = _command(order_id, terms, broker_id, instrument, ticks, lots, client_order_id)
    command = with_request_key(command, request_key)
    return PreparedOrder(order_id, broker_id, command, terms, instrument, principal.caller_id)


def with_request_key(command: OrderCommand, request_key: RequestKey | None) -> OrderCommand:
    """A command that claims an Idempotency-Key for its order; as it is without one."""
    if request_key is None:
        return command
    key, fingerprint = request_key.digests
    return msgspec.structs.replace(command, request_key=key, request_fingerprint=fingerprint)


def find_repeated(prepared: PreparedOrder) -> PlacedOrder | None:
    """The order that was placed before under the same key. Raises as `place_order`."""
    command = prepared.command
    outcome = find_outcomes([command]).get(command.command_id)
    return None if outcome is None else read_outcome(prepared, outcome)


def _command(
    order_id: UUID,
    terms: OrderTerms,
    broker_id: UUID,
    instrument: InstrumentSpec,
    ticks: int | None,
    lots: int,
    client_order_id: str | None,
) -> PlaceOrder:
    until = terms.valid_until
    return PlaceOrder(
        command_id=order_id.bytes,
        reply_to=gateway.reply_address(),
        account_id=terms.account_id,
        broker_id=broker_id.bytes,
        instrument_id=instrument.id,
        side=_SIDES[terms.side],
        order_type=_TYPES[terms.order_type],
        time_in_force=_TIMES[terms.time_in_force],
        price_ticks=ticks,
        quantity_lots=lots,
        valid_until=None if until is None else to_microseconds(until),
        client_order_id=client_order_id,
        window_ms=settings.ORDER_WINDOW_SECONDS * 1000,
    )


def read_outcome(prepared: PreparedOrder, outcome: AnyOutcome) -> PlacedOrder:
    """The order as the engine says that it stands, or the error that its answer is.

    Asks the database unless the outcome is an `OrderOutcome`.

    Raises:
        ClientOrderIdConflict, OrderRefused, DeadlineExceeded, EngineFailed: as `place_order`.
    """
    command = prepared.command
    if isinstance(outcome, OrderOutcome):
        if outcome.status == Order.Status.REJECTED:
            facts = {name: from_units8(value) for name, value in (outcome.facts or {}).items()}
            raise _refusal(prepared.order_id, outcome.reason, facts)
        return PlacedOrder(_state_of(prepared, outcome), was_created=True)
    if isinstance(outcome, DuplicateOutcome):
        first = get_stored_order(UUID(bytes=outcome.order_id))
        if outcome.is_replay:
            return _replayed(first)
        if outcome.order_id != command.command_id:
            venue = Venue.DEALER if isinstance(command, DealPerpetual) else Venue.BOOK
            return _repeated(first, prepared.terms, venue)
        if first.status == Order.Status.REJECTED:
            raise _refusal(first.id, first.reason, first.refusal_facts)
        return PlacedOrder(first, was_created=True)
    if isinstance(outcome, ErrorOutcome):
        raise _KEY_ERRORS.get(outcome.code, EngineFailed)
    raise AssertionError(f"an order was answered as a command: {outcome!r}")


def _replayed(first: OrderState) -> PlacedOrder:
    """The first answer again, for the same Idempotency-Key."""
    if first.status == Order.Status.REJECTED:
        raise _refusal(first.id, first.reason, first.refusal_facts)
    return PlacedOrder(first.as_acknowledged(), was_created=True, is_replay=True)


def _repeated(first: OrderState, terms: OrderTerms, venue: Venue) -> PlacedOrder:
    """The order that came first under this client_order_id, if it is the same."""
    if first.terms != terms or first.venue != venue:
        raise ClientOrderIdConflict(order_id=str(first.id))
    if first.status == Order.Status.REJECTED:
        raise _refusal(first.id, first.reason, first.refusal_facts)
    return PlacedOrder(first, was_created=False)


def _refusal(order_id: UUID, reason: str, facts: RefusalFacts) -> OrderRefused | DeadlineExceeded:
    if reason == Reason.DEADLINE_EXCEEDED:
        return DeadlineExceeded(order_id=str(order_id))
    return OrderRefused(reason, order_id=str(order_id), **facts)


def _state_of(prepared: PreparedOrder, outcome: OrderOutcome) -> OrderState:
    command, instrument = prepared.command, prepared.instrument
    created_at = from_microseconds(outcome.created_at)
    fills = tuple(
        OrderFill(
            trade_id=UUID(bytes=fill.trade_id),
            price=fill.price_ticks * instrument.tick_size,
            quantity=fill.quantity_lots * instrument.lot_size,
            fee=from_units8(fill.fee),
            liquidity_role=_TAKER,
            executed_at=created_at,
        )
        for fill in outcome.fills
    )
    return OrderState(
        id=prepared.order_id,
        broker_id=prepared.broker_id,
        terms=prepared.terms,
        symbol=instrument.symbol,
        client_order_id=command.client_order_id,
        status=outcome.status,
        reason=outcome.reason,
        filled_quantity=outcome.filled_lots * instrument.lot_size,
        notional=from_units8(outcome.taker_notional),
        fee=from_units8(outcome.taker_fee),
        created_at=created_at,
        updated_at=created_at,
        fills=fills,
    )
