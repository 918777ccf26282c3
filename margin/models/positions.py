"""Positions of perpetuals. Facts: written by the engine, read by everybody."""

from django.db import models
from django.db.models import Q

from brokers.models import TradingAccount
from common.models import money_field
from marketdata.models import Instrument


class Position(models.Model):
    """What an account has in a perpetual, and what its open orders there may add.

    Made with the first order, and kept when it is flat. Open sums and reserve are those of the open
    orders, so that margin needs no orders. `version` counts the batches that changed it; it changes
    only while the row of the account's collateral is locked.
    """

    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, related_name="positions", db_index=False
    )
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    quantity = money_field(default=0, help_text="Positive is long, in the base asset.")
    cost_basis = money_field(
        default=0, help_text="What it cost (of a short: brought, negative), in the quote asset."
    )
    open_buy = money_field(default=0, help_text="Open quantity of buy orders.")
    open_sell = money_field(default=0, help_text="Open quantity of sell orders.")
    loss_reserve = money_field(
        default=0, help_text="What open orders would lose at once, by the marks of their arrival."
    )
    realized_pnl = money_field(default=0, help_text="Of all fills so far, before fees.")
    version = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "instrument"], name="position_once"),
            models.CheckConstraint(
                name="position_open_not_negative",
                condition=Q(open_buy__gte=0, open_sell__gte=0, loss_reserve__gte=0),
            ),
            models.CheckConstraint(
                name="position_reserve_of_open_orders",
                condition=Q(loss_reserve=0) | Q(open_buy__gt=0) | Q(open_sell__gt=0),
            ),
            models.CheckConstraint(
                name="position_flat_without_cost", condition=~Q(quantity=0) | Q(cost_basis=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.instrument_id}"
