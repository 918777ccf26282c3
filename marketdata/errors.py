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
