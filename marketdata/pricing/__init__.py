"""What an instrument costs at the market now: price services behind cache, breaker and limits.

Asking may call other people's servers, so it is done before a transaction begins, never inside.
"""

from marketdata.pricing.prices import get_last_price, get_market_price
from marketdata.types import MarketPrice

__all__ = ["MarketPrice", "get_last_price", "get_market_price"]
