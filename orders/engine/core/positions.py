"""Positions of perpetuals and their marks in the engine's memory. Pure.

The engine of a shard is the one writer of both, so its memory is what the database says. Prices
count ticks, quantities lots, money 10^-8 of the quote asset.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from margin.types import Exposure
from orders.engine.core.instruments import InstrumentRules, LiveMark

# (account, quote asset): what one collateral carries.
Owner = tuple[int, int]
# (account, instrument).
PositionKey = tuple[int, int]


@dataclass(slots=True)
class LivePosition:
    """A position with the sums of its open orders; see `margin.models.Position`."""

    account_id: int
    instrument: InstrumentRules
    quantity: int = 0
    cost_basis: int = 0
    open_buy: int = 0
    open_sell: int = 0
    loss_reserve: int = 0
    realized_pnl: int = 0
    version: int = 0

    @property
    def key(self) -> PositionKey:
        return self.account_id, self.instrument.instrument_id

    @property
    def owner(self) -> Owner:
        return self.account_id, self.instrument.quote_asset_id

    @property
    def is_at_risk(self) -> bool:
        """Whether its mark matters: there is a position, or an order that may make one."""
        return bool(self.quantity or self.open_buy or self.open_sell)

    def exposure(self, mark: int) -> Exposure:
        """What margin needs of it, at a mark."""
        return Exposure(
            self.instrument.as_perpetual.terms,
            mark,
            self.quantity,
            self.cost_basis,
            self.open_buy,
            self.open_sell,
            self.loss_reserve,
        )


@dataclass(slots=True)
class PositionBook:
    """All positions of a shard by their owner, and the marks of its perpetuals."""

    marks: dict[int, LiveMark] = field(default_factory=dict)
    by_owner: dict[Owner, dict[int, LivePosition]] = field(default_factory=dict)

    def mark_of(self, rules: InstrumentRules) -> LiveMark:
        """The mark of a perpetual that has one."""
        return self.marks[rules.instrument_id]

    def find(self, owner: Owner, instrument_id: int) -> LivePosition | None:
        """The position, if there ever was one."""
        return self.by_owner.get(owner, {}).get(instrument_id)

    def of_owner(self, owner: Owner) -> list[LivePosition]:
        """All positions that a collateral carries, flat ones too."""
        return list(self.by_owner.get(owner, {}).values())

    def of_instrument(self, instrument_id: int) -> Iterator[LivePosition]:
        """All positions in an instrument; a look at every owner."""
        for of_owner in self.by_owner.values():
            position = of_owner.get(instrument_id)
            if position is not None:
                yield position

    def exposures(self, owner: Owner, *, besides: int | None = None) -> list[Exposure]:
        """What an owner's collateral carries at the marks, but for one instrument."""
        return [
            position.exposure(self.marks[instrument_id].price)
            for instrument_id, position in self.by_owner.get(owner, {}).items()
            if instrument_id != besides and position.is_at_risk
        ]

    def put(self, position: LivePosition) -> None:
        """Know a position, in place of the one that was known."""
        of_owner = self.by_owner.setdefault(position.owner, {})
        of_owner[position.instrument.instrument_id] = position

    def drop(self, position: LivePosition) -> None:
        """Forget a position."""
        of_owner = self.by_owner[position.owner]
        del of_owner[position.instrument.instrument_id]
        if not of_owner:
            del self.by_owner[position.owner]

    def forget(self, instrument_ids: set[int]) -> None:
        """Forget the positions and marks of some instruments, for a rebuild from the database."""
        for owner, of_owner in list(self.by_owner.items()):
            kept = {i: position for i, position in of_owner.items() if i not in instrument_ids}
            if kept:
                self.by_owner[owner] = kept
            else:
                del self.by_owner[owner]
        for instrument_id in instrument_ids:
            self.marks.pop(instrument_id, None)
