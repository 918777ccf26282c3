"""Conversions: quoted, made once within their time, through the venue's conversion account."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from brokers.models import TradingAccount
from brokers.services import create_account, suspend_account
from common.errors import ExchangeError, ValidationFailed
from common.ids import derived_uuid, new_uuid
from ledger.errors import (
    AccountNotActive,
    AmountTooSmall,
    ConversionPairExists,
    InsufficientFunds,
    NoConversionRate,
    QuoteExpired,
    QuoteNotFound,
    WalletNotActive,
    WalletNotFound,
    WalletsOfTwoAccounts,
)
from ledger.models import ConversionQuote, ConversionRate, JournalEntry, LedgerAccount, Posting
from ledger.services import convert, purge_unused_quotes, quote_conversion
from ledger.tests.factories import balance_of, fund, make_account, make_rate, wallet_of
from marketdata.errors import UnknownAsset

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> TradingAccount:
    """An account with 100 dollars; a euro is worth 1.25 dollars, with a spread of 1 %."""
    account = make_account()
    fund(account, "100")
    make_rate("EUR", "USD", "1.25", "0.01")
    return account


def quote(account: TradingAccount, sell: str | None = "50", **given: Any) -> ConversionQuote:
    """A quote for dollars, into euro by itself."""
    values: dict[str, Any] = {"to_currency": "EUR", **given}
    if sell is not None:
        values["sell_amount"] = Decimal(sell)
    return quote_conversion(from_wallet_id=wallet_of(account).id, **values)


def venue(asset: str) -> Decimal:
    rows = LedgerAccount.objects.filter(kind="CONVERSION", asset__code=asset)
    return rows.get().posted_balance if rows else Decimal(0)


def balances(account: TradingAccount) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Dollars and euro of the account, dollars and euro of the conversion account."""
    return balance_of(account), balance_of(account, "EUR"), venue("USD"), venue("EUR")


def test_a_quote_says_what_is_sold_and_bought_and_books_nothing(account: TradingAccount) -> None:
    made = quote(account, "50")

    assert made.rate == Decimal("0.792")  # 0.99 / 1.25
    assert (made.sell_amount, made.buy_amount) == (Decimal(50), Decimal("39.6"))
    assert made.expires_at - made.created_at == timedelta(seconds=10)
    assert (made.source, made.destination) == (wallet_of(account), wallet_of(account, "EUR"))
    assert balances(account) == (100, 0, 0, 0)


def test_what_is_bought_may_be_given_instead(account: TradingAccount) -> None:
    made = quote(account, None, buy_amount=Decimal("10"))

    assert (made.sell_amount, made.buy_amount) == (Decimal("12.6263"), Decimal(10))


def test_a_conversion_is_one_entry_with_two_legs(account: TradingAccount) -> None:
    made = quote(account, "50")

    done = convert(quote_id=made.id, actor="key:1")

    assert balances(account) == (50, Decimal("39.6"), 50, Decimal("-39.6"))
    entry = JournalEntry.objects.get(kind="CONVERSION")
    assert (done.entry_id, entry.source_kind, entry.source_id, entry.actor) == (
        entry.id, "conversion", made.id, "key:1",
    )  # fmt: skip
    assert ConversionQuote.objects.get().converted_at is not None
    lines = Posting.objects.filter(entry=entry).order_by("id")
    assert [(line.ledger_account.kind, line.asset.code, line.amount) for line in lines] == [
        ("CASH", "USD", -50),
        ("CONVERSION", "USD", 50),
        ("CONVERSION", "EUR", Decimal("-39.6")),
        ("CASH", "EUR", Decimal("39.6")),
    ]


def test_there_and_back_the_venue_keeps_the_spread(account: TradingAccount) -> None:
    convert(quote_id=quote(account, "100").id, actor="test")
    euro = wallet_of(account, "EUR")
    back = quote_conversion(
        from_wallet_id=euro.id, to_wallet_id=wallet_of(account).id, sell_amount=Decimal("79.2")
    )

    convert(quote_id=back.id, actor="test")

    assert back.rate == Decimal("1.2375")
    assert balances(account) == (Decimal("98.01"), 0, Decimal("1.99"), 0)


