"""Changing one currency into another: a quote that holds for some seconds, then one entry.

The entry has two legs, each against the venue's conversion account in its currency. Amounts are
rounded to the smallest unit of their currency, always in favour of the venue.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from common.database import retry_on_conflict
from common.errors import FieldError, ValidationFailed
from common.ids import first_uuid_from
from ledger import locks
from ledger.bulk import ensure_client_accounts
from ledger.calculations import bought_amount, check_amount, sold_amount
from ledger.errors import (
    AmountTooSmall,
    ConversionPairExists,
    NoConversionRate,
    QuoteExpired,
    WalletsOfTwoAccounts,
)
from ledger.models import ConversionQuote, ConversionRate, LedgerAccount
from ledger.selectors import (
    account_of,
    find_followed_pair,
    find_net_rate,
    get_quote,
    rates_of_pair,
)
from ledger.selectors.wallets import get_wallet_row
from ledger.services.entries import post_entry
from ledger.services.wallets import check_account_active, check_wallet_active
from ledger.types import AccountKind, Entry, EntryKind, Line, VenueAccount
from marketdata.models import Asset
from marketdata.pricing import get_pair_rate
from marketdata.selectors import get_asset
from oversight.services.records import record

_CHUNK = 5_000


def find_market_rate(from_currency: str, to_currency: str) -> Decimal | None:
    """The market's rate of the pair of two currencies, where conversions of it follow the market.

    None where the rate that staff set counts. Not inside a transaction: it may take seconds.

    Raises:
        NoMarketPrice, CurrencyMismatch, Throttled: as `get_pair_rate`.
    """
    pair = find_followed_pair(from_currency, to_currency)
    return None if pair is None else get_pair_rate(base=pair[0], quote=pair[1])


@retry_on_conflict
@transaction.atomic
def quote_conversion(
    *,
    from_wallet_id: int,
    to_wallet_id: int | None = None,
    to_currency: str | None = None,
    sell_amount: Decimal | None = None,
    buy_amount: Decimal | None = None,
    market_rate: Decimal | None = None,
) -> ConversionQuote:
    """A rate for changing money of one wallet into another currency, good for `QUOTE_SECONDS`.

    Give one of `to_wallet_id` and `to_currency` (the account's wallet in it, opened where it is
    missing), and one of `sell_amount` and `buy_amount`. `market_rate` is what `find_market_rate`
    found for the two currencies before the transaction. Nothing is held.

    Raises:
        WalletNotFound, UnknownAsset, ValidationFailed: no such wallet, currency or amount.
        WalletsOfTwoAccounts: the wallets belong to different accounts.
        AccountNotActive, WalletNotActive: the account or a wallet is suspended or closed.
        NoConversionRate: there is no rate between the currencies.
        AmountTooSmall: the amount comes to nothing in the other currency.
    """
    source = get_wallet_row(from_wallet_id)
    destination = None if to_wallet_id is None else get_wallet_row(to_wallet_id)
    if destination is not None and destination.trading_account_id != source.trading_account_id:
        raise WalletsOfTwoAccounts()
    assert source.trading_account is not None
    check_account_active(source.trading_account)
    check_wallet_active(source)
    bought = get_asset(to_currency or "") if destination is None else destination.asset
    rate = find_net_rate(source.asset_id, bought.id, market_rate=market_rate)
    if rate is None:
        raise NoConversionRate(from_currency=source.asset.code, to_currency=bought.code)
    sold_and_bought = _amounts(source.asset, bought, rate, sell_amount, buy_amount)
    if destination is None:
        destination = _open_wallet(source, bought)
    check_wallet_active(destination)
    now = timezone.now()
    return ConversionQuote.objects.create(
        source=source,
        destination=destination,
        sell_amount=sold_and_bought[0],
        buy_amount=sold_and_bought[1],
        rate=rate,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.QUOTE_SECONDS),
    )


def convert(*, quote_id: UUID, actor: str, at: datetime | None = None) -> ConversionQuote:
    """The quote as `use_quote` leaves it. Raises as that does."""
    quote, _was_used_now = use_quote(quote_id=quote_id, actor=actor, at=at)
    return quote


@retry_on_conflict
@transaction.atomic
def use_quote(
    *, quote_id: UUID, actor: str, at: datetime | None = None
) -> tuple[ConversionQuote, bool]:
    """Change the money at the quoted amounts, at `at` (by default now). Once for a quote.

    The second value is whether it was done now: a quote that was used before is answered as it is,
    and nothing is booked again.

    Raises:
        QuoteNotFound, QuoteExpired: there is none, or it is too old.
        AccountNotActive, WalletNotActive: the account or a wallet is suspended or closed.
        InsufficientFunds: there is less than is to be sold. Nothing is changed.
    """
    locked = locks.lock_quote(quote_id)
    quote = get_quote(quote_id)
    if locked.entry_id is not None:
        return quote, False
    now = at or timezone.now()
    if now >= locked.expires_at:
        raise QuoteExpired(expires_at=locked.expires_at)
    assert quote.source.trading_account_id is not None
    check_account_active(locks.lock_trading_account(quote.source.trading_account_id))
    entry = _book(quote, actor)
    quote.entry_id, quote.converted_at = entry.id, now
    quote.save(update_fields=["entry", "converted_at"])
    return quote, True


def purge_unused_quotes() -> int:
    """Delete the quotes that ran out a week ago and were never used; returns how many."""
    purged, last = 0, UUID(int=0)
    until = timezone.now() - settings.KEPT["UNUSED_QUOTES_KEPT_DAYS"]
    while chunk := _purge_chunk(after=last, until=until):
        purged += len(chunk)
        last = chunk[-1]
    return purged


def create_conversion_rate(
    *, base: str, quote: str, rate: Decimal, spread_rate: Decimal, follows_market: bool = False
) -> ConversionRate:
    """Set the rate of a pair: what one unit of `base` is worth in `quote`, or what the market says.

    Raises:
        UnknownAsset: there is no such currency.
        ValidationFailed, ConversionPairExists: as `store_conversion_rate`.
    """
    made = ConversionRate(
        base=get_asset(base),
        quote=get_asset(quote),
        rate=rate,
        spread_rate=spread_rate,
        follows_market=follows_market,
    )
    store_conversion_rate(made)
    return made


def store_conversion_rate(rate: ConversionRate) -> None:
    """Save a new or changed rate; the inverse pair follows from it.

    Raises:
        ValidationFailed: it is not between two currencies, not above zero, or the spread no share.
        ConversionPairExists: the pair has another row, this way or the other way round.
    """
    errors = []
    if Asset.Kind.SECURITY in (rate.base.kind, rate.quote.kind) or rate.base_id == rate.quote_id:
        errors.append(FieldError("quote", "invalid_pair", "Choose two different currencies."))
    if rate.rate <= 0:
        errors.append(FieldError("rate", "not_positive", "A rate is above zero."))
    if not 0 <= rate.spread_rate < 1:
        errors.append(FieldError("spread_rate", "out_of_range", "From 0 up to below 1."))
    if errors:
        raise ValidationFailed(errors=errors)
    if rates_of_pair(rate.base_id, rate.quote_id).exclude(pk=rate.pk).exists():
        raise ConversionPairExists()
    _save_recorded(rate)


@transaction.atomic
def _save_recorded(rate: ConversionRate) -> None:
    """Save a rate, and note in the audit trail what it was before."""
    fields = ("base_id", "quote_id", "rate", "spread_rate", "is_active")
    before = ConversionRate.objects.filter(pk=rate.pk).values(*fields).first()
    rate.save()
    record(
        action="conversion_rate.changed" if before else "conversion_rate.created",
        target=rate,
        before=before,
        after={name: getattr(rate, name) for name in fields},
    )


@retry_on_conflict
@transaction.atomic
def _purge_chunk(*, after: UUID, until: datetime) -> list[UUID]:
    """Delete some unused quotes of ids above `after`, oldest first: ids are in order of time."""
    old = (
        ConversionQuote.objects.select_for_update(skip_locked=True)
        .filter(id__gt=after, id__lt=first_uuid_from(until), entry=None, expires_at__lt=until)
        .order_by("id")
        .values_list("id", flat=True)[:_CHUNK]
    )
    chunk = list(old)
    ConversionQuote.objects.filter(id__in=chunk).delete()
    return chunk


def _amounts(
    sold: Asset,
    bought: Asset,
    rate: Decimal,
    sell_amount: Decimal | None,
    buy_amount: Decimal | None,
) -> tuple[Decimal, Decimal]:
    """What is sold and what is bought at a net rate; the one that was not given is computed."""
    if sell_amount is not None:
        check_amount(sell_amount, sold.scale, field="sell_amount")
        buy_amount = bought_amount(sell_amount, rate, sold_scale=sold.scale, scale=bought.scale)
        if not buy_amount:
            raise AmountTooSmall(rate=rate)
    else:
        assert buy_amount is not None, "one of the two amounts is given"
        check_amount(buy_amount, bought.scale, field="buy_amount")
        sell_amount = sold_amount(buy_amount, rate, bought_scale=bought.scale, scale=sold.scale)
    check_amount(sell_amount, sold.scale, field="sell_amount")
    check_amount(buy_amount, bought.scale, field="buy_amount")
    return sell_amount, buy_amount


def _open_wallet(source: LedgerAccount, currency: Asset) -> LedgerAccount:
    """The wallet in `currency` of the account that owns `source`, made where it is missing."""
    assert source.trading_account_id is not None
    key = (source.trading_account_id, currency.id, AccountKind.CASH.value)
    with connection.cursor() as cursor:
        wallet_id = ensure_client_accounts(cursor, [key])[key]
    return get_wallet_row(wallet_id)


def _book(quote: ConversionQuote, actor: str) -> Entry:
    source, destination = quote.source, quote.destination
    return post_entry(
        kind=EntryKind.CONVERSION,
        source_kind="conversion",
        source_id=quote.id,
        lines=[
            Line(account_of(source), -quote.sell_amount),
            Line(VenueAccount(AccountKind.CONVERSION, source.asset_id), quote.sell_amount),
            Line(VenueAccount(AccountKind.CONVERSION, destination.asset_id), -quote.buy_amount),
            Line(account_of(destination), quote.buy_amount),
        ],
        actor=actor,
    )
