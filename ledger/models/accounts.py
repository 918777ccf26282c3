"""The ledger's accounts: of clients, whose cash accounts are the wallets, and of the venue.

Invariants: `posted_balance` is the sum of an account's postings; `0 <= held_amount` and
`posted_balance - held_amount >= -overdraft_limit`.
"""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from brokers.models import TradingAccount
from common.models import money_field
from marketdata.models import Asset


class LedgerAccount(models.Model):
    """A balance in one asset, of a client (`trading_account`) or of the venue.

    The venue's accounts have one row per engine shard and one for services (`shard` -1), so that
    writers do not wait for each other; reports sum them.
    """

    class Kind(models.TextChoices):
        CASH = "CASH", "Cash"
        SECURITY = "SECURITY", "Security"
        MARGIN = "MARGIN", "Margin collateral"
        TRANSIT = "TRANSIT", "Cash in transit"
        FEES = "FEES", "Fees"
        DEALER = "DEALER", "Dealer"
        EXTERNAL = "EXTERNAL", "External executions"
        CLEARING = "CLEARING", "Perpetual clearing"
        INSURANCE = "INSURANCE", "Insurance fund"
        CONVERSION = "CONVERSION", "Currency conversion"
        FUNDING = "FUNDING", "Funding in transit"

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        SUSPENDED = "SUSPENDED", "Suspended"
        CLOSED = "CLOSED", "Closed"

    CLIENT_KINDS = (Kind.CASH, Kind.SECURITY, Kind.MARGIN)
    SERVICES_SHARD = -1

    id = models.BigAutoField(primary_key=True)
    trading_account = models.ForeignKey(
        TradingAccount,
        on_delete=models.PROTECT,
        related_name="ledger_accounts",
        null=True,
        blank=True,
    )
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind)
    shard = models.SmallIntegerField(default=SERVICES_SHARD, db_default=SERVICES_SHARD)
    posted_balance = money_field(default=0, db_default=0)
    held_amount = money_field(default=0, db_default=0)
    overdraft_limit = money_field(
        null=True, blank=True, help_text="How far below zero it may go; empty = without limit."
    )
    version = models.BigIntegerField(default=0, db_default=0)
    status = models.CharField(
        max_length=9,
        choices=Status,
        default=Status.ACTIVE,
        db_default=Status.ACTIVE,
        help_text="Of a wallet: only an active one is debited and credited, other than by staff.",
    )
    opened_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["trading_account", "asset", "kind"],
                name="ledger_account_once_per_client",
                condition=Q(trading_account__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["kind", "asset", "shard"],
                name="ledger_account_once_per_venue_shard",
                condition=Q(trading_account__isnull=True),
            ),
            models.CheckConstraint(
                name="ledger_account_held_not_negative", condition=Q(held_amount__gte=0)
            ),
            models.CheckConstraint(
                name="ledger_account_within_limit",
                condition=Q(overdraft_limit__isnull=True)
                | Q(posted_balance__gte=F("held_amount") - F("overdraft_limit")),
            ),
            models.CheckConstraint(
                name="ledger_account_client_or_venue",
                condition=Q(trading_account__isnull=False, kind__in=["CASH", "SECURITY", "MARGIN"])
                | (
                    Q(trading_account__isnull=True)
                    & ~Q(kind__in=["CASH", "SECURITY", "MARGIN"])
                    & Q(held_amount=0)
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.asset_id} #{self.id}"
