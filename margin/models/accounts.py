"""What staff and liquidation say of an account's collateral in one quote asset."""

from django.db import models
from django.db.models import Q

from brokers.models import TradingAccount
from marketdata.models import Asset


class MarginAccount(models.Model):
    """The margin side of a trading account in a quote asset; made when there is something to say.

    A frozen one places no orders and takes no collateral out. Changed under the lock of the
    trading account, which the engine takes too.
    """

    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, related_name="margin_accounts", db_index=False
    )
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    is_frozen = models.BooleanField(default=False)
    frozen_reason = models.CharField(max_length=200, blank=True, default="")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "asset"], name="margin_account_once"),
            models.CheckConstraint(
                name="margin_account_frozen_with_reason",
                condition=Q(is_frozen=False) | ~Q(frozen_reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} in {self.asset_id}"


class FreezeChange(models.Model):
    """An account's collateral in a quote asset was frozen, or un-frozen: by whom, why, when. Facts.

    It outlives a reset of the venue, which deletes accounts; so the database does not tie it to
    its account. Ids of accounts are not used again.
    """

    account = models.ForeignKey(
        TradingAccount,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+", db_index=False)
    is_frozen = models.BooleanField(help_text="What it was from then on.")
    reason = models.CharField(max_length=200)
    actor = models.CharField(max_length=100)
    changed_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["account", "-id"], name="freeze_change_of_account")]
        constraints = [
            models.CheckConstraint(name="freeze_change_with_reason", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {'frozen' if self.is_frozen else 'un-frozen'} by {self.actor}"
