"""The venue's own market as a price service: what two parties at least agree on."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from brokers.models import TradingAccount
from brokers.services import create_account
from brokers.tests.factories import UserFactory
from common.ids import derived_uuid, new_uuid
from common.instants import to_microseconds
from ledger.tests.factories import make_account
from marketdata.pricing.tickers import ticker_of
from marketdata.providers import get_provider
from marketdata.providers.protocol import Quote
from marketdata.tests.factories import make_instrument
from marketdata.types import InstrumentSpec
from orders.models import Order, Trade

pytestmark = pytest.mark.django_db


@pytest.fixture
def spec() -> InstrumentSpec:
    return make_instrument("ACME")


@pytest.fixture
def one() -> TradingAccount:
    return make_account()


@pytest.fixture
def other() -> TradingAccount:
    return make_account()


def sibling(account: TradingAccount, **fields: Any) -> TradingAccount:
    """Another account at the same broker."""
    return create_account(broker_id=account.broker_id, document_number="2", **fields)


def rest(
    spec: InstrumentSpec,
    account: TradingAccount,
    side: str,
    price: str,
    quantity: int,
    **fields: Any,
) -> None:
    now = timezone.now()
    values: dict[str, Any] = {
        "id": new_uuid(),
        "account": account,
        "broker_id": account.broker_id,
        "instrument_id": spec.id,
        "side": side,
        "order_type": "LIMIT",
        "time_in_force": "GTC",
        "limit_price": Decimal(price),
        "quantity": quantity,
        "status": "OPEN",
        "sequence": 1,
        "created_at": now,
        "updated_at": now,
    }
    Order.objects.create(**(values | fields))


def trade(
    spec: InstrumentSpec,
    buyer: TradingAccount,
    seller: TradingAccount,
    price: str,
    quantity: int = 100,
    *,
    minutes_ago: int = 1,
    venue: str = "BOOK",
) -> None:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    number = Trade.objects.count() + 1
    Trade.objects.create(
        id=derived_uuid(to_microseconds(at) // 1000, spec.shard, number),
        instrument_id=spec.id,
        venue=venue,
        price=Decimal(price),
        quantity=quantity,
        notional=Decimal(price) * quantity,
        buy_account=buyer,
        sell_account=seller,
        taker_side="BUY",
        sequence=number,
        executed_at=at,
    )


def quote_of(spec: InstrumentSpec) -> Quote | None:
    return get_provider("book").fetch([ticker_of(spec)], timeout_seconds=1).get(spec.symbol)


def price_of(spec: InstrumentSpec) -> Decimal | None:
    quote = quote_of(spec)
    return None if quote is None else quote.price


def test_the_middle_of_what_two_parties_bid_and_ask(
    spec: InstrumentSpec, one: TradingAccount, other: TradingAccount
) -> None:
    assert price_of(spec) is None
    for account in (one, other):
        rest(spec, account, "BUY", "10", 50)
        rest(spec, account, "SELL", "10.40", 50)

    assert price_of(spec) == Decimal("10.20")


def test_what_one_party_offers_makes_no_price(
    spec: InstrumentSpec, one: TradingAccount, other: TradingAccount
) -> None:
    for account in (one, sibling(one)):
        rest(spec, account, "BUY", "900", 1_000)
        rest(spec, account, "SELL", "901", 1_000)
    # What another one offers is less than a minimum.
    rest(spec, other, "BUY", "900", 1, filled_quantity=0)

    assert price_of(spec) is None


def test_people_of_one_broker_are_parties_of_their_own(
    spec: InstrumentSpec, one: TradingAccount
) -> None:
    person = sibling(one, owner=UserFactory.create())
    for account in (one, person):
        rest(spec, account, "BUY", "10", 50)
        rest(spec, account, "SELL", "11", 50)

    assert price_of(spec) == Decimal("10.5")


def test_only_what_is_open_counts(
    spec: InstrumentSpec, one: TradingAccount, other: TradingAccount
) -> None:
    past = timezone.now() - timedelta(seconds=1)
    for account in (one, other):
        rest(spec, account, "BUY", "20", 50, status="CANCELED")
        rest(spec, account, "BUY", "19", 50, valid_until=past)
        rest(spec, account, "BUY", "10", 100, filled_quantity=50, status="PARTIALLY_FILLED")
        rest(spec, account, "SELL", "12", 50)

    assert price_of(spec) == Decimal(11)


def test_else_the_last_trade_between_two_parties(
    spec: InstrumentSpec, one: TradingAccount, other: TradingAccount
) -> None:
    trade(spec, one, other, "9", minutes_ago=14)
    trade(spec, one, one, "99")
    trade(spec, sibling(one), one, "98")
    trade(spec, one, other, "97", quantity=1)
    trade(spec, one, other, "96", venue="FORCED")

    quote = quote_of(spec)

    assert quote is not None and quote.price == 9
    # Its own time: a price does not get younger by being asked for.
    assert timezone.now() - quote.as_of > timedelta(minutes=13)


def test_an_old_trade_tells_no_price(
    spec: InstrumentSpec, one: TradingAccount, other: TradingAccount
) -> None:
    trade(spec, one, other, "9", minutes_ago=16)

    assert price_of(spec) is None


def test_many_books_cost_one_query(
    spec: InstrumentSpec,
    one: TradingAccount,
    other: TradingAccount,
    django_assert_num_queries: Any,
) -> None:
    specs = [spec, make_instrument("BETA"), make_instrument("GAMA")]
    for listed in specs:
        for account in (one, other):
            rest(listed, account, "BUY", "10", 50)
            rest(listed, account, "SELL", "11", 50)

    with django_assert_num_queries(1):
        quotes = get_provider("book").fetch([ticker_of(x) for x in specs], timeout_seconds=1)

    assert {symbol: quote.price for symbol, quote in quotes.items()} == {
        listed.symbol: Decimal("10.5") for listed in specs
    }
