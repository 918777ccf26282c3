"""The handler of each command. Pure."""

from collections.abc import Mapping
from typing import Any

from orders.commands import (
    CancelOrder,
    Command,
    DealPerpetual,
    ExpireDue,
    FixFunding,
    LiquidateAccount,
    PlaceOrder,
    ReduceFund,
    ResetVenue,
    SetMarkPrice,
)
from orders.engine.core.handlers.base import Handler
from orders.engine.core.handlers.cancel_order import CancelOrderHandler
from orders.engine.core.handlers.deal_perpetual import DealPerpetualHandler
from orders.engine.core.handlers.expire_due import ExpireDueHandler
from orders.engine.core.handlers.fix_funding import FixFundingHandler
from orders.engine.core.handlers.liquidate_account import LiquidateAccountHandler
from orders.engine.core.handlers.place_order import PlaceOrderHandler
from orders.engine.core.handlers.reduce_fund import ReduceFundHandler
from orders.engine.core.handlers.reset_venue import ResetVenueHandler
from orders.engine.core.handlers.set_mark_price import SetMarkPriceHandler

HANDLERS: Mapping[type[Command], Handler[Any]] = {
    PlaceOrder: PlaceOrderHandler(),
    DealPerpetual: DealPerpetualHandler(),
    CancelOrder: CancelOrderHandler(),
    SetMarkPrice: SetMarkPriceHandler(),
    LiquidateAccount: LiquidateAccountHandler(),
    ReduceFund: ReduceFundHandler(),
    FixFunding: FixFundingHandler(),
    ExpireDue: ExpireDueHandler(),
    ResetVenue: ResetVenueHandler(),
}
