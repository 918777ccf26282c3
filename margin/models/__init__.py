"""Tables of margin: positions of perpetuals, and what collateral accounts may do."""

from margin.models.accounts import MarginAccount
from margin.models.positions import Position
from margin.models.snapshots import EquitySnapshot

__all__ = ["EquitySnapshot", "MarginAccount", "Position"]
