"""Instruments as the engine needs them: their rules, and the marks of perpetuals. Pure.

Money is in units of 10^-8, prices in ticks, quantities in lots, instants in microseconds.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from common.money import UNITS8
from margin.types import PerpetualTerms
from marketdata.types import trades_in_whole_cents
from orders.matching.types import PriceRule

if TYPE_CHECKING:
    from orders.engine.core.instrument_kind import InstrumentKind


@dataclass(slots=True, frozen=True)
class LiveMark:
    """The mark price that holds, and of when it is (microseconds)."""

    price: int
    as_of: int


@dataclass(slots=True, frozen=True)
class PerpetualRules:
    """What a perpetual has beyond other instruments; `max_lots` is the largest position."""

    terms: PerpetualTerms
    jump_rate: int
    stale_micros: int
    max_lots: int | None
    liquidation_fee_rate: int
    liquidation_buffer_rate: int

    def is_stale(self, mark: LiveMark, now: int) -> bool:
        """Whether a mark is too old to deal, to liquidate or to fund by."""
        return now - mark.as_of > self.stale_micros


@dataclass(slots=True)
class InstrumentRules:
    """An instrument as the engine needs it; `version` changes with the row."""

    instrument_id: int
    version: int
    symbol: str
    base_asset_id: int
    quote_asset_id: int
    tick: int
    lot: int
    fee_unit: int
    price_rule: PriceRule
    is_trading: bool
    min_lots: int
    max_lots: int | None
    min_notional: int
    max_notional: int | None
    band_rate: int | None
    collar_rate: int | None
    maker_rate: int
    taker_rate: int
    # Kinds of the ledger accounts that its assets are kept in.
    base_kind: str
    quote_kind: str
    quote_code: str
    kind: "InstrumentKind"
    perpetual: PerpetualRules | None = None
    # Money of one tick times one lot.
    factor: int = field(init=False)
    # Whether trades can be reported in whole cents and whole quantities.
    is_in_whole_cents: bool = field(init=False)

    @property
    def as_perpetual(self) -> PerpetualRules:
        """What it has as a perpetual, which it must be."""
        assert self.perpetual is not None, "not a perpetual"
        return self.perpetual

    def __post_init__(self) -> None:
        self.is_in_whole_cents = trades_in_whole_cents(self.tick, self.lot)
        self.factor, rest = divmod(self.tick * self.lot, UNITS8)
        assert rest == 0, "tick_size × lot_size is not whole in the quote asset"
