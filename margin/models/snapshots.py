"""What accounts were worth over time."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from brokers.models import TradingAccount
from common.models import money_field
from marketdata.models import Asset


class EquitySnapshot(models.Model):
    """An account's equity and margins in a quote asset at one minute. Old ones are thinned out."""

    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField(help_text="The minute, at its begin.")
    equity = money_field()
    initial_margin = money_field()
    maintenance_margin = money_field()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "asset", "at"], name="equity_snapshot_once_a_minute"
            )
        ]
        # Rows are written in the order of time, and thinned out by it.
        indexes = [BrinIndex(fields=["at"], name="equity_snapshot_by_time")]

    def __str__(self) -> str:
        return f"{self.equity} at {self.at}"
