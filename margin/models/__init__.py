"""Tables of margin: positions of perpetuals, what collateral may do, liquidation and funding."""

from margin.models.accounts import FreezeChange, MarginAccount
from margin.models.funding import Funding, FundingPayment, PremiumSample
from margin.models.liquidations import Liquidation, LiquidationStep, MarginCall
from margin.models.positions import Position
from margin.models.snapshots import EquitySnapshot

__all__ = [
    "EquitySnapshot",
    "FreezeChange",
    "Funding",
    "FundingPayment",
    "Liquidation",
    "LiquidationStep",
    "MarginAccount",
    "MarginCall",
    "Position",
    "PremiumSample",
]
