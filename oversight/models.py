"""Changes that wait for a second person, and the audit trail."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from common.limits import LINE_LENGTH_MAX


class ClockTimestamp(Func):
    """The time of the statement, not that of the transaction's begin."""

    template = "clock_timestamp()"
    output_field = models.DateTimeField()


class ChangeRequest(models.Model):
    """Fields of a row, or a whole new row, that one person wants and another one decides on."""

    class Status(models.TextChoices):
        REQUESTED = "REQUESTED", "Requested"
        APPROVED = "APPROVED", "Approved"
        REJECTED = "REJECTED", "Rejected"

    id = models.BigAutoField(primary_key=True)
    target = models.CharField(max_length=100, help_text="The table, as app.model.")
    object_id = models.CharField(max_length=64, blank=True, help_text="Empty: a new row.")
    object_repr = models.CharField(max_length=200)
    changes = models.JSONField(help_text="Field by field: old, new, and new as it is shown.")
    reason = models.CharField(max_length=LINE_LENGTH_MAX)
    requested_by = models.UUIDField()
    created_at = models.DateTimeField(auto_now_add=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.REQUESTED)
    decided_by = models.UUIDField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=LINE_LENGTH_MAX, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="change_approved_by_another",
                condition=~Q(status="APPROVED")
                | Q(decided_by__isnull=False) & ~Q(decided_by=F("requested_by")),
            )
        ]

    def __str__(self) -> str:
        what = ", ".join(
            f"{name} {change['old'] if change['old'] is not None else 'empty'} → {change['shown']}"
            for name, change in self.changes.items()
        )
        new = "" if self.object_id else "new "
        return f"{new}{self.target.partition('.')[2]} {self.object_repr}: {what} ({self.reason})"


class AuditRecord(models.Model):
    """What somebody did: who, when, from where, what, before, after, why. Append-only (trigger).

    `actor` holds an id; the name that belongs to it, and the network address behind
    `address_token`, lie in `AuditIdentity`, where they can be erased.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=ClockTimestamp())
    actor = models.CharField(max_length=100)
    address_token = models.UUIDField(null=True)
    request_id = models.CharField(max_length=128, blank=True, default="")
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=100, help_text="The table, as app.model.")
    target_id = models.CharField(max_length=64)
    before = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    after = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    reason = models.CharField(max_length=LINE_LENGTH_MAX, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["at", "id"], name="audit_by_time"),
            models.Index(fields=["target", "target_id"], name="audit_of_target"),
            models.Index(fields=["actor", "-id"], name="audit_of_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.action} #{self.pk}"


class AuditIdentity(models.Model):
    """The name or network address behind an id of the audit trail; deleting it erases it."""

    class Kind(models.TextChoices):
        NAME = "NAME", "Name"
        ADDRESS = "ADDRESS", "Network address"

    token = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=7, choices=Kind)
    text = models.CharField(max_length=254)
    first_seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "audit identities"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "text"],
                name="audit_address_once",
                condition=Q(kind="ADDRESS"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.token}"


class AuditSeal(models.Model):
    """A link of the chain of SHA-256 over the audit trail, by (at, id). Append-only (trigger)."""

    number = models.BigIntegerField(primary_key=True, help_text="1, 2, 3 … without a gap.")
    record_count = models.IntegerField()
    last_at = models.DateTimeField()
    last_record_id = models.BigIntegerField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"Audit seal {self.number}"
