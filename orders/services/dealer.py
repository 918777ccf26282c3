"""Dealing at the market price against the venue's own dealer account: at once, whole or not at all.

The price is fetched before the transaction, since a price service may take its time. What is
refused for the state of account, instrument, price or money is stored as REJECTED; no order of the
dealer ever rests, and no engine knows it. PERPETUAL is dealt by `orders.services.perpetuals`.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from django.db import transaction

from brokers.models import TradingAccount
from brokers.types import Principal
from common.database import retry_on_conflict
from common.errors import ExchangeError
from ledger.errors import InsufficientFunds, WalletNotActive
from ledger.locks import lock_trading_account
from marketdata.errors import NoMarketPrice
from marketdata.models import Instrument
from marketdata.pricing import MarketPrice, get_market_price
from marketdata.selectors import find_instrument_spec, list_instruments, make_spec
from marketdata.services import list_symbol
from marketdata.types import InstrumentSpec
from orders.calculations import refused_reason, wallet_reason
from orders.errors import ClientOrderIdConflict, OrderRefused, PerpetualOnBookOnly
from orders.models import DealPrice, Order, Side, Trade, Venue
from orders.selectors.deals import get_deal
from orders.selectors.orders import find_order_by_key
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
from orders.services.sandbox import Trigger, find_trigger
from orders.services.terms import check_market_notional, check_terms
from orders.types import Deal, OrderState, OrderTerms, Reason

_IOC = Order.TimeInForce.IOC.value


@dataclass(frozen=True, slots=True)
class Quote:
    """What is dealt in, and at what price now; `error` says why there is no price."""

    instrument: InstrumentSpec
    price: MarketPrice | None
    error: ExchangeError | None = None

    def price_for(self, side: str) -> MarketPrice:
        """The price at which the dealer sells to a buyer, or buys from a seller.

        Raises:
            NoMarketPrice: there is none, or the dealer pays less than one tick.
        """
        if self.price is None:
            assert self.error is not None, "a quote has a price or an error"
            raise self.error
        price = self.price.ask if side == Side.BUY else self.price.bid
        if price <= 0:
            raise NoMarketPrice("The market price is less than a tick", symbol=self.price.symbol)
        return replace(self.price, price=price)


def quote_market(*, symbol: str) -> Quote:
    """The instrument and its market price, for `deal`; that there is none now is not raised yet.

    Not inside a transaction. What a price service knows is listed where open listing is on.

    Raises:
        UnknownTicker, CurrencyMismatch, Throttled: it cannot be dealt in.
        PerpetualOnBookOnly: it is a perpetual.
    """
    instrument = find_instrument_spec(symbol)
    if instrument is not None and instrument.kind == Instrument.Kind.PERPETUAL:
        raise PerpetualOnBookOnly(symbol=symbol)
    try:
        price = get_market_price(symbol=symbol)
    except NoMarketPrice as error:
        if instrument is None:
            raise
        return Quote(instrument, None, error)
    return Quote(instrument or list_symbol(symbol), price)


def deal(
    *,
    principal: Principal,
    account_id: int | None,
    quote: Quote,
    side: str,
    quantity: Decimal,
    limit_price: Decimal | None,
    client_order_id: str | None,
) -> Deal:
    """Buy or sell at the quoted market price; `limit_price` is the worst one that will do.

    Without an account it is the one that the key is bound to. The same `client_order_id` with the
    same content gives the first deal again, also without a market price.

    Raises:
        ValidationFailed: malformed; nothing was stored.
        PermissionDenied, NotFound: not an account of the principal.
        ClientOrderIdConflict: this client_order_id has another order.
        NoMarketPrice: there is none, or it is too old; nothing was stored.
        OrderRefused: stored as REJECTED; it names reason and facts.
    """
    instrument = quote.instrument
    account_id, _ = resolve_account(
        principal=principal, account_id=account_id, document_number=None
    )
    terms = deal_terms(instrument, account_id, side, quantity, limit_price)
    check_terms(
        instrument=instrument,
        order_type=terms.order_type,
        time_in_force=terms.time_in_force,
        limit_price=limit_price,
        quantity=quantity,
        valid_until=None,
        client_order_id=client_order_id,
    )
    try:
        price = quote.price_for(side)
    except ExchangeError:
        first = find_first_deal(terms, client_order_id)
        if first is None:
            raise
        return _answer(first, facts=dict(first.refusal_facts), was_created=False)
    order, facts, was_created = _deal(
        terms=terms,
        instrument=instrument,
        price=price,
        client_order_id=client_order_id,
        actor=principal.actor,
    )
    return _answer(order, facts=facts, was_created=was_created)


@retry_on_conflict
@transaction.atomic
def _deal(
    *,
    terms: OrderTerms,
    instrument: InstrumentSpec,
    price: MarketPrice,
    client_order_id: str | None,
    actor: str,
) -> tuple[Order | OrderState, Facts, bool]:
    """The order as it was stored, the facts of a refusal, and whether it is a new one."""
    account = lock_trading_account(terms.account_id)
    first = find_first_deal(terms, client_order_id)
    if first is not None:
        return first, dict(first.refusal_facts), False
    check_market_notional(price.price, terms.quantity, instrument)
    # State, limits and fees as they are now; what was read before may be some seconds old.
    instrument = make_spec(list_instruments().get(id=instrument.id))
    order = new_order(
        account=account,
        terms=terms,
        venue=Venue.DEALER,
        client_order_id=client_order_id,
        taker_fee_rate=instrument.taker_fee_rate,
    )
    trigger = find_trigger(account, client_order_id)
    refusal = _find_refusal(account, instrument, terms, price.price, trigger)
    trade = None
    if refusal is None:
        try:
            trade = fill(
                order,
                account=account,
                instrument=instrument,
                price=price.price,
                quantity=_dealt_quantity(terms.quantity, instrument, trigger),
                actor=actor,
            )
        except InsufficientFunds as error:
            refusal = money_reason(account, instrument, terms.side, error)
        except WalletNotActive as error:
            reason = wallet_reason(error.facts["wallet_status"])
            assert reason is not None, "the wallet is not active"
            refusal = reason, {"wallet_id": error.facts["wallet_id"]}
    _store(order, trade, instrument, price, refusal)
    return order, refusal[1] if refusal else {}, True


def _store(
    order: Order,
    trade: Trade | None,
    instrument: InstrumentSpec,
    price: MarketPrice,
    refusal: tuple[Reason, Facts] | None,
) -> None:
    if refusal is not None:
        order.status, order.reason = Order.Status.REJECTED, refusal[0]
    elif order.filled_quantity == order.quantity:
        order.status = Order.Status.FILLED
    else:
        order.status, order.reason = Order.Status.CANCELED, Reason.SIMULATED
    store_new_order(order)
    if refusal is not None:
        store_refusal(order, refusal[1])
    if trade is not None:
        trade.save(force_insert=True)
        DealPrice.objects.create(
            trade=trade,
            source=price.source,
            as_of=price.as_of,
            age_seconds=price.age_seconds,
            is_simulated=price.is_simulated,
        )
        tell_broker(order, trade, instrument)


def _find_refusal(
    account: TradingAccount,
    instrument: InstrumentSpec,
    terms: OrderTerms,
    price: Decimal,
    trigger: Trigger | None,
) -> tuple[Reason, Facts] | None:
    """Why it is not dealt, apart from money, which the ledger knows."""
    reason = refused_reason(account_status=account.status, broker_status=account.broker.status)
    if reason is not None:
        return reason, {}
    if trigger == Trigger.REJECT:
        return Reason.SIMULATED, {}
    if instrument.state != Instrument.State.CONTINUOUS:
        return Reason.INSTRUMENT_NOT_TRADING, {}
    limit = terms.limit_price
    is_too_low = limit is not None and terms.side == Side.BUY and limit < price
    is_too_high = limit is not None and terms.side == Side.SELL and limit > price
    if limit is not None and (is_too_low or is_too_high):
        return Reason.PRICE_NOT_MARKETABLE, {"market_price": price, "price": limit}
    return _find_size_refusal(instrument, terms.quantity, terms.quantity * price)


def _find_size_refusal(
    instrument: InstrumentSpec, quantity: Decimal, notional: Decimal
) -> tuple[Reason, Facts] | None:
    limits = (
        (quantity, instrument.min_quantity, instrument.max_quantity, "QUANTITY"),
        (notional, instrument.min_notional, instrument.max_notional, "NOTIONAL"),
    )
    for size, smallest, largest, name in limits:
        if smallest is not None and size < smallest:
            return Reason[f"{name}_BELOW_MINIMUM"], {"minimum": smallest}
        if largest is not None and size > largest:
            return Reason[f"{name}_ABOVE_MAXIMUM"], {"maximum": largest}
    return None


def _dealt_quantity(
    quantity: Decimal, instrument: InstrumentSpec, trigger: Trigger | None
) -> Decimal:
    """All of it; of what a sandbox account wants filled in part the half, in whole lots."""
    if trigger != Trigger.PARTIAL:
        return quantity
    lots = quantity // instrument.lot_size
    return (lots + 1) // 2 * instrument.lot_size


def deal_terms(
    instrument: InstrumentSpec,
    account_id: int,
    side: str,
    quantity: Decimal,
    limit_price: Decimal | None,
) -> OrderTerms:
    """The order that a deal is: at once or not at all, at the market or within a limit."""
    order_type = Order.Type.MARKET if limit_price is None else Order.Type.LIMIT
    return OrderTerms(
        account_id=account_id,
        instrument_id=instrument.id,
        side=side,
        order_type=order_type.value,
        time_in_force=_IOC,
        limit_price=limit_price,
        quantity=quantity,
        valid_until=None,
    )


def find_first_deal(terms: OrderTerms, client_order_id: str | None) -> OrderState | None:
    """The deal that came first under this client_order_id, if it is the same.

    Raises:
        ClientOrderIdConflict: this client_order_id has another order.
    """
    if client_order_id is None:
        return None
    first = find_order_by_key(account_id=terms.account_id, client_order_id=client_order_id)
    if first is not None and (first.terms != terms or first.venue != Venue.DEALER):
        raise ClientOrderIdConflict(order_id=str(first.id))
    return first


def _answer(order: Order | OrderState, *, facts: Facts | None = None, was_created: bool) -> Deal:
    """The deal, or the refusal as which it is stored."""
    if order.status == Order.Status.REJECTED:
        raise OrderRefused(order.reason, order_id=str(order.id), **(facts or {}))
    return get_deal(order.id, was_created=was_created)
