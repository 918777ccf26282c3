"""Writes of assets and instruments: by staff, and by the first order for a symbol."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from common.database import retry_on_conflict
from common.errors import FieldError, ValidationFailed
from common.purging import purge_oldest
from marketdata.calculations import (
    currency_name,
    currency_scale,
    forced_term_errors,
    limit_errors,
    margin_term_errors,
    price_symbol_errors,
    rate_errors,
    scale_errors,
    shard_of,
    step_errors,
    steps_of_price,
    symbol_errors,
)
from marketdata.errors import AssetExists, InstrumentExists, UnknownCurrency, UnknownSymbol
from marketdata.models import Asset, Instrument, MarkPrice
from marketdata.selectors import (
    find_instrument_spec,
    forget_specs,
    get_asset,
    get_instrument_spec,
)
from marketdata.types import InstrumentSpec
from oversight.services.records import record

_CRYPTO_SCALE = 8
_OPEN_TICK = Decimal("0.01")
# Of shares that cost less than one unit.
_PENNY_TICK = Decimal("0.0001")
_OPEN_LOT = Decimal(1)
# Of a perpetual for which nothing else is said.
_USUAL_TERMS: dict[str, Any] = {
    "initial_margin_rate": Decimal("0.20"),
    "maintenance_margin_rate": Decimal("0.10"),
    "mark_jump_limit_rate": Decimal("0.20"),
    "mark_stale_seconds": 600,
    "liquidation_fee_rate": Decimal("0.005"),
    "liquidation_buffer_rate": Decimal("0.05"),
    "funding_interval_seconds": 28_800,
    "funding_interest_rate": Decimal("0.0001"),
    "funding_cap_rate": Decimal("0.0075"),
}
# Transactions that list a symbol of their own queue up for this one lock, so that the count holds.
_OPEN_LISTING_LOCK = 0x0B0E_0001


def create_asset(*, code: str, kind: str, scale: int, name: str = "") -> Asset:
    """Let the ledger count another asset, with `scale` decimal places for ever.

    Raises:
        ValidationFailed: code or scale break a rule.
        AssetExists: the code is taken.
    """
    _raise_if_any(symbol_errors(code, "code"))
    if Asset.objects.filter(code=code).exists():
        raise AssetExists(asset=code)
    asset = Asset(code=code, kind=kind, scale=scale, name=name)
    store_asset(asset)
    return asset


def ensure_currency(code: str) -> Asset:
    """The currency of that code: of ISO 4217, made now where it is missing, or a listed crypto one.

    Raises:
        UnknownCurrency: it is neither, or a share is listed under that code.
    """
    asset = Asset.objects.filter(code=code).first()
    name = currency_name(code)
    if asset is None and name is not None:
        asset = _ensure_asset(code, Asset.Kind.FIAT, currency_scale(code), name)
    if asset is None or asset.kind == Asset.Kind.SECURITY:
        raise UnknownCurrency(currency=code)
    return asset


def store_asset(asset: Asset) -> None:
    """Save a new or changed asset; its scale does not change.

    Raises:
        ValidationFailed: code or scale break a rule.
    """
    _raise_if_any([*symbol_errors(asset.code, "code"), *scale_errors(asset.scale)])
    _save_recorded(asset, "asset")
    forget_specs()


def create_instrument(
    *,
    symbol: str,
    kind: str,
    base: str,
    quote: str,
    tick_size: Decimal,
    lot_size: Decimal,
    price_rule: str,
    **fields: Any,
) -> InstrumentSpec:
    """List an instrument; `fields` are further columns: name, state, limits, rates.

    Raises:
        ValidationFailed: names every rule that is broken.
        UnknownAsset: there is no such base or quote asset.
        InstrumentExists: the symbol is taken.
    """
    _raise_if_any(symbol_errors(symbol))
    if Instrument.objects.filter(symbol=symbol).exists():
        raise InstrumentExists(symbol=symbol)
    instrument = Instrument(
        symbol=symbol,
        kind=kind,
        base_asset=get_asset(base),
        quote_asset=get_asset(quote),
        tick_size=tick_size,
        lot_size=lot_size,
        price_rule=price_rule,
        **fields,
    )
    set_missing_margin_terms(instrument)
    store_instrument(instrument)
    return get_instrument_spec(symbol)


def set_missing_margin_terms(instrument: Instrument) -> None:
    """Give a perpetual that is not saved yet the usual terms where none are said."""
    if instrument.kind != Instrument.Kind.PERPETUAL:
        return
    for name, term in _USUAL_TERMS.items():
        if getattr(instrument, name) is None:
            setattr(instrument, name, term)


def store_instrument(instrument: Instrument) -> None:
    """Save a new or changed instrument. A new one gets its shard; its steps do not change.

    Raises:
        ValidationFailed: names every rule that is broken.
    """
    _raise_if_any(instrument_errors(instrument))
    if instrument.pk is None:
        instrument.shard = shard_of(_shard_name(instrument), settings.ENGINE_SHARDS)
    _save_recorded(instrument, "instrument")
    forget_specs()


@transaction.atomic
def _save_recorded(row: Asset | Instrument, name: str) -> None:
    """Save a row, and note in the audit trail which fields got which values."""
    fields = [field.attname for field in row._meta.concrete_fields if field.name != "updated_at"]
    stored = type(row)._default_manager.filter(pk=row.pk).values(*fields).first() or {}
    verb = "changed" if stored else "created"
    row.save()
    changed = [one for one in fields if stored.get(one) != getattr(row, one)]
    record(
        action=f"{name}.{verb}",
        target=row,
        before={one: stored[one] for one in changed if stored},
        after={one: getattr(row, one) for one in changed},
    )


def instrument_errors(instrument: Instrument) -> list[FieldError]:
    """Every rule that an instrument, saved or not, breaks."""
    base, quote = instrument.base_asset, instrument.quote_asset
    is_perpetual = instrument.kind == Instrument.Kind.PERPETUAL
    errors = symbol_errors(instrument.symbol)
    errors += price_symbol_errors(instrument.price_symbol, is_perpetual=is_perpetual)
    if base == quote:
        errors.append(FieldError("quote_asset", "same_as_base", "Base and quote are the same."))
    errors += step_errors(
        tick_size=instrument.tick_size,
        lot_size=instrument.lot_size,
        base_scale=base.scale,
        quote_scale=quote.scale,
    )
    errors += rate_errors(
        maker_fee_rate=Decimal(instrument.maker_fee_rate),
        taker_fee_rate=Decimal(instrument.taker_fee_rate),
        price_band_rate=instrument.price_band_rate,
        market_collar_rate=instrument.market_collar_rate,
    )
    if is_perpetual and instrument.price_band_rate is None:
        detail = "A perpetual needs a price band around its mark."
        errors.append(FieldError("price_band_rate", "required", detail))
    if not any(error.field == "lot_size" for error in errors):
        errors += margin_term_errors(
            is_perpetual=is_perpetual,
            lot_size=instrument.lot_size,
            initial_margin_rate=instrument.initial_margin_rate,
            maintenance_margin_rate=instrument.maintenance_margin_rate,
            mark_jump_limit_rate=instrument.mark_jump_limit_rate,
            mark_stale_seconds=instrument.mark_stale_seconds,
            max_position=instrument.max_position,
        )
        errors += forced_term_errors(
            is_perpetual=is_perpetual,
            liquidation_fee_rate=instrument.liquidation_fee_rate,
            liquidation_buffer_rate=instrument.liquidation_buffer_rate,
            funding_interval_seconds=instrument.funding_interval_seconds,
            funding_interest_rate=instrument.funding_interest_rate,
            funding_cap_rate=instrument.funding_cap_rate,
        )
    if not any(error.field == "lot_size" for error in errors):
        errors += limit_errors(
            lot_size=instrument.lot_size,
            min_quantity=instrument.min_quantity,
            max_quantity=instrument.max_quantity,
            min_notional=instrument.min_notional,
            max_notional=instrument.max_notional,
        )
    return errors


@transaction.atomic
def set_first_mark(*, instrument: InstrumentSpec, price: Decimal, actor: str) -> None:
    """Give a perpetual that has no mark price its first, before an engine knows one.

    An engine reads it when it starts, or meets the instrument; every further one is a command.
    """
    if MarkPrice.objects.filter(instrument_id=instrument.id).exists():
        return
    now = timezone.now()
    MarkPrice.objects.create(
        instrument_id=instrument.id,
        price=price,
        source=MarkPrice.Source.POSTED,
        as_of=now,
        posted_at=now,
        actor=actor,
    )


def purge_mark_prices() -> int:
    """Delete old mark prices, in chunks, but the latest of each perpetual; returns how many."""
    until = timezone.now() - settings.KEPT["MARK_PRICES_KEPT_DAYS"]
    marks = MarkPrice.objects.filter(instrument=OuterRef("pk")).order_by("-id")
    latest = Instrument.objects.filter(kind=Instrument.Kind.PERPETUAL)
    kept = list(latest.values_list(Subquery(marks.values("pk")[:1]), flat=True))
    return purge_oldest(MarkPrice.objects.all(), Q(posted_at__lt=until) & ~Q(pk__in=kept))


def _shard_name(instrument: Instrument) -> str:
    """What the shard follows from: perpetuals that share collateral share it."""
    is_perpetual = instrument.kind == Instrument.Kind.PERPETUAL
    return instrument.quote_asset.code if is_perpetual else instrument.symbol


def list_symbol(symbol: str, *, quoted_price: Decimal | None = None) -> InstrumentSpec:
    """The instrument of that symbol, listed now if there is none and open listing is on.

    Listed is an equity in the venue's currency, without band, collar and fees. Its tick is a cent,
    unless a price service quotes it below one unit: `quoted_price` is such a quote, never a number
    of a caller. Any number of callers at the same time get the same instrument.

    Raises:
        ValidationFailed: this is no symbol.
        UnknownSymbol: open listing is off or full, or the symbol names a currency.
    """
    spec = find_instrument_spec(symbol)
    if spec is not None:
        return spec
    _raise_if_any(symbol_errors(symbol))
    if not settings.OPEN_LISTING:
        raise UnknownSymbol(symbol=symbol)
    is_penny_stock = quoted_price is not None and quoted_price < 1
    _list_openly(symbol, _PENNY_TICK if is_penny_stock else _OPEN_TICK)
    return get_instrument_spec(symbol)


def list_pair(*, symbol: str, base: str, quote: str, price: Decimal) -> InstrumentSpec:
    """The spot instrument of two currencies, listed now if there is none and open listing is on.

    Its steps suit `price`, its usual one: see `calculations.steps_of_price`. A crypto currency
    that is missing is made, with eight decimal places.

    Raises:
        ValidationFailed: `symbol` or `base` is none.
        UnknownSymbol: open listing is off or full, or there is no such currency.
    """
    spec = find_instrument_spec(symbol)
    if spec is not None:
        return spec
    _raise_if_any([*symbol_errors(symbol), *symbol_errors(base)])
    if not settings.OPEN_LISTING:
        raise UnknownSymbol(symbol=symbol)
    _list_pair_openly(symbol, base, quote, price)
    return get_instrument_spec(symbol)


@retry_on_conflict
@transaction.atomic
def _list_openly(symbol: str, tick_size: Decimal) -> None:
    _check_room_for(symbol)
    venue_currency = settings.VENUE_CURRENCY
    quote = _ensure_asset(venue_currency, Asset.Kind.FIAT, currency_scale(venue_currency))
    base = _ensure_asset(symbol, Asset.Kind.SECURITY, 0)
    if base.kind != Asset.Kind.SECURITY or base.scale != 0:
        raise UnknownSymbol(f"{symbol} is a currency, no share", symbol=symbol)
    _store_open_listing(
        Instrument(
            symbol=symbol,
            kind=Instrument.Kind.EQUITY,
            base_asset=base,
            quote_asset=quote,
            tick_size=tick_size,
            lot_size=_OPEN_LOT,
            price_rule=Instrument.PriceRule.SELLER,
        )
    )


@retry_on_conflict
@transaction.atomic
def _list_pair_openly(symbol: str, base_code: str, quote_code: str, price: Decimal) -> None:
    _check_room_for(symbol)
    try:
        quote = ensure_currency(quote_code)
    except UnknownCurrency as error:
        raise UnknownSymbol(f"{quote_code} is no currency", symbol=symbol) from error
    base = _ensure_asset(base_code, Asset.Kind.CRYPTO, _CRYPTO_SCALE)
    if base.kind != Asset.Kind.CRYPTO or base == quote:
        raise UnknownSymbol(f"{base_code} is no crypto currency", symbol=symbol)
    tick_size, lot_size = steps_of_price(price, base.scale, quote.scale)
    _store_open_listing(
        Instrument(
            symbol=symbol,
            kind=Instrument.Kind.SPOT,
            base_asset=base,
            quote_asset=quote,
            tick_size=tick_size,
            lot_size=lot_size,
            price_rule=Instrument.PriceRule.MAKER,
        )
    )


def _check_room_for(symbol: str) -> None:
    """Until the end of the transaction nobody else lists openly, so that the count holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_OPEN_LISTING_LOCK])
    listed = Instrument.objects.filter(is_open_listing=True).count()
    if listed >= settings.OPEN_LISTING_MAX:
        raise UnknownSymbol("No further symbol is listed by its first order", symbol=symbol)


def _store_open_listing(instrument: Instrument) -> None:
    instrument.shard = shard_of(instrument.symbol, settings.ENGINE_SHARDS)
    instrument.is_open_listing = True
    Instrument.objects.bulk_create([instrument], ignore_conflicts=True)


def _ensure_asset(code: str, kind: str, scale: int, name: str = "") -> Asset:
    asset = Asset(code=code, kind=kind, scale=scale, name=name)
    Asset.objects.bulk_create([asset], ignore_conflicts=True)
    return Asset.objects.get(code=code)


def _raise_if_any(errors: list[FieldError]) -> None:
    if errors:
        raise ValidationFailed(errors=errors)
