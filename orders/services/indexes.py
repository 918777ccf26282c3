"""The index of a perpetual: the market price of its underlying pair, where that is listed."""

import logging
from decimal import Decimal

from common.errors import ExchangeError
from marketdata.models import Instrument
from marketdata.pricing import get_market_price
from marketdata.selectors import find_instrument_spec
from marketdata.types import InstrumentSpec

logger = logging.getLogger(__name__)


def find_index_price(instrument: InstrumentSpec) -> Decimal | None:
    """What one unit of the base asset costs on its own market; None where nobody tells.

    Not inside a transaction: it may take seconds.
    """
    symbol = f"{instrument.base_asset}-{instrument.quote_asset}"
    underlying = find_instrument_spec(symbol)
    if underlying is None or underlying.kind == Instrument.Kind.PERPETUAL:
        return None
    try:
        return get_market_price(symbol=symbol).price
    except ExchangeError as error:
        logger.info("%s has no index: %s", instrument.symbol, error)
        return None
