"""What keeps watch over the ledger: seals, results of checks, alerts for staff."""

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Seal(models.Model):
    """A link of the chain of SHA-256 over the entries, in the order of (posted_at, id).

    `leaves` holds, for each sealed entry, its id and the first 16 bytes of its digest: by them
    `verify_ledger` finds the first row that was tampered with. Append-only (trigger).
    """

    number = models.BigIntegerField(primary_key=True, help_text="1, 2, 3 … without a gap.")
    entry_count = models.IntegerField()
    first_posted_at = models.DateTimeField()
    last_posted_at = models.DateTimeField()
    last_entry_id = models.UUIDField()
    leaves = models.BinaryField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="seal_has_entries", condition=Q(entry_count__gt=0, number__gt=0)
            )
        ]

    def __str__(self) -> str:
        return f"Seal {self.number}"


class LedgerCheck(models.Model):
    """One run of the reconciliation, and what it found."""

    started_at = models.DateTimeField()
    seconds = models.DecimalField(max_digits=9, decimal_places=3)
    is_clean = models.BooleanField()
    difference_count = models.BigIntegerField()
    results = models.JSONField(encoder=DjangoJSONEncoder)

    class Meta:
        indexes = [models.Index(fields=["-started_at"], name="ledger_check_newest")]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M:%S} {'clean' if self.is_clean else 'differs'}"


class Alert(models.Model):
    """Something that staff have to look at. One open alert for each kind and subject."""

    class Severity(models.TextChoices):
        WARNING = "WARNING", "Warning"
        CRITICAL = "CRITICAL", "Critical"

    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=100, blank=True, default="")
    severity = models.CharField(max_length=8, choices=Severity)
    message = models.CharField(max_length=300)
    facts = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    raised_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    times_seen = models.PositiveIntegerField(default=1, db_default=1)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    resolved_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)
    posted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"],
                name="alert_open_once",
                condition=Q(resolved_at__isnull=True),
            )
        ]
        indexes = [models.Index(fields=["-raised_at"], name="alert_newest")]

    def __str__(self) -> str:
        return self.message