def test_a_quote_is_used_once(account: TradingAccount) -> None:
    made = quote(account, "50")
    first = convert(quote_id=made.id, actor="test")

    again = convert(quote_id=made.id, actor="test", at=made.expires_at + timedelta(hours=1))

    assert (again.entry_id, again.converted_at) == (first.entry_id, first.converted_at)
    assert balances(account) == (50, Decimal("39.6"), 50, Decimal("-39.6"))


def test_a_quote_ends_after_its_seconds(account: TradingAccount) -> None:
    made = quote(account, "50")

    with pytest.raises(QuoteExpired) as refused:
        convert(quote_id=made.id, actor="test", at=made.expires_at)

    assert refused.value.facts == {"expires_at": made.expires_at}
    assert balances(account) == (100, 0, 0, 0)
    last_moment = made.expires_at - timedelta(microseconds=1)
    assert convert(quote_id=made.id, actor="test", at=last_moment).entry_id is not None


def age(quote: ConversionQuote, **span: float) -> UUID:
    """Let the quote be so much older; its new id."""
    by = timedelta(**span)
    id = derived_uuid(int((quote.created_at - by).timestamp() * 1000), 0, quote.id.int & 0xFFFF)
    found = ConversionQuote.objects.filter(id=quote.id)
    found.update(id=id, created_at=quote.created_at - by, expires_at=quote.expires_at - by)
    return id


def test_quotes_that_nobody_used_are_deleted_after_a_week(
    account: TradingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.services.conversions._CHUNK", 2)
    for _ in range(5):
        age(quote(account), days=7, seconds=11)
    young = age(quote(account), days=7, seconds=5)
    used = age(convert(quote_id=quote(account).id, actor="test"), days=30)
    before = balances(account)

    assert purge_unused_quotes() == 5
    assert set(ConversionQuote.objects.values_list("id", flat=True)) == {young, used}
    assert balances(account) == before

    assert purge_unused_quotes() == 0


def test_the_quoted_amounts_hold_when_the_rate_changes(account: TradingAccount) -> None:
    made = quote(account, "50")
    ConversionRate.objects.update(rate=Decimal(2))

    convert(quote_id=made.id, actor="test")

    assert balance_of(account, "EUR") == Decimal("39.6")


def test_more_than_there_is_cannot_be_sold(account: TradingAccount) -> None:
    made = quote(account, "100.0001")

    with pytest.raises(InsufficientFunds) as refused:
        convert(quote_id=made.id, actor="test")

    assert refused.value.facts == {"required": Decimal("100.0001"), "available": Decimal(100)}
    assert balances(account) == (100, 0, 0, 0)
    assert ConversionQuote.objects.get().entry_id is None


@pytest.mark.parametrize("what", ["account", "source", "destination"])
def test_nothing_suspended_converts(account: TradingAccount, what: str) -> None:
    made = quote(account, "50")
    if what == "account":
        suspend_account(account=account)
    else:
        wallet = getattr(made, what)
        LedgerAccount.objects.filter(id=wallet.id).update(status="SUSPENDED")
    expected = AccountNotActive if what == "account" else WalletNotActive

    with pytest.raises(expected):
        convert(quote_id=made.id, actor="test")
    with pytest.raises(expected):
        quote(account, "50")

    assert balances(account) == (100, 0, 0, 0)
    assert ConversionQuote.objects.count() == 1


def test_without_a_rate_there_is_no_quote_and_no_wallet(account: TradingAccount) -> None:
    fund(make_account(), "1", "BTC")
    for to_currency in ("BTC", "USD"):
        with pytest.raises(NoConversionRate) as refused:
            quote(account, "1", to_currency=to_currency)
        assert refused.value.facts == {"from_currency": "USD", "to_currency": to_currency}
    ConversionRate.objects.update(is_active=False)
    with pytest.raises(NoConversionRate):
        quote(account, "1")

    assert not ConversionQuote.objects.exists()
    assert LedgerAccount.objects.filter(trading_account=account).count() == 1


def test_what_is_not_there_is_not_quoted(account: TradingAccount) -> None:
    other = create_account(broker_id=account.broker_id, document_number="2")
    fund(other, "5", "EUR")

    with pytest.raises(UnknownAsset):
        quote(account, to_currency="XYZ")
    with pytest.raises(WalletNotFound):
        quote(account, to_currency=None, to_wallet_id=10**9)
    with pytest.raises(WalletNotFound):
        quote_conversion(from_wallet_id=10**9, to_currency="EUR", sell_amount=Decimal(1))
    with pytest.raises(WalletsOfTwoAccounts):
        quote(account, to_currency=None, to_wallet_id=wallet_of(other, "EUR").id)
    with pytest.raises(QuoteNotFound):
        convert(quote_id=new_uuid(), actor="test")

    assert not ConversionQuote.objects.exists()


def test_an_amount_that_comes_to_nothing_is_refused(account: TradingAccount) -> None:
    with pytest.raises(AmountTooSmall) as refused:
        quote(account, "0.0001")

    assert refused.value.facts == {"rate": Decimal("0.792")}
    assert not ConversionQuote.objects.exists()


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"sell_amount": "0"}, "sell_amount", "not_positive"),
        ({"sell_amount": "1.00001"}, "sell_amount", "too_many_decimals"),
        ({"buy_amount": "-1"}, "buy_amount", "not_positive"),
        ({"buy_amount": "1.00001"}, "buy_amount", "too_many_decimals"),
        ({"buy_amount": "1e18"}, "sell_amount", "too_large"),
    ],
)
def test_an_amount_must_be_one(
    account: TradingAccount, given: dict[str, str], field: str, code: str
) -> None:
    amounts = {name: Decimal(value) for name, value in given.items()}

    with pytest.raises(ValidationFailed) as refused:
        quote(account, None, **amounts)

    assert [(error.field, error.code) for error in refused.value.errors] == [(field, code)]
    assert not ConversionQuote.objects.exists()


