"""What the rest of the venue knows of an instrument: a frozen copy of its row. Pure."""

from dataclasses import dataclass
from decimal import Decimal


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
