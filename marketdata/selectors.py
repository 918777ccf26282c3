"""Reads of assets, instruments and candles; specs are remembered in the process for seconds."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from common.caching import RenewedCache, TtlCache
from common.instants import EPOCH
from common.money import to_units8
from marketdata.calculations import fill_gaps, symbol_errors
from marketdata.errors import InstrumentNotFound, UnknownAsset
from marketdata.models import Asset, Candle, Instrument, MarkPrice
from marketdata.types import Bar, CandleInterval, InstrumentSpec, Mark

SPEC_SECONDS = 5.0


def _read_specs(symbols: Collection[str]) -> dict[str, InstrumentSpec]:
    """The instruments of some symbols, by symbol."""
    return {row.symbol: make_spec(row) for row in list_instruments().filter(symbol__in=symbols)}


_specs: RenewedCache[str, InstrumentSpec] = RenewedCache(
    max_size=50_000, ttl_seconds=SPEC_SECONDS, load=_read_specs
)
_specs_by_id: TtlCache[int, InstrumentSpec] = TtlCache(max_size=50_000, ttl_seconds=SPEC_SECONDS)


def get_asset(code: str) -> Asset:
    """The asset of that code.

    Raises:
        UnknownAsset: there is none.
    """
    try:
        return Asset.objects.get(code=code)
    except Asset.DoesNotExist as error:
        raise UnknownAsset(asset=code) from error


def get_asset_scales(ids: set[int]) -> dict[int, int]:
    """Decimal places by asset id."""
    return dict(Asset.objects.filter(id__in=ids).values_list("id", "scale"))


def find_instrument_spec(symbol: str) -> InstrumentSpec | None:
    """The instrument of that symbol, None when there is none. For the path of an order."""
    spec = _specs.get(symbol)
    if spec is not None or symbol_errors(symbol):
        return spec
    return _read_spec(symbol=symbol)


def get_instrument_spec(symbol: str) -> InstrumentSpec:
    """The instrument of that symbol.

    Raises:
        InstrumentNotFound: there is none.
    """
    spec = find_instrument_spec(symbol)
    if spec is None:
        raise InstrumentNotFound(symbol=symbol)
    return spec


def get_instrument_spec_by_id(instrument_id: int) -> InstrumentSpec:
    """The instrument of that id, which a row refers to.

    Raises:
        InstrumentNotFound: there is none.
    """
    spec = _specs_by_id.get(instrument_id) or _read_spec(id=instrument_id)
    if spec is None:
        raise InstrumentNotFound(instrument_id=instrument_id)
    return spec


def list_instruments(
    *, kind: str | None = None, state: str | None = None, quote: str | None = None
) -> QuerySet[Instrument]:
    """Instruments with their assets, narrowed by kind, state and quote asset."""
    instruments = Instrument.objects.select_related("base_asset", "quote_asset")
    if kind is not None:
        instruments = instruments.filter(kind=kind)
    if state is not None:
        instruments = instruments.filter(state=state)
    if quote is not None:
        instruments = instruments.filter(quote_asset__code=quote)
    return instruments


def find_mark(instrument_id: int) -> Mark | None:
    """The mark price of an instrument; None where there never was one."""
    latest = MarkPrice.objects.filter(instrument_id=instrument_id).order_by("-id").first()
    if latest is None:
        return None
    return Mark(latest.price, latest.source, latest.as_of, latest.posted_at)


def make_spec(instrument: Instrument) -> InstrumentSpec:
    """The frozen copy of a row that was read with its assets."""
    base, quote = instrument.base_asset, instrument.quote_asset
    return InstrumentSpec(
        id=instrument.id,
        symbol=instrument.symbol,
        name=instrument.name,
        kind=instrument.kind,
        base_asset_id=base.id,
        base_asset=base.code,
        base_scale=base.scale,
        quote_asset_id=quote.id,
        quote_asset=quote.code,
        quote_scale=quote.scale,
        tick_size=instrument.tick_size,
        lot_size=instrument.lot_size,
        tick_units8=to_units8(instrument.tick_size),
        lot_units8=to_units8(instrument.lot_size),
        min_quantity=instrument.min_quantity,
        max_quantity=instrument.max_quantity,
        min_notional=instrument.min_notional,
        max_notional=instrument.max_notional,
        price_band_rate=instrument.price_band_rate,
        market_collar_rate=instrument.market_collar_rate,
        maker_fee_rate=instrument.maker_fee_rate,
        taker_fee_rate=instrument.taker_fee_rate,
        price_rule=instrument.price_rule,
        state=instrument.state,
        shard=instrument.shard,
        is_open_listing=instrument.is_open_listing,
        initial_margin_rate=instrument.initial_margin_rate,
        maintenance_margin_rate=instrument.maintenance_margin_rate,
        mark_jump_limit_rate=instrument.mark_jump_limit_rate,
        mark_stale_seconds=instrument.mark_stale_seconds,
        max_position=instrument.max_position,
        liquidation_fee_rate=instrument.liquidation_fee_rate,
        liquidation_buffer_rate=instrument.liquidation_buffer_rate,
        funding_interval_seconds=instrument.funding_interval_seconds,
        funding_interest_rate=instrument.funding_interest_rate,
        funding_cap_rate=instrument.funding_cap_rate,
        price_symbol=instrument.price_symbol,
    )


def forget_specs() -> None:
    """Make this process read every instrument anew (others do within `SPEC_SECONDS`)."""
    _specs.clear()
    _specs_by_id.clear()


def _read_spec(**where: str | int) -> InstrumentSpec | None:
    instrument = list_instruments().filter(**where).first()
    if instrument is None:
        return None
    spec = make_spec(instrument)
    _specs.put(spec.symbol, spec)
    _specs_by_id.put(spec.id, spec)
    return spec


def list_bars(
    instrument_id: int,
    interval: CandleInterval,
    *,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> list[Bar]:
    """Candles, oldest first, that begin at `since` or later and before `until`.

    The first `limit` of them, or without `since` the last ones. The newest may still change.
    """
    candles = Candle.objects.filter(instrument_id=instrument_id, interval=interval)
    if until is not None:
        candles = candles.filter(opened_at__lt=until)
    if since is not None:
        candles = candles.filter(opened_at__gte=since)
        return _bars(candles.order_by("opened_at")[:limit])
    return _bars(candles.order_by("-opened_at")[:limit])[::-1]


def list_bars_without_gaps(
    instrument_id: int,
    interval: CandleInterval,
    *,
    since: datetime | None,
    until: datetime,
    limit: int,
) -> list[Bar]:
    """As `list_bars`, with a flat candle for each interval that had no trades after the first."""
    # Nobody traded before 1970, and nobody has traded in the future.
    last_end = interval.ceil(max(EPOCH, min(until, timezone.now())))
    if since is None:
        first = last_end - limit * interval.length
    elif since >= last_end:
        return []
    else:
        first = interval.ceil(max(EPOCH, since))
        last_end = min(last_end, first + limit * interval.length)
    before = list_bars(instrument_id, interval, since=None, until=first, limit=1)
    bars = list_bars(instrument_id, interval, since=first, until=last_end, limit=limit)
    last = before[0] if before else None
    return fill_gaps(bars, interval, since=first, until=last_end, last=last)


def _bars(candles: "QuerySet[Candle]") -> list[Bar]:
    names = [field.name for field in fields(Bar)]
    return [Bar(*values) for values in candles.values_list(*names)]


def has_perpetuals(quote_asset_id: int) -> bool:
    """Whether a perpetual is quoted in this asset."""
    perpetuals = Instrument.objects.filter(kind=Instrument.Kind.PERPETUAL)
    return perpetuals.filter(quote_asset=quote_asset_id).exists()