@pytest.mark.parametrize(
    ("rate", "spread", "field"),
    [("0", "0", "rate"), ("-1", "0", "rate"), ("1", "-0.1", "spread_rate"),
     ("1", "1", "spread_rate")],
)  # fmt: skip
def test_a_rate_is_above_zero_and_its_spread_a_share(rate: str, spread: str, field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        make_rate("EUR", "USD", rate, spread)

    assert [error.field for error in refused.value.errors] == [field]
    assert not ConversionRate.objects.exists()


def test_a_rate_is_between_two_currencies_and_once_for_a_pair(account: TradingAccount) -> None:
    for base, other in (("ACME", "USD"), ("USD", "ACME"), ("USD", "USD")):
        with pytest.raises(ValidationFailed):
            make_rate(base, other, "1")
    for base, other in (("USD", "EUR"), ("EUR", "USD")):
        with pytest.raises(ConversionPairExists):
            make_rate(base, other, "0.8")

    assert ConversionRate.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_quote_that_many_use_at_once_is_used_once(account: TradingAccount) -> None:
    made = quote(account, "50")

    def use(_: int) -> UUID | None:
        try:
            return convert(quote_id=made.id, actor="test").entry_id
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        entries = set(pool.map(use, range(8)))

    assert len(entries) == 1
    assert balances(account) == (50, Decimal("39.6"), 50, Decimal("-39.6"))


@pytest.mark.django_db(transaction=True)
def test_quotes_used_at_once_both_ways_never_take_more_than_there_is(
    account: TradingAccount,
) -> None:
    fund(account, "30", "EUR")
    back: dict[str, Any] = {"to_wallet_id": wallet_of(account).id, "sell_amount": Decimal(20)}
    quotes = [quote(account, "40") for _ in range(4)] + [
        quote_conversion(from_wallet_id=wallet_of(account, "EUR").id, **back) for _ in range(4)
    ]

    def use(made: ConversionQuote) -> str:
        try:
            convert(quote_id=made.id, actor="test")
        except ExchangeError as error:
            return error.code
        finally:
            connection.close()
        return "converted"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(use, quotes))

    assert set(outcomes) <= {"converted", "insufficient_funds"}
    there, here = outcomes[:4].count("converted"), outcomes[4:].count("converted")
    dollars = 100 - 40 * there + Decimal("24.75") * here
    euros = 30 + Decimal("31.68") * there - 20 * here
    assert min(dollars, euros) >= 0
    assert there >= 2
    assert balances(account) == (dollars, euros, 100 - dollars, 30 - euros)
