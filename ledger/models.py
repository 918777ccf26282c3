"""Tables of the double-entry ledger. Triggers (migration 0002) keep what constraints cannot.

Invariants: the postings of an entry sum to zero for each asset; entries and postings are never
changed or deleted; `posted_balance` is the sum of an account's postings; `0 <= held_amount` and
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
            # The target of the postings' foreign key, which carries the asset along.
            models.UniqueConstraint(fields=["id", "asset"], name="ledger_account_asset"),
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


class JournalEntry(models.Model):
    """Header of one event. Its cause is `(source_kind, source_id)`, never a foreign key upward.

    The engine's entries take the id of their trade, so the primary key keeps them single; those of
    services claim their source in `EntrySource`.
    """

    class Kind(models.TextChoices):
        TRADE = "TRADE", "Trade"
        DEPOSIT = "DEPOSIT", "Deposit"
        WITHDRAWAL = "WITHDRAWAL", "Withdrawal"
        TRANSFER = "TRANSFER", "Transfer"
        REVERSAL = "REVERSAL", "Reversal"
        ADJUSTMENT = "ADJUSTMENT", "Adjustment"

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=12, choices=Kind)
    source_kind = models.CharField(max_length=20)
    source_id = models.UUIDField()
    actor = models.CharField(max_length=100, help_text="Who caused it: engine 0, a user, a key.")
    memo = models.CharField(max_length=200, blank=True, default="", db_default="")
    occurred_at = models.DateTimeField()
    posted_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "journal entries"

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class EntrySource(models.Model):
    """The claim of a service on a cause, so that one cause is booked once."""

    kind = models.CharField(max_length=20)
    source_id = models.UUIDField()
    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "source_id"], name="entry_source_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.source_id}"


class Posting(models.Model):
    """One signed line of an entry; net for one account in one entry, never zero.

    `account_version` counts the postings of an account: statements are ordered by it.
    """

    id = models.BigAutoField(primary_key=True)
    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="postings")
    # The database's foreign key is (ledger_account, asset), made in migration 0002.
    ledger_account = models.ForeignKey(
        LedgerAccount,
        on_delete=models.PROTECT,
        related_name="postings",
        db_constraint=False,
        db_index=False,
    )
    asset = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    amount = money_field()
    balance_after = money_field()
    account_version = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ledger_account", "account_version"], name="posting_once_per_version"
            ),
            models.CheckConstraint(name="posting_not_zero", condition=~Q(amount=0)),
        ]

    def __str__(self) -> str:
        return f"{self.amount} on {self.ledger_account_id}"
