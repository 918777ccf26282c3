"""What market data refuses: one class per broken rule."""

from common.errors import Conflict, ExchangeError, NotFound


class UnknownAsset(ExchangeError):
    """There is no such asset. Facts: asset."""

    code = "unknown_asset"
    status = 422


class UnknownCurrency(ExchangeError):
    """This is no currency of ISO 4217, and no crypto currency of the venue. Facts: currency."""

    code = "unknown_currency"
    status = 422


class UnknownSymbol(ExchangeError):
    """There is no such instrument, and nothing may be listed under this symbol. Facts: symbol."""

    code = "unknown_symbol"
    status = 422


class InstrumentNotFound(NotFound):
    """There is no such instrument. Facts: symbol."""

    code = "instrument_not_found"


class AssetExists(Conflict):
    """There is an asset of this code. Facts: asset."""

    code = "asset_exists"


class InstrumentExists(Conflict):
    """There is an instrument of this symbol. Facts: symbol."""

    code = "instrument_exists"


class UnknownTicker(NotFound):
    """No instrument and no price service knows this ticker. Facts: symbol."""

    code = "unknown_ticker"


class NoMarketPrice(ExchangeError):
    """There is no market price that may be dealt on now.

    Facts: symbol, age_seconds, as_of. The last two are of an old price, where there is one.
    """

    code = "no_market_price"
    status = 503
    retry_after_seconds = 5


class CurrencyMismatch(ExchangeError):
    """The price services quote this in another currency than it is traded in.

    Facts: symbol, expected, currency, source.
    """

    code = "currency_mismatch"
    status = 422


class NotPerpetual(ExchangeError):
    """Only a perpetual has a mark price, and funding. Facts: symbol."""

    code = "not_perpetual"
    status = 422


class NotInWholeCents(ExchangeError):
    """This is finer than whole cents and whole quantities; use /api/v1. Facts: symbol."""

    code = "not_in_whole_cents"
    status = 422
