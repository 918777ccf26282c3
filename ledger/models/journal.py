"""What was booked: entries and their postings, append-only. Triggers keep what constraints cannot.

Invariant: the postings of an entry sum to zero for each asset (migration 0002, replaced in 0004).
"""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.models import money_field
from ledger.models.accounts import LedgerAccount
from marketdata.models import Asset


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
        CONVERSION = "CONVERSION", "Conversion"
        COLLATERAL = "COLLATERAL", "Collateral"
        FUNDING = "FUNDING", "Funding"
        LIQUIDATION = "LIQUIDATION", "Liquidation fee"
        BAD_DEBT = "BAD_DEBT", "Bad debt"

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
        # Tiny, and cheap to keep up: entries are only ever added, in about the order of posted_at.
        indexes = [BrinIndex(fields=["posted_at"], name="entry_by_time", pages_per_range=16)]

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
    # Entry, account and asset are checked once a statement by triggers, since entries and accounts
    # are never deleted: a foreign key would check them once a row (docs/adr/0011).
    entry = models.ForeignKey(
        JournalEntry, on_delete=models.PROTECT, related_name="postings", db_constraint=False
    )
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
