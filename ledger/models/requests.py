"""What needs the word of staff before it is booked: deposits, withdrawals, corrections."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import new_uuid
from common.models import money_field
from ledger.models.accounts import LedgerAccount
from ledger.models.journal import JournalEntry


class MoneyRequest(models.Model):
    """Asked for, approved by as many persons as it needs, then booked; or rejected, or canceled.

    A withdrawal that is REQUESTED has its amount in the account's `held_amount`. `amount` is
    positive but for adjustments, which may take money too.
    """

    class Kind(models.TextChoices):
        DEPOSIT = "DEPOSIT", "Deposit"
        WITHDRAWAL = "WITHDRAWAL", "Withdrawal"
        ADJUSTMENT = "ADJUSTMENT", "Adjustment"
        REVERSAL = "REVERSAL", "Reversal"

    class Status(models.TextChoices):
        REQUESTED = "REQUESTED", "Waits for approval"
        COMPLETED = "COMPLETED", "Completed"
        REJECTED = "REJECTED", "Rejected"
        CANCELED = "CANCELED", "Canceled"
        FAILED = "FAILED", "Failed"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    ledger_account = models.ForeignKey(
        LedgerAccount, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    amount = money_field(null=True, blank=True)
    reversed_entry = models.ForeignKey(
        JournalEntry, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    reason = models.CharField(
        max_length=200, help_text="Why, or where the money comes from or goes to."
    )
    status = models.CharField(max_length=9, choices=Status, default=Status.REQUESTED)
    status_reason = models.CharField(max_length=200, blank=True, default="")
    approvals_needed = models.PositiveSmallIntegerField(default=1)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        help_text="The person; empty for a program. Nobody approves a request of their own.",
    )
    actor = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)
    entry = models.ForeignKey(
        JournalEntry, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )

    class Meta:
        indexes = [
            models.Index(fields=["ledger_account", "-id"], name="request_of_account"),
            models.Index(fields=["id"], name="request_open", condition=Q(status="REQUESTED")),
        ]
        constraints = [
            models.CheckConstraint(
                name="request_names_what_it_needs",
                condition=Q(
                    kind__in=["DEPOSIT", "WITHDRAWAL"],
                    ledger_account__isnull=False,
                    amount__gt=0,
                    reversed_entry__isnull=True,
                )
                | Q(
                    kind="ADJUSTMENT",
                    ledger_account__isnull=False,
                    amount__isnull=False,
                    reversed_entry__isnull=True,
                )
                & ~Q(amount=0)
                | Q(
                    kind="REVERSAL",
                    ledger_account__isnull=True,
                    amount__isnull=True,
                    reversed_entry__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="request_completed_by_entry",
                condition=Q(status="COMPLETED", entry__isnull=False)
                | ~Q(status="COMPLETED") & Q(entry__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["reversed_entry"],
                name="request_one_open_reversal",
                condition=Q(status="REQUESTED", reversed_entry__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Approval(models.Model):
    """One person's word on a request: at most one each."""

    request = models.ForeignKey(MoneyRequest, on_delete=models.PROTECT, related_name="approvals")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    is_approved = models.BooleanField()
    note = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "user"], name="approval_once_per_person")
        ]

    def __str__(self) -> str:
        return f"{'yes' if self.is_approved else 'no'} of {self.user}"
