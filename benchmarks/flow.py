"""The traffic of P1 as commands: 450 symbols by Zipf, 100 brokers, passive, aggressive, market.

Of 700 new orders 75 % are passive limits, 20 % aggressive limits, 5 % market orders; 245 cancels
come with them. Seeded: the same seed gives the same traffic.
"""

import random
from bisect import bisect
from itertools import accumulate

SYMBOLS = 450
BROKERS = 100
ZIPF_EXPONENT = 0.95
CANCELS_PER_ORDER = 245 / 700
MID_CENTS = 10_000


class Flow:
    """Draws symbols, sides, prices and quantities of the mix."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        weights = [1 / rank**ZIPF_EXPONENT for rank in range(1, SYMBOLS + 1)]
        self._cumulated = list(accumulate(weights))
        self._mids = [MID_CENTS] * SYMBOLS

    def symbol(self) -> int:
        """Index of a symbol, the first ones the busiest."""
        return bisect(self._cumulated, self.random.random() * self._cumulated[-1])

    def order(self) -> tuple[int, bool, int | None, int]:
        """(symbol index, is a buy, price in cents or None for market, quantity)."""
        draw = self.random
        symbol = self.symbol()
        is_buy = draw.random() < 0.5
        quantity = draw.randint(1, 20) * 10
        kind = draw.random()
        mid = self._mids[symbol]
        if kind < 0.05:
            return symbol, is_buy, None, quantity
        if kind < 0.25:
            distance = -draw.randint(1, 5)
            self._mids[symbol] = mid + (1 if is_buy else -1) * (draw.random() < 0.3)
        else:
            distance = draw.randint(1, 20)
        return symbol, is_buy, mid - distance if is_buy else mid + distance, quantity
