"""Dealing in perpetuals at the mark price, against the venue's dealer account: by the engine."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from brokers.services.house import HOUSE_BROKER_ID, get_dealer_account_id
from brokers.types import Principal
from common.ids import new_uuid
from common.request_keys import RequestKey
from marketdata.pricing import get_market_price
from marketdata.types import InstrumentSpec
from orders import gateway
from orders.commands import DealPerpetual
from orders.errors import OrderRefused
from orders.matching.types import OrderType, Side, TimeInForce
from orders.models import Order
from orders.selectors.deals import get_perpetual_deal
from orders.services.accounts import resolve_account
from orders.services.dealer import deal_terms, find_first_deal
from orders.services.place import PreparedOrder, read_outcome, with_request_key
from orders.services.terms import check_market_notional, check_terms
from orders.types import Deal, OrderTerms


def deal_perpetual(
    *,
    principal: Principal,
    account_id: int | None,
    instrument: InstrumentSpec,
    side: str,
    quantity: Decimal,
    limit_price: Decimal | None,
    client_order_id: str | None,
    request_key: RequestKey | None = None,
) -> Deal:
    """Buy or sell at the mark price, whole or not at all; `limit_price` is the worst that will do.

    Without an account it is the one that the key is bound to. The same `client_order_id` with the
    same content gives the first deal again. Not inside a transaction: the engine decides.

    Raises:
        ValidationFailed: malformed; nothing was stored.
        PermissionDenied, NotFound: not an account of the principal.
        ClientOrderIdConflict: this client_order_id has another order.
        NoMarketPrice: there is no mark price, or it is stale; nothing was stored.
        OrderRefused, DeadlineExceeded: stored as REJECTED; the first names reason and facts.
        EngineUnavailable, VenueBusy, EngineFailed, OutcomeUnknown: as `place_order`.
    """
    account_id, broker_id = resolve_account(
        principal=principal, account_id=account_id, document_number=None
    )
    terms = deal_terms(instrument, account_id, side, quantity, limit_price)
    ticks, lots = check_terms(
        instrument=instrument,
        order_type=terms.order_type,
        time_in_force=terms.time_in_force,
        limit_price=limit_price,
        quantity=quantity,
        valid_until=None,
        client_order_id=client_order_id,
    )
    first = find_first_deal(terms, client_order_id)
    if first is not None:
        if first.status == Order.Status.REJECTED:
            raise OrderRefused(first.reason, order_id=str(first.id), **first.refusal_facts)
        return get_perpetual_deal(first.id, was_created=False)
    # That there is no mark to deal at is seen before anything is stored.
    mark = get_market_price(symbol=instrument.symbol)
    check_market_notional(mark.price, quantity, instrument)
    order_id = new_uuid(instrument.shard)
    command = with_request_key(
        _command(order_id, terms, broker_id, instrument, (ticks, lots), client_order_id),
        request_key,
    )
    outcome = gateway.submit(command, instrument.shard, timeout=settings.ORDER_WINDOW_SECONDS)
    placed = read_outcome(PreparedOrder(order_id, broker_id, command, terms, instrument), outcome)
    deal = get_perpetual_deal(placed.order.id, was_created=placed.was_created)
    return replace(deal, is_replay=placed.is_replay)


def _command(
    order_id: UUID,
    terms: OrderTerms,
    broker_id: UUID,
    instrument: InstrumentSpec,
    ticks_and_lots: tuple[int | None, int],
    client_order_id: str | None,
) -> DealPerpetual:
    return DealPerpetual(
        command_id=order_id.bytes,
        reply_to="",
        account_id=terms.account_id,
        broker_id=broker_id.bytes,
        instrument_id=instrument.id,
        side=Side[terms.side],
        order_type=OrderType[terms.order_type],
        time_in_force=TimeInForce[terms.time_in_force],
        price_ticks=ticks_and_lots[0],
        quantity_lots=ticks_and_lots[1],
        valid_until=None,
        client_order_id=client_order_id,
        window_ms=settings.ORDER_WINDOW_SECONDS * 1000,
        dealer_account_id=get_dealer_account_id(),
        dealer_broker_id=HOUSE_BROKER_ID.bytes,
    )
