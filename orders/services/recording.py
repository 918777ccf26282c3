"""Trades against the venue's own accounts: order, trade, entry and webhook in one transaction.

Works inside the transaction of its caller, who has locked the trading account; the ledger accounts
are locked here. The trade's entry has the id of the trade, and the venue's account (DEALER or
EXTERNAL) is the other side. Money is rounded nowhere but in fees.
"""

from datetime import UTC, datetime
from decimal import Decimal

from django.conf import settings
from django.db import connection

from brokers.bulk import WebhookEvent, queue_webhook_events
from brokers.models import Funding, TradingAccount, WebhookEndpoint
from common.ids import new_uuid
from common.instants import to_microseconds
from common.money import DECIMAL_PLACES, from_units8, plain, to_units8
from ledger.errors import InsufficientFunds
from ledger.selectors.balances import get_client_kinds
from ledger.services import post_entry
from ledger.types import AccountKind, ClientAccount, EntryKind, Line, VenueAccount
from marketdata.types import InstrumentSpec
from orders.calculations import fee_on
from orders.models import Order, OrderKey, OrderRefusal, Side, Trade, Venue
from orders.types import SERVICES_SHARD, OrderTerms, Reason
from orders.webhooks import TRADE_EXECUTED, formats_of, trade_payload

_OTHER_SIDES = {Venue.DEALER: AccountKind.DEALER, Venue.EXTERNAL: AccountKind.EXTERNAL}

Facts = dict[str, Decimal | int]


def new_order(
    *,
    account: TradingAccount,
    terms: OrderTerms,
    venue: Venue,
    client_order_id: str | None,
    taker_fee_rate: Decimal = Decimal(0),
) -> Order:
    """A pending order that no engine knows. It is not stored: see `store_new_order`."""
    now = datetime.now(UTC)
    return Order(
        id=new_uuid(SERVICES_SHARD),
        account_id=account.id,
        broker_id=account.broker_id,
        instrument_id=terms.instrument_id,
        client_order_id=client_order_id,
        venue=venue,
        side=terms.side,
        order_type=terms.order_type,
        time_in_force=terms.time_in_force,
        limit_price=terms.limit_price,
        quantity=terms.quantity,
        status=Order.Status.PENDING,
        taker_fee_rate=taker_fee_rate,
        sequence=0,
        created_at=now,
        updated_at=now,
    )


def store_new_order(order: Order) -> None:
    """Store an order with its claim on the client_order_id, which the locked account has free."""
    order.save(force_insert=True)
    if order.client_order_id is not None:
        OrderKey.objects.create(
            account_id=order.account_id, client_order_id=order.client_order_id, order_id=order.id
        )


def store_refusal(order: Order, facts: Facts) -> None:
    """Keep what a refusal was about, for whoever asks again."""
    if facts:
        kept = {
            name: plain(value) if isinstance(value, Decimal) else value
            for name, value in facts.items()
        }
        OrderRefusal.objects.create(order=order, facts=kept)


def fill(
    order: Order,
    *,
    account: TradingAccount,
    instrument: InstrumentSpec,
    price: Decimal,
    quantity: Decimal,
    actor: str,
) -> Trade:
    """Book a fill and bring the order up to date in memory; the caller stores order, then trade.

    Raises:
        InsufficientFunds: the account cannot pay, or deliver. Nothing is changed.
    """
    notional = price * quantity
    fee = _next_fee(order, instrument, notional)
    trade = Trade(
        id=new_uuid(SERVICES_SHARD),
        instrument_id=instrument.id,
        venue=order.venue,
        price=price,
        quantity=quantity,
        notional=notional,
        taker_side=order.side,
        sequence=0,
        executed_at=datetime.now(UTC),
    )
    if order.side == Side.BUY:
        trade.buy_order_id, trade.buy_account_id, trade.buy_fee = order.id, account.id, fee
    else:
        trade.sell_order_id, trade.sell_account_id, trade.sell_fee = order.id, account.id, fee
    post_entry(
        kind=EntryKind.TRADE,
        source_kind="trade",
        source_id=trade.id,
        entry_id=trade.id,
        lines=_lines(order, instrument, trade, fee),
        actor=actor,
        occurred_at=trade.executed_at,
    )
    order.filled_quantity += quantity
    order.taker_notional += notional
    order.taker_fee += fee
    order.updated_at = trade.executed_at
    return trade


def tell_broker(order: Order, trade: Trade, instrument: InstrumentSpec) -> None:
    """Queue the webhooks that report the trade to the account's broker."""
    events = [
        WebhookEvent(
            order.broker_id.bytes,
            TRADE_EXECUTED,
            _payload(order, trade, instrument.symbol, payload_format),
            trade.executed_at,
            payload_format,
        )
        for payload_format in formats_of(
            WebhookEndpoint.PayloadFormat.values, is_in_whole_cents=instrument.is_in_whole_cents
        )
    ]
    with connection.cursor() as cursor:
        queue_webhook_events(cursor, events)


def _payload(order: Order, trade: Trade, symbol: str, payload_format: str) -> str:
    return trade_payload(
        payload_format=payload_format,
        trade_id=trade.id,
        order_id=order.id,
        symbol=symbol,
        is_buy=order.side == Side.BUY,
        price=to_units8(trade.price),
        quantity=to_units8(trade.quantity),
        remaining=to_units8(order.quantity - order.filled_quantity),
        executed_at=to_microseconds(trade.executed_at),
    )


def money_reason(
    account: TradingAccount, instrument: InstrumentSpec, side: str, refusal: InsufficientFunds
) -> tuple[Reason, Facts]:
    """Why the account could not pay or deliver, in the words of the book, with the facts."""
    is_buy = side == Side.BUY
    has_credit = is_buy and instrument.quote_asset == settings.VENUE_CURRENCY
    if account.funding == Funding.CREDIT and has_credit and account.credit_limit:
        reason = Reason.CREDIT_LIMIT_EXCEEDED
    else:
        reason = Reason.INSUFFICIENT_FUNDS if is_buy else Reason.INSUFFICIENT_POSITION
    return reason, dict(refusal.facts)


def _next_fee(order: Order, instrument: InstrumentSpec, notional: Decimal) -> Decimal:
    """The fee on the order's notional with this fill, less what was charged before."""
    total = fee_on(
        to_units8(order.taker_notional + notional),
        to_units8(order.taker_fee_rate),
        10 ** (DECIMAL_PLACES - instrument.quote_scale),
    )
    return from_units8(total) - order.taker_fee


def _lines(order: Order, instrument: InstrumentSpec, trade: Trade, fee: Decimal) -> list[Line]:
    sign = 1 if order.side == Side.BUY else -1
    other = _OTHER_SIDES[Venue(order.venue)]
    quote, base = instrument.quote_asset_id, instrument.base_asset_id
    kinds = get_client_kinds({base, quote})
    lines = [
        Line(ClientAccount(order.account_id, quote, kinds[quote]), -sign * trade.notional - fee),
        Line(VenueAccount(other, quote), sign * trade.notional),
        Line(ClientAccount(order.account_id, base, kinds[base]), sign * trade.quantity),
        Line(VenueAccount(other, base), -sign * trade.quantity),
    ]
    if fee:
        lines.append(Line(VenueAccount(AccountKind.FEES, quote), fee))
    return lines
