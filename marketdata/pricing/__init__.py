"""What an instrument costs at the market now: price services behind cache, breaker and limits.

Asking may call other people's servers, so it is done before a transaction begins, never inside.
"""

from marketdata.pricing.prices import (
    get_last_price,
    get_last_prices,
    get_market_price,
    get_pair_rate,
)
from marketdata.pricing.refresh import refresh_watched_prices
from marketdata.pricing.states import ServiceState, list_service_states
from marketdata.types import MarketPrice

__all__ = [
    "MarketPrice",
    "ServiceState",
    "get_last_price",
    "get_last_prices",
    "get_market_price",
    "get_pair_rate",
    "list_service_states",
    "refresh_watched_prices",
]
