"""What the rest of the venue knows of instruments and their market prices: frozen copies. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from common.instants import EPOCH, floor_instant

_CENT8 = 10**6
_WHOLE8 = 10**8


def trades_in_whole_cents(tick_units8: int, lot_units8: int) -> bool:
    """Whether all prices are whole cents and all quantities whole: the classic dialect needs it."""
    return tick_units8 % _CENT8 == 0 and lot_units8 % _WHOLE8 == 0


@dataclass(frozen=True, slots=True)
class InstrumentSpec:
    """An instrument with its assets and rules, as it was read a moment ago.

    What an order's shape depends on (steps, assets, shard) never changes; state, limits and fee
    rates may be some seconds old, so the engine decides by its own reading. `…_units8` are integers
    of 10^-8 of the asset.
    """

    id: int
    symbol: str
    name: str
    kind: str
    base_asset_id: int
    base_asset: str
    base_scale: int
    quote_asset_id: int
    quote_asset: str
    quote_scale: int
    tick_size: Decimal
    lot_size: Decimal
    tick_units8: int
    lot_units8: int
    min_quantity: Decimal | None
    max_quantity: Decimal | None
    min_notional: Decimal | None
    max_notional: Decimal | None
    price_band_rate: Decimal | None
    market_collar_rate: Decimal | None
    maker_fee_rate: Decimal
    taker_fee_rate: Decimal
    price_rule: str
    state: str
    shard: int
    is_open_listing: bool
    # Of perpetuals alone.
    initial_margin_rate: Decimal | None = None
    maintenance_margin_rate: Decimal | None = None
    mark_jump_limit_rate: Decimal | None = None
    mark_stale_seconds: int | None = None
    max_position: Decimal | None = None
    liquidation_fee_rate: Decimal | None = None
    liquidation_buffer_rate: Decimal | None = None
    funding_interval_seconds: int | None = None
    funding_interest_rate: Decimal | None = None
    funding_cap_rate: Decimal | None = None
    # What price services call it, where that is not its symbol or pair.
    price_symbol: str = ""

    @property
    def is_in_whole_cents(self) -> bool:
        """Whether the classic dialect offers it."""
        return trades_in_whole_cents(self.tick_units8, self.lot_units8)


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark price of a perpetual that holds now, `posted_at` since when."""

    price: Decimal
    source: str
    as_of: datetime
    posted_at: datetime

    def age_seconds(self, now: datetime) -> int:
        """Whole seconds since `as_of`."""
        return max(0, int((now - self.as_of).total_seconds()))

    def is_stale(self, now: datetime, stale_seconds: int | None) -> bool:
        """Whether it is older than the instrument's `mark_stale_seconds` (None: never)."""
        return stale_seconds is not None and now - self.as_of > timedelta(seconds=stale_seconds)


class NewMark(NamedTuple):
    """A mark price to store: price in units of 10^-8, `as_of` in microseconds since 1970."""

    instrument_id: int
    price: int
    source: str
    as_of: int
    actor: str
    is_forced: bool


class InstrumentClass(StrEnum):
    """What price services tell apart; each class has its own chain of them."""

    EQUITY = "EQUITY"
    CRYPTO = "CRYPTO"


@dataclass(frozen=True, slots=True)
class Ticker:
    """What a price service is asked for: `quote` units for one `base`.

    `instrument` is None for what is not listed yet.
    """

    symbol: str
    instrument_class: InstrumentClass
    base: str
    quote: str
    instrument: InstrumentSpec | None

    @property
    def name(self) -> str:
        """What price services call it: as staff say, else a pair BTC-USD, a share its symbol."""
        if self.instrument is not None and self.instrument.price_symbol:
            return self.instrument.price_symbol
        if self.instrument_class == InstrumentClass.CRYPTO:
            return f"{self.base}-{self.quote}"
        return self.symbol


@dataclass(frozen=True, slots=True)
class MarketPrice:
    """What one unit of an instrument costs now, in whole ticks.

    The venue's dealer buys at `bid` and sells at `ask`: `price` less and plus the dealer's spread,
    rounded away from the market, so that no way round through several instruments gains a tick.
    `as_of` is the market's own time of the price (a closed market's is that of its close), and
    `age_seconds` passed since a price service last told it. One that is simulated is made up. A
    perpetual's is its mark price, from the source `mark`, whose age counts from `as_of`.
    """

    symbol: str
    price: Decimal
    bid: Decimal
    ask: Decimal
    currency: str
    source: str
    as_of: datetime
    age_seconds: int
    is_cached: bool
    is_simulated: bool
    is_stale: bool


class CandleInterval(StrEnum):
    """How long a candle lasts; days begin at midnight UTC."""

    MINUTE = "1m"
    FIVE_MINUTES = "5m"
    HOUR = "1h"
    DAY = "1d"

    @property
    def length(self) -> timedelta:
        """As a length of time."""
        return _LENGTHS[self]

    def floor(self, moment: datetime) -> datetime:
        """When the candle of `moment` begins."""
        return floor_instant(moment, self.length)

    def ceil(self, moment: datetime) -> datetime:
        """The first beginning of a candle that is not before `moment`."""
        return moment + (EPOCH - moment) % self.length


_LENGTHS = {
    CandleInterval.MINUTE: timedelta(minutes=1),
    CandleInterval.FIVE_MINUTES: timedelta(minutes=5),
    CandleInterval.HOUR: timedelta(hours=1),
    CandleInterval.DAY: timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """The trades of one interval: prices in the quote asset, volume in the base asset.

    `amount` is the sum of price × quantity, in the quote asset.
    """

    opened_at: datetime
    open_price: Decimal
    high_price: Decimal
    low_price: Decimal
    close_price: Decimal
    volume: Decimal
    amount: Decimal
    trade_count: int
