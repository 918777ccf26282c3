"""Money that moves between two wallets of one currency, and the answers that were given for keys.

A transfer is immutable once it is COMPLETED or FAILED (trigger, migration 0004). Its journal entry
has the transfer's id.
"""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from common.models import money_field
from ledger.models.accounts import LedgerAccount
from marketdata.models import Asset


class Transfer(models.Model):
    """One step: COMPLETED or FAILED at once. Two steps: PENDING with a hold, then posted or freed.

    While it is PENDING, `amount` is part of the source's `held_amount`.
    """

    class Status(models.TextChoices):
        PENDING = "PENDING", "Pending"
        COMPLETED = "COMPLETED", "Completed"
        FAILED = "FAILED", "Failed"

    id = models.UUIDField(primary_key=True)
    source = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="+")
    destination = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="+")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+", db_index=False)
    amount = money_field()
    posted_amount = money_field(
        null=True, blank=True, help_text="What moved; less than the amount after a part."
    )
    status = models.CharField(max_length=9, choices=Status)
    reason = models.CharField(
        max_length=40, blank=True, default="", db_default="", help_text="Why it failed."
    )
    is_two_step = models.BooleanField(default=False, db_default=False)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="When a pending one fails by itself and frees its hold."
    )
    linked_id = models.UUIDField(
        null=True, blank=True, help_text="Shared by those that succeed or fail together."
    )
    memo = models.CharField(max_length=200, blank=True, default="", db_default="")
    actor = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["source", "-id"], name="transfer_of_source"),
            models.Index(fields=["destination", "-id"], name="transfer_of_destination"),
            models.Index(fields=["expires_at"], name="transfer_due", condition=Q(status="PENDING")),
        ]
        constraints = [
            models.CheckConstraint(name="transfer_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="transfer_two_wallets", condition=~Q(source=F("destination"))
            ),
            models.CheckConstraint(
                name="transfer_posted_when_completed",
                condition=Q(
                    status="COMPLETED",
                    posted_amount__isnull=False,
                    posted_amount__gt=0,
                    posted_amount__lte=F("amount"),
                    finished_at__isnull=False,
                    reason="",
                )
                | Q(
                    status="FAILED",
                    posted_amount__isnull=True,
                    finished_at__isnull=False,
                )
                & ~Q(reason="")
                | Q(
                    status="PENDING",
                    posted_amount__isnull=True,
                    finished_at__isnull=True,
                    is_two_step=True,
                    expires_at__isnull=False,
                    reason="",
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.amount} {self.id}"


class IdempotencyKey(models.Model):
    """The answer to a request that named a key: written in the transaction of its effect."""

    owner = models.CharField(max_length=100, help_text="Whose key: a broker, an account, a person.")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    status = models.PositiveSmallIntegerField()
    body = models.TextField(help_text="The answer, byte for byte.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "key"], name="idempotency_key_once")
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_age")]

    def __str__(self) -> str:
        return self.key
