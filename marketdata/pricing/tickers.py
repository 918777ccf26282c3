"""From symbols to what price services are asked for, and the listing of what they know."""

from decimal import Decimal

from django.conf import settings

from common.errors import ValidationFailed
from marketdata.calculations import currency_name, symbol_errors
from marketdata.errors import UnknownSymbol, UnknownTicker
from marketdata.models import Asset, Instrument
from marketdata.selectors import find_instrument_spec
from marketdata.services import list_pair, list_symbol
from marketdata.types import InstrumentClass, InstrumentSpec, Ticker


def get_ticker(symbol: str) -> Ticker:
    """What to ask for: a listed instrument, or what could be listed under that symbol.

    Raises:
        UnknownTicker: it is not listed, and open listing is off; or it is no symbol at all.
    """
    spec = find_instrument_spec(symbol)
    if spec is not None:
        return ticker_of(spec)
    if not settings.OPEN_LISTING or symbol_errors(symbol):
        raise UnknownTicker(symbol=symbol)
    base, _, quote = symbol.rpartition("-")
    if base and _is_currency(quote):
        return Ticker(symbol, InstrumentClass.CRYPTO, base, quote, None)
    return Ticker(symbol, InstrumentClass.EQUITY, symbol, settings.VENUE_CURRENCY, None)


def ticker_of(spec: InstrumentSpec) -> Ticker:
    """What to ask for a listed instrument's price."""
    is_equity = spec.kind == Instrument.Kind.EQUITY
    instrument_class = InstrumentClass.EQUITY if is_equity else InstrumentClass.CRYPTO
    return Ticker(spec.symbol, instrument_class, spec.base_asset, spec.quote_asset, spec)


def list_ticker(ticker: Ticker, price: Decimal) -> InstrumentSpec:
    """The instrument of `ticker`, listed now if need be, with steps that suit the service's price.

    Raises:
        UnknownTicker: nothing may be listed under that symbol.
    """
    if ticker.instrument is not None:
        return ticker.instrument
    try:
        if ticker.instrument_class == InstrumentClass.EQUITY:
            return list_symbol(ticker.symbol, quoted_price=price)
        return list_pair(base=ticker.base, quote=ticker.quote, price=price, symbol=ticker.symbol)
    except (UnknownSymbol, ValidationFailed) as error:
        raise UnknownTicker(error.detail, symbol=ticker.symbol) from error


def _is_currency(code: str) -> bool:
    if currency_name(code) is not None:
        return True
    return Asset.objects.filter(code=code, kind=Asset.Kind.CRYPTO).exists()
